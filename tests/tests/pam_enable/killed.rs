//! Killed at any moment, there is a way back.

use std::process::Stdio;

use countersign_tests::Machine;
use countersign_tests::site::Person;

use super::lobby::{Lobby, assert_same, files};

#[test]
fn killed_at_any_write_everything_can_be_put_back() {
    let machine = Machine::start().unwrap();
    let lobby = Lobby::on(&machine);
    let before = files(&machine);
    let program = countersign_tests::target_bin("countersign").unwrap().display().to_string();
    let mut changed = 0;
    let mut killed = 0;
    for rename in 1.. {
        let inject = format!("inject=rename:signal=KILL:when={rename}");
        let mut command = lobby.scene.ana.seat.command("strace");
        command.args(["-qq", "-o", "/dev/null", "-e", "trace=rename", "-e", &inject, &program]);
        command.args(["--answers-from-stdin", "pam", "enable", "--user", "ana", "--minutes", "60"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), format!("{}\n", Person::PIN).as_bytes())
            .unwrap();
        let ended = child.wait().unwrap();
        if ended.success() {
            break;
        }
        killed += 1;
        changed += u32::from(files(&machine) != before);
        lobby.people_without_a_card_get_in(&format!("killed at rename {rename}"));
        lobby.put_back_whatever_is_there();
        assert_same(&before, &files(&machine), &format!("killed at rename {rename}"));
    }
    assert!(killed > 8 && changed > 4, "{killed} {changed}");

    // And in the middle of putting back.
    let mut at = 0;
    loop {
        at += 1;
        let inject = format!("inject=rename:signal=KILL:when={at}");
        let mut command = machine.command("strace");
        command.args([
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=rename",
            "-e",
            &inject,
            &program,
            "pam",
            "revert",
        ]);
        if command.output().unwrap().status.success() {
            break;
        }
    }
    assert!(at > 4, "{at}");
    assert_same(&before, &files(&machine), "put back after being killed while putting back");
}

impl Lobby<'_> {
    /// Before the first write that matters there is nothing to put back, and the command says so.
    fn put_back_whatever_is_there(&self) {
        let mut command = self.machine().command(countersign_tests::target_bin("countersign").unwrap());
        let code = command.args(["pam", "revert"]).output().unwrap().status.code();
        let is_pending = self.machine().path("/var/lib/countersign/pam-backup/pending.json").exists();
        assert!(!is_pending && [Some(0), Some(1)].contains(&code), "{code:?}");
    }
}
