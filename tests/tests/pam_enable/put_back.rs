//! Unless somebody confirms, and whatever happened meanwhile.

use countersign_tests::site::SOON;
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
    let ending = lobby.pam(&["revert", "--if-due"], &[], 0);
    assert!(ending.contains("as they were"), "{ending}");
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

impl Lobby<'_> {
    fn is_put_back(&self, before: &Files, when: &str) {
        let pending = self.machine().path("/var/lib/countersign/pam-backup/pending.json");
        wait_until("the change to be put back", SOON, || Ok((!pending.exists()).then_some(()))).unwrap();
        self.are_as(before, when);
    }
}
