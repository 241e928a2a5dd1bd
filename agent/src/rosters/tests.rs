use countersign_protocol::roster::Roster;

use super::*;
use crate::offline::scene::{NOW, Scene, fingerprint, scene};

/// As the host of a test has it pinned, to the end of the test.
fn pinned(certificate: &countersign_protocol::certificate::Cert) -> &'static Server {
    let bytes = countersign_protocol::certificate::to_bytes(certificate).unwrap();
    Box::leak(Box::new(Server::new(&bytes, "http://127.0.0.1").unwrap()))
}

struct Host {
    _folder: tempfile::TempDir,
    state: StateDir,
    instance: Fingerprint,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        Self { _folder: folder, state, instance: fingerprint(&scene().host) }
    }

    fn parties(&self) -> Parties<'_> {
        Parties { server: pinned(&scene().server), instance: &self.instance }
    }

    fn rosters(&self) -> Rosters {
        Rosters::new(self.state.clone())
    }

    fn loaded(&self, newest: Option<Timestamp>) -> Result<Option<Digest>, RosterTrouble> {
        let rosters = self.rosters();
        rosters.load(self.parties(), newest, NOW)?;
        Ok(rosters.digest())
    }
}

fn issued(at: i64) -> impl FnOnce(&mut Roster) {
    move |roster| {
        roster.issued = NOW.plus(at);
        roster.expires = NOW.plus(at + 24 * 3600);
    }
}

#[test]
fn a_roster_is_there_again_after_a_restart_and_verified_anew() {
    let host = Host::new();
    let rosters = host.rosters();
    assert!(host.loaded(None).unwrap().is_none(), "there is none yet");
    rosters.accept(scene().signed(|_| {}), host.parties(), NOW).unwrap();
    assert_eq!(host.loaded(Some(NOW)).unwrap(), rosters.digest());
    // Verified for this host and by the pinned server, or not at all.
    let other = fingerprint(&scene().ana);
    let stranger = Parties { instance: &other, ..host.parties() };
    assert!(matches!(host.rosters().load(stranger, None, NOW), Err(RosterTrouble::Proof(_))));
    let stranger = Parties { server: pinned(&scene().ana), ..host.parties() };
    assert!(matches!(host.rosters().load(stranger, None, NOW), Err(RosterTrouble::Proof(_))));
}

#[test]
fn a_roster_changed_on_the_disk_is_no_roster() {
    let host = Host::new();
    let signed = scene().signed(|_| {});
    host.rosters().accept(signed.clone(), host.parties(), NOW).unwrap();
    let text = String::from_utf8(signed.roster.0.clone()).unwrap();
    for (from, to) in [
        ("\"offline_uses\":3", "\"offline_uses\":9"),
        ("\"login\":\"ben\"", "\"login\":\"eve\""),
        ("sudo", "sshd"),
    ] {
        assert!(text.contains(from), "{text}");
        let mut changed = signed.clone();
        changed.roster.0 = text.replace(from, to).into_bytes();
        host.state.write(FILE, &changed).unwrap();
        let rosters = host.rosters();
        assert!(matches!(rosters.load(host.parties(), None, NOW), Err(RosterTrouble::Proof(_))), "{to}");
        assert!(rosters.get().is_none());
    }
    host.state.write_bytes(FILE, b"{").unwrap();
    assert!(matches!(host.loaded(None), Err(RosterTrouble::State(_))));
}

#[test]
fn an_older_roster_is_refused_from_the_server_and_from_the_disk() {
    let host = Host::new();
    let rosters = host.rosters();
    let accept = |at: i64| rosters.accept(scene().signed(issued(at)), host.parties(), NOW);
    accept(-60).unwrap();
    let held = rosters.digest();
    assert!(matches!(accept(-61), Err(RosterTrouble::Older(..))));
    assert_eq!(rosters.digest(), held, "the old one stays");
    accept(-60).unwrap();
    accept(0).unwrap();
    // A backup of the file, put back: the contact remembers that there was a newer one.
    host.state.write(FILE, &scene().signed(issued(-60))).unwrap();
    assert!(matches!(host.loaded(Some(NOW)), Err(RosterTrouble::Older(..))));
    // And the roster that was lost that way comes back only as new as it was.
    let again = host.rosters();
    let _ = again.load(host.parties(), Some(NOW), NOW);
    assert!(again.accept(scene().signed(issued(-1)), host.parties(), NOW).is_err());
    again.accept(scene().signed(issued(0)), host.parties(), NOW).unwrap();
}

#[test]
fn a_roster_from_a_time_when_the_servers_clock_was_wrong_holds_up_no_other() {
    let host = Host::new();
    let rosters = host.rosters();
    let day = 24 * 3600;
    let later = NOW.plus(day);
    rosters.accept(scene().signed(issued(day)), host.parties(), later).unwrap();
    rosters.accept(scene().signed(issued(0)), host.parties(), NOW).unwrap();
    assert_eq!(rosters.get().unwrap().verified.roster().issued, NOW);
}

#[test]
fn a_roster_that_cannot_be_written_is_not_held() {
    let host = Host::new();
    let rosters = host.rosters();
    std::fs::create_dir(host.state.path(FILE)).unwrap();
    assert!(matches!(
        rosters.accept(Scene::signed(scene(), |_| {}), host.parties(), NOW),
        Err(RosterTrouble::State(_))
    ));
    assert!(rosters.get().is_none());
}
