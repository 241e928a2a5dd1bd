//! Logins while the server cannot be reached: decided by the roster it signed before, counted, and told to it later.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on says where")]
#![expect(clippy::print_stdout, reason = "figures, and what the agent said")]

#[path = "offline/attacks.rs"]
mod attacks;
#[path = "offline/denied.rs"]
mod denied;
#[path = "offline/fast.rs"]
mod fast;
#[path = "offline/programs.rs"]
mod programs;
#[path = "offline/roster.rs"]
mod roster;
#[path = "offline/watched.rs"]
mod watched;

use std::time::{Duration, Instant};

use countersign_protocol::roster::{OfflineServices, Roster, RosterEntry};
use countersign_tests::site::{HostKey, Person, SERVICE, SOON, Scene, Site, Way, Weather};
use countersign_tests::{Dialogue, Machine};

const PIN: [(&str, &str); 1] = [("PIN for", Person::PIN)];

const HOOKS: [&str; 3] = ["authenticate", "acct_mgmt", "setcred"];

/// What a login that this host decided says.
const BY_ITSELF: &str = "This host decided by itself";

/// A scene by a road, with so many uses, and a roster that permits Ana some.
fn scene(machine: &Machine, uses: u32) -> Scene<'_> {
    let mut site = Site::by(Way::Road, machine, 2, HostKey::Sealed).unwrap();
    site.server.permit_offline(machine, 24, uses).unwrap();
    site.put_to_work().unwrap();
    let scene = Scene::at(site).unwrap();
    ready(&scene, uses);
    scene
}

/// The same, where nobody may log in without the server.
fn forbidding_scene(machine: &Machine) -> Scene<'_> {
    let mut site = Site::by(Way::Road, machine, 2, HostKey::Sealed).unwrap();
    site.server.permit_offline(machine, 24, 0).unwrap();
    site.put_to_work().unwrap();
    let scene = Scene::at(site).unwrap();
    let knows_ana = |entry: &RosterEntry| entry.login.as_str() == "ana" && !entry.accounts.is_empty();
    roster::wait_for(&scene, |roster| roster.entries.iter().any(knows_ana));
    scene
}

/// Waits until the host knows Ana, and what she may do without the server.
fn ready(scene: &Scene<'_>, uses: u32) {
    let permits_ana = |roster: &Roster| {
        let accounts = roster.entries.iter().filter(|entry| entry.login.as_str() == "ana");
        roster.offline_uses == uses
            && accounts.flat_map(|entry| &entry.accounts).any(|one| one.offline != OfflineServices::None)
    };
    roster::wait_for(scene, permits_ana);
}

/// A login that was timed.
struct Timed {
    shown: String,
    let_in: bool,
    /// From the PIN to the end.
    took: Duration,
}

/// Ana at the console.
fn log_in(scene: &Scene<'_>) -> Timed {
    let mut command = scene.console.command("pamtester");
    command.args([SERVICE, "ana"]).args(HOOKS);
    let mut dialogue = Dialogue::start(&command).unwrap();
    dialogue.expect("PIN for", SOON).unwrap();
    dialogue.send_line(Person::PIN).unwrap();
    let typed = Instant::now();
    dialogue.expect_eof(SOON).unwrap();
    let took = typed.elapsed();
    let let_in = dialogue.wait(SOON).unwrap().success();
    Timed { shown: dialogue.transcript().replace('\r', ""), let_in, took }
}

/// The same, let in by the server.
fn log_in_online(scene: &Scene<'_>) -> Timed {
    let login = log_in(scene);
    assert!(login.let_in && !login.shown.contains(BY_ITSELF), "{}", login.shown);
    login
}

/// The same, let in by this host, in so many words.
fn log_in_here(scene: &Scene<'_>, words: &str) -> Timed {
    let login = log_in(scene);
    assert!(login.let_in && login.shown.contains(BY_ITSELF), "{}", login.shown);
    assert!(login.shown.contains(words), "{}", login.shown);
    login
}

/// The same, not let in, and told this.
fn log_in_in_vain(scene: &Scene<'_>, words: &str) -> Timed {
    let login = log_in(scene);
    assert!(!login.let_in && !login.shown.contains(BY_ITSELF), "{}", login.shown);
    assert!(login.shown.contains(words), "{}", login.shown);
    login
}

fn weather(scene: &Scene<'_>, weather: Weather) {
    scene.site.server.road.as_ref().unwrap().weather(weather).unwrap();
}
