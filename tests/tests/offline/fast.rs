//! How long a login waits for a server that does not answer.

use std::time::Duration;

use countersign_tests::Machine;
use countersign_tests::site::Weather;
use nix::sys::signal::Signal;

use super::{log_in, log_in_here, log_in_online, scene, weather};

/// What a login may take on a machine that is busy with other tests: 2.5 s are promised.
const GENEROUS: Duration = Duration::from_secs(8);

#[test]
fn a_login_with_the_server_gone_is_decided_here_whatever_became_of_it() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine, 100);
    let page = b"<html><body>Welcome to the hotel. Please accept our terms.</body></html>".to_vec();
    for (name, bad) in [
        ("connection refused", Weather::Refused),
        ("reset", Weather::Reset),
        ("502", Weather::Status(502)),
        ("429", Weather::Status(429)),
        ("302", Weather::Status(302)),
        ("a login page", Weather::Body(page)),
        ("noise", Weather::Noise),
        ("a turned bit", Weather::BitTurned),
        ("packets lost", Weather::Blackholed),
        ("never answered", Weather::Silent),
        ("answer lost", Weather::AnswerLost),
    ] {
        let online = log_in_online(&scene);
        weather(&scene, bad);
        let first = log_in_here(&scene, "of 100");
        let again = log_in_here(&scene, "of 100");
        println!(
            "{name:20} first {:6.0} ms, noticed {:6.0} ms, online {:6.0} ms",
            first.took.as_secs_f64() * 1e3,
            again.took.as_secs_f64() * 1e3,
            online.took.as_secs_f64() * 1e3
        );
        assert!(first.took < GENEROUS && again.took < GENEROUS, "{name}: {:?} {:?}", first.took, again.took);
        weather(&scene, Weather::Clear);
    }
}

#[test]
fn a_server_that_was_stopped_or_killed_or_frozen_is_done_without() {
    let machine = Machine::start().unwrap();
    let mut scene = scene(&machine, 20);
    log_in_online(&scene);
    scene.site.server.stop().unwrap();
    println!("stopped: {:?}", log_in_here(&scene, "use 1 of 20").took);
    scene.site.server.start(&machine).unwrap();
    log_in_online(&scene);
    scene.site.server.process.as_mut().unwrap().kill().unwrap();
    println!("killed: {:?}", log_in_here(&scene, " of 20").took);
    scene.site.server.start(&machine).unwrap();
    log_in_online(&scene);
    scene.site.server.process.as_mut().unwrap().signal(Signal::SIGSTOP).unwrap();
    println!("frozen: {:?}", log_in_here(&scene, " of 20").took);
    println!("frozen, and noticed: {:?}", log_in_here(&scene, " of 20").took);
    scene.site.server.process.as_mut().unwrap().signal(Signal::SIGCONT).unwrap();
    log_in_online(&scene);
}

#[test]
fn a_slow_server_is_waited_for_where_nothing_is_permitted_without_it_and_the_person_is_told() {
    let machine = Machine::start().unwrap();
    let scene = super::forbidding_scene(&machine);
    weather(&scene, Weather::Slow(Duration::from_secs(4)));
    let login = log_in(&scene);
    assert!(login.let_in, "{}", login.shown);
    assert!(login.shown.contains("The server has not answered yet"), "{}", login.shown);
    assert!(login.took > Duration::from_secs(3), "{:?}", login.took);
}
