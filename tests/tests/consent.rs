//! `sudo` without the card, a moment after it had it: where root's file says so, in the same terminal, and nowhere else.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::time::Duration;

use countersign_protocol::roster::{OfflineServices, Roster};
use countersign_tests::site::{HostKey, Person, SILENT_REST, SOON, Scene, Seat, stack};
use countersign_tests::{Dialogue, Machine, SessionSpec, wait_until};

#[path = "offline/roster.rs"]
mod roster;

/// What the person sees.
const REUSED: &str = "No card is asked: the consent of ";

/// The shell's.
const PROMPT: &str = "ana-shell: ";

/// The end of one command of sudo, and what it printed.
const ROOT: &str = "uid-0";

fn scene<'m>(machine: &'m Machine, section: &str) -> Scene<'m> {
    let mut scene = Scene::on(machine, HostKey::Sealed).unwrap();
    for service in ["sudo", "sudo-i"] {
        machine.pam_service(service, &stack(SILENT_REST).unwrap()).unwrap();
    }
    machine.sudoers("Defaults timestamp_timeout=0\nDefaults !lecture\nana ALL=(root) ALL\n").unwrap();
    let path = machine.path("/etc/countersign/agent.toml");
    let settings = std::fs::read_to_string(&path).unwrap();
    machine.write("/etc/countersign/agent.toml", &format!("{settings}\n{section}"), 0o644).unwrap();
    restart(&mut scene);
    let may = |roster: &Roster| {
        let mut accounts = roster.entries.iter().flat_map(|entry| &entry.accounts);
        accounts.any(|one| one.account.as_str() == "ana" && one.unasked != OfflineServices::None)
    };
    roster::wait_for(&scene, may);
    scene
}

fn restart(scene: &mut Scene<'_>) {
    scene.site.stop_agent().unwrap();
    scene.site.start_agent().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
}

/// A shell of Ana's in a terminal of its own.
struct Terminal(Dialogue);

impl Terminal {
    fn of(scene: &Scene<'_>) -> Self {
        Self::at(&scene.ana.seat, scene)
    }

    fn at(seat: &Seat, scene: &Scene<'_>) -> Self {
        let mut shell = seat.command_as(&scene.ana.user, "sh");
        shell.env("PS1", PROMPT);
        let mut dialogue = Dialogue::start(&shell).unwrap();
        dialogue.expect(PROMPT, SOON).unwrap();
        Self(dialogue)
    }

    /// `sudo`, up to its PIN prompt or its end. Whether it asked.
    fn sudo(&mut self) -> bool {
        self.0.send_line("sudo sh -c 'echo uid-$(id -u)'").unwrap();
        let (which, _) = self.0.expect_one_of(&["PIN for", ROOT], SOON).unwrap();
        if which == 1 {
            self.0.expect(PROMPT, SOON).unwrap();
        }
        which == 0
    }

    /// The same, with the PIN that is asked for.
    fn sudo_with_pin(&mut self) {
        assert!(self.sudo(), "{}", self.0.transcript());
        self.0.send_line(Person::PIN).unwrap();
        self.0.expect(ROOT, SOON).unwrap();
        self.0.expect(PROMPT, SOON).unwrap();
    }

    /// `sudo` asks, and is given up.
    fn asks_again(&mut self, why: &str) {
        assert!(self.sudo(), "{why}: {}", self.0.transcript());
        // sudo notes a ^C that comes before it reads, and acts upon it when it has read.
        wait_until("sudo to end", SOON, || {
            self.0.send(b"\x03")?;
            Ok(self.0.expect(PROMPT, Duration::from_secs(1)).ok())
        })
        .unwrap();
    }
}

const FIVE: &str = "[consent]\nservices = [\"sudo\"]\n";

#[test]
fn sudo_asks_for_the_card_once_in_a_terminal_where_root_says_so_and_the_ledger_names_the_consent() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine, FIVE);
    let mut one = Terminal::of(&scene);
    one.sudo_with_pin();
    scene.ana.card.reset_counts().unwrap();
    for _ in 0..2 {
        assert!(!one.sudo(), "{}", one.0.transcript());
    }
    assert_eq!(one.0.transcript().matches(REUSED).count(), 2, "{}", one.0.transcript());
    assert_eq!(scene.ana.card.counts().unwrap().total, 0);
    let listed = scene.ledger("consent.jsonl").unwrap();
    assert_eq!(listed.matches("consent reused as ana through sudo").count(), 2, "{listed}");
    assert!(listed.contains("Claimed by sudo: sudo sh -c echo uid-$(id -u)"), "{listed}");

    // Another terminal of the same session, and another session.
    Terminal::of(&scene).asks_again("another terminal");
    let elsewhere = machine.session(SessionSpec::local("c9", &scene.ana.user)).unwrap();
    Terminal::at(&elsewhere, &scene).asks_again("another session");
    drop(elsewhere);
}

#[test]
fn a_consent_ends_with_card_account_and_agent() {
    let machine = Machine::start().unwrap();
    let mut scene = scene(&machine, FIVE);
    let mut one = Terminal::of(&scene);
    one.sudo_with_pin();
    assert!(!one.sudo());
    scene.ana.card.pull().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
    scene.ana.card.insert().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
    one.asks_again("the card was out");

    one.sudo_with_pin();
    restart(&mut scene);
    one.asks_again("the agent knows nothing any more");

    one.sudo_with_pin();
    assert!(!one.sudo());
    scene.olga.administer(&["admin", "user", "suspend", "ana"]).unwrap();
    wait_until("the suspension", SOON, || {
        let held = roster::held(&scene).unwrap();
        Ok(held.entries.iter().all(|entry| entry.accounts.is_empty()).then_some(()))
    })
    .unwrap();
    one.0.send_line("sudo true; echo ended-$?").unwrap();
    one.0.expect("ended-1", SOON).unwrap();
}

#[test]
fn sudo_asks_for_the_card_each_time_unless_root_says_otherwise() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine, "");
    let mut one = Terminal::of(&scene);
    one.sudo_with_pin();
    one.asks_again("no consent is used again by default");
    assert!(!one.0.transcript().contains(REUSED));
}
