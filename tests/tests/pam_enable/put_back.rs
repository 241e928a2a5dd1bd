//! Unless somebody confirms, and whatever happened meanwhile.

use countersign_tests::site::{Person, SOON};
use countersign_tests::{Dialogue, Machine, wait_until};

use super::PIN;
use super::lobby::{Files, Lobby};

#[test]
fn an_unconfirmed_change_is_put_back_by_itself_though_its_terminal_is_gone() {
    let machine = Machine::start().unwrap();
    let lobby = Lobby::on(&machine);
    let before = lobby.files();

    // A login that fails: at once, and by nobody's doing.
    let ending = lobby.pam(&["enable", "--user", "ana"], &[("PIN for", "999999")], 1);
    assert!(ending.contains("did not succeed") && ending.contains("Everything is as it was"), "{ending}");
    lobby.are_as(&before, "after a trial that failed");
    lobby.people_without_a_card_get_in("after a trial that failed");

    // Somebody who thinks better of it while the PIN is asked for.
    let mut command = lobby.scene.ana.seat.command(countersign_tests::target_bin("countersign").unwrap());
    command.args(["pam", "enable", "--user", "ana", "--minutes", "60"]);
    let mut dialogue = Dialogue::start(&command).unwrap();
    dialogue.expect("PIN for", SOON).unwrap();
    assert_ne!(lobby.files(), before);
    dialogue.send(b"\x03").unwrap();
    dialogue.expect_eof(SOON).unwrap();
    assert!(dialogue.transcript().contains("Everything is as it was"), "{}", dialogue.transcript());
    lobby.are_as(&before, "after ^C");

    // Somebody who does not wait for the trial to end: nothing holds them up, and the trial changes nothing more.
    let mut dialogue = Dialogue::start(&command).unwrap();
    dialogue.expect("PIN for", SOON).unwrap();
    assert!(lobby.pam(&["status"], &[], 0).contains("being made and tried right now"));
    assert!(lobby.pam(&["confirm"], &[], 1).contains("still being tried"));
    assert!(lobby.pam(&["enable", "--user", "ana"], &[], 1).contains("another `countersign pam`"));
    assert!(lobby.pam(&["revert"], &[], 0).contains("as they were"));
    dialogue.send(format!("{}\n", Person::PIN).as_bytes()).unwrap();
    dialogue.expect_eof(SOON).unwrap();
    assert!(dialogue.transcript().contains("put back during the trial login"), "{}", dialogue.transcript());
    lobby.are_as(&before, "after it was put back during the trial");

    // The terminal of this ends with it; who puts back is in no session any more.
    lobby.pam(&["enable", "--user", "ana", "--minutes", "0.1"], &[PIN], 0);
    assert_ne!(lobby.files(), before);
    lobby.is_put_back(&before, "after its time was over");
    lobby.people_without_a_card_get_in("after it was put back");
    assert!(lobby.pam(&["confirm"], &[], 1).contains("put back already"));

    // Another boot: its unit puts back what nobody confirmed, however much time there was.
    lobby.pam(&["enable", "--user", "ana", "--minutes", "60"], &[PIN], 0);
    assert!(lobby.pam(&["revert", "--if-due"], &[], 0).contains("nothing to put back"));
    machine.write("/run/other-boot", "00000000-0000-4000-8000-000000000000\n", 0o444).unwrap();
    machine.does("mount", &["--bind", "/run/other-boot", "/proc/sys/kernel/random/boot_id"]).unwrap();
    // Or by the process that keeps the time, if that looks first.
    lobby.pam(&["revert", "--if-due"], &[], 0);
    lobby.is_put_back(&before, "after another boot");
    lobby.are_as(&before, "after another boot");
}

#[test]
fn what_an_administrator_changed_meanwhile_is_kept_and_only_our_lines_go() {
    let machine = Machine::start().unwrap();
    let lobby = Lobby::on(&machine);
    lobby.pam(&["enable", "--user", "ana"], &[PIN], 0);
    let managed = machine.text("/etc/countersign/managed") + "service cron other-auth\n";
    machine.write("/etc/countersign/managed", &managed, 0o644).unwrap();
    let mut update = machine.command("pam-auth-update");
    update.args(["--enable", "mkhomedir"]).env("DEBIAN_FRONTEND", "noninteractive");
    assert!(update.status().unwrap().success());

    let ending = lobby.pam(&["revert"], &[], 0);
    assert!(ending.contains("/etc/countersign/managed was changed by somebody else meanwhile"), "{ending}");
    assert!(!ending.contains("by hand"), "{ending}");
    assert_eq!(machine.text("/etc/countersign/managed"), managed);
    for kind in ["auth", "account", "password", "session", "session-noninteractive"] {
        let text = machine.text(&format!("/etc/pam.d/common-{kind}"));
        assert!(!text.contains("pam_countersign"), "{text}");
    }
    assert!(machine.text("/etc/pam.d/common-session").contains("pam_mkhomedir.so"));
    assert!(!machine.text("/etc/pam.d/passwd").contains("pam_countersign"));
    lobby.people_without_a_card_get_in("after it was put back");
}

#[test]
fn what_other_packages_and_administrators_did_since_stays_when_it_is_disabled() {
    let machine = Machine::start().unwrap();
    let lobby = Lobby::on(&machine);
    lobby.pam(&["enable", "--user", "ana"], &[PIN], 0);
    lobby.pam(&["confirm"], &[], 0);
    let mut update = machine.command("pam-auth-update");
    update.args(["--enable", "mkhomedir"]).env("DEBIAN_FRONTEND", "noninteractive");
    assert!(update.status().unwrap().success());
    lobby.pam(&["enable", "--user", "olga", "--test-as", "ana"], &[PIN], 0);
    lobby.pam(&["confirm"], &[], 0);

    // A line between pam-auth-update's, which it will not touch; its own note still says what it wrote.
    let auth = machine.text("/etc/pam.d/common-auth");
    let by_hand = auth.replacen("auth\t[success=1", "auth\toptional\tpam_echo.so\nauth\t[success=1", 1);
    assert_ne!(auth, by_hand);
    machine.write("/etc/pam.d/common-auth", &by_hand, 0o644).unwrap();

    let ending = lobby.pam(&["disable"], &[], 0);
    assert!(ending.contains("PAM asks for no cards any more"), "{ending}");
    assert!(ending.contains("/etc/pam.d/common-auth was changed by somebody else"), "{ending}");
    for kind in ["auth", "account", "password", "session", "session-noninteractive"] {
        let text = machine.text(&format!("/etc/pam.d/common-{kind}"));
        assert!(!text.contains("pam_countersign"), "{text}");
    }
    assert!(machine.text("/etc/pam.d/common-session").contains("pam_mkhomedir.so"));
    assert!(machine.text("/etc/pam.d/common-auth").contains("pam_echo.so"));
    assert!(!machine.path("/var/lib/countersign/pam-backup/enabled.json").exists());
    let status = lobby.pam(&["status"], &[], 0);
    assert!(status.contains("PAM asks for no cards"), "{status}");
    lobby.people_without_a_card_get_in("after it was disabled");
}

#[test]
fn as_long_as_a_line_is_left_that_cannot_go_nothing_is_forgotten_and_it_is_said() {
    let machine = Machine::start().unwrap();
    let lobby = Lobby::on(&machine);
    lobby.pam(&["enable", "--user", "ana"], &[PIN], 0);
    lobby.pam(&["confirm"], &[], 0);
    let auth = machine.text("/etc/pam.d/common-auth");
    // Whether this jump passes over Countersign's line or not cannot be told from here.
    let first = auth.find("auth\t").unwrap();
    let (head, rest) = auth.split_at(first);
    let by_hand = format!(
        "{head}auth\t[success=2 default=ignore]\tpam_succeed_if.so quiet uid eq 12345\nauth include other-auth\n{rest}"
    );
    machine.write("/etc/pam.d/other-auth", "auth optional pam_echo.so\n", 0o644).unwrap();
    machine.write("/etc/pam.d/common-auth", &by_hand, 0o644).unwrap();

    for _ in 0..2 {
        let ending = lobby.pam(&["disable"], &[], 10);
        assert!(
            ending.contains("/etc/pam.d/common-auth still has lines")
                && !ending.contains("no cards any more"),
            "{ending}"
        );
        assert!(machine.path("/var/lib/countersign/pam-backup/enabled.json").exists());
        lobby.pam(&["status"], &[], 10);
    }
    let without: String = by_hand
        .lines()
        .filter(|line| !line.contains("pam_countersign") && !line.contains("service = login"))
        .map(|line| format!("{line}\n"))
        .collect();
    machine.write("/etc/pam.d/common-auth", &without, 0o644).unwrap();
    lobby.pam(&["disable"], &[], 0);
    assert!(!machine.path("/var/lib/countersign/pam-backup/enabled.json").exists());

    // And a line that nobody remembers is seen all the same.
    machine.write("/etc/pam.d/common-auth", &by_hand, 0o644).unwrap();
    let status = lobby.pam(&["status"], &[], 10);
    assert!(status.contains("/etc/pam.d/common-auth has lines with pam_countersign.so"), "{status}");
}

impl Lobby<'_> {
    fn is_put_back(&self, before: &Files, when: &str) {
        let pending = self.machine().path("/var/lib/countersign/pam-backup/pending.json");
        wait_until("the change to be put back", SOON, || Ok((!pending.exists()).then_some(()))).unwrap();
        self.are_as(before, when);
    }
}
