//! The API by itself: what it is started with, and what it does when that is not there.

use std::time::Duration;

use super::*;
use crate::program::{fails, get};

#[test]
fn w18_an_api_needs_no_secret_and_refuses_a_key_that_others_can_write() {
    let parts = Parts::make();
    let config = parts.config.to_str().unwrap();
    let check = ["config", "check", "--role", "api", "--config", config];
    let output = run(&check);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains(&parts.made.ledger_key));
    fails(&["config", "check", "--config", config], 4, &["server.key"]);
    fails(&["serve", "--role", "auth", "--config", config], 4, &["server.key"]);

    let key = parts.folder.path().join("ledger.pub");
    set_mode(&key, 0o666);
    fails(&parts.arguments(), 4, &["ledger.pub", "0666", "chmod 644"]);
    let other = init();
    set_mode(&key, 0o644);
    std::fs::copy(other.data.join("ledger.pub"), &key).unwrap();
    fails(&parts.arguments(), 4, &["is not the one of ledger.pub"]);
    std::fs::remove_file(&key).unwrap();
    fails(&parts.arguments(), 4, &["ledger.pub does not exist", "Copy it"]);
    fails(&check, 4, &["ledger.pub does not exist"]);
}

#[test]
fn what_the_api_needs_to_know_is_put_there_by_a_server_that_is_older_than_it() {
    let made = init();
    let key = made.data.join("ledger.pub");
    let wanted = std::fs::read(&key).unwrap();
    std::fs::write(&key, "something else\n").unwrap();
    drop(crate::program::Program::start(&made.config, &[]));
    assert_eq!(std::fs::read(&key).unwrap(), wanted);
    std::fs::remove_file(&key).unwrap();
    drop(crate::program::Program::start(&made.config, &["--role", "auth"]));
    assert_eq!(std::fs::read(&key).unwrap(), wanted);
}

#[test]
fn an_api_changes_no_tables_and_refuses_those_of_another_version() {
    let parts = Parts::make();
    parts.edit("UPDATE refinery_schema_history SET checksum = '1' WHERE version = (SELECT max(version) FROM refinery_schema_history)");
    fails(&parts.arguments(), 4, &["made by another program"]);
    parts.edit("DELETE FROM refinery_schema_history WHERE checksum = '1'");
    fails(&parts.arguments(), 4, &["this program's are of version", "Start the auth server of this version"]);
    parts.edit("INSERT INTO refinery_schema_history VALUES (9999, 'x', '2026-01-01T00:00:00Z', '1')");
    fails(&parts.arguments(), 4, &["of version 9999", "Install the version"]);
}

#[test]
fn an_api_waits_for_a_database_that_is_away_and_says_so() {
    let parts = Parts::make();
    parts.shut_out();
    let api = Api::begin(&parts);
    let ready = |wanted: u16| {
        (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            get(api.metrics, "/readyz").status == wanted
        })
    };
    assert!(ready(503));
    assert_eq!(get(api.metrics, "/healthz").status, 200);
    parts.let_in();
    assert!(ready(200), "it is tried again");
    let figures = String::from_utf8(get(api.metrics, "/metrics").body).unwrap();
    for part in ["countersign_ready 1", "countersign_jobs_total 0", "countersign_build_info{version="] {
        assert!(figures.contains(part), "{part} is not in: {figures}");
    }
    if parts.users.is_some() {
        parts.shut_out();
        assert!(ready(503));
        parts.let_in();
        assert!(ready(200));
    }
    assert_eq!(api.stop().code(), Some(0));

    parts.shut_out();
    let waiting = Api::begin(&parts);
    assert_eq!(waiting.stop().code(), Some(0), "it may be stopped while it waits");
}

#[test]
fn systemd_is_told_when_the_api_is_ready_lives_and_stops() {
    let parts = Parts::make();
    let path = parts.folder.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut command = Command::new(BINARY);
    command.args(parts.arguments()).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000");
    let api = Api::spawn(&mut command);
    let heard = || {
        let mut datagram = [0; 64];
        let length = socket.recv(&mut datagram).unwrap();
        String::from_utf8(datagram[..length].to_vec()).unwrap()
    };
    assert_eq!((heard(), heard()), ("READY=1".to_owned(), "WATCHDOG=1".to_owned()));
    api.signal(nix::sys::signal::Signal::SIGINT);
    assert!((0..50).any(|_| heard() == "STOPPING=1"));
    assert_eq!(api.stop().code(), Some(0));
}
