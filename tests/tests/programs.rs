//! The programs people log in with, on the module, the agent and the server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use countersign_tests::site::{HostKey, Person, SILENT_REST, SOON, Scene, stack, talk};
use countersign_tests::{Dialogue, Machine, PortPair, wait_until};

const PIN: [(&str, &str); 1] = [("PIN for", Person::PIN)];

fn scene_with<'m>(machine: &'m Machine, service: &str) -> Scene<'m> {
    let scene = Scene::on(machine, HostKey::Sealed).unwrap();
    machine.pam_service(service, &stack(SILENT_REST).unwrap()).unwrap();
    scene
}

fn sudo(scene: &Scene<'_>, arguments: &[&str]) -> Command {
    let mut command = scene.ana.seat.command_as(&scene.ana.user, "sudo");
    command.args(arguments);
    command
}

#[test]
fn sudo_makes_ana_root_with_her_card_and_records_what_for() {
    let machine = Machine::start().unwrap();
    let scene = scene_with(&machine, "sudo");
    machine.sudoers("Defaults timestamp_timeout=0\nDefaults !lecture\nana ALL=(root) ALL\n").unwrap();
    let ending = talk(&sudo(&scene, &["id", "-u"]), &PIN, SOON).unwrap().success().unwrap();
    assert!(ending.shown.lines().any(|line| line == "0"), "{}", ending.shown);
    let claim = ending.shown.find("Claimed by sudo: sudo id -u");
    assert!(claim.is_some_and(|at| at < ending.shown.find("PIN for").unwrap()), "{}", ending.shown);

    // sudo asks modules to be silent: what it does not show, the next prompt does.
    let mut dialogue = Dialogue::start(&sudo(&scene, &["id", "-u"])).unwrap();
    dialogue.expect("(3 tries left)", SOON).unwrap();
    dialogue.send_line("999999").unwrap();
    dialogue.expect("(2 tries left)", SOON).unwrap();
    // sudo notes a ^C that comes before it reads, and acts upon it when it has read.
    wait_until("sudo to end", SOON, || {
        // It may have ended by the last one.
        let _ = dialogue.send(b"\x03");
        Ok(dialogue.expect_eof(Duration::from_secs(1)).ok())
    })
    .unwrap();
    assert!(!dialogue.wait(SOON).unwrap().success());

    let listed = scene.ledger("sudo.jsonl").unwrap();
    assert!(listed.contains("log in as ana through sudo"), "{listed}");
    assert!(listed.contains("wrong pin as ana through sudo"), "{listed}");
    assert!(listed.contains("claimed by sudo: sudo id -u"), "{listed}");
}

#[test]
fn sudo_within_its_timestamp_is_denied_by_the_account_check_alone() {
    let machine = Machine::start().unwrap();
    let scene = scene_with(&machine, "sudo");
    machine.sudoers("Defaults !lecture\nana ALL=(root) ALL\n").unwrap();
    // One shell, so that both are in one timestamp record.
    let twice = "sudo true && sudo -n id -u; echo ended $?";
    let mut shell = scene.ana.seat.command_as(&scene.ana.user, "sh");
    shell.args(["-c", twice]);
    let ending = talk(&shell, &PIN, SOON).unwrap();
    assert!(ending.shown.contains("ended 1"), "{}", ending.shown);

    scene.site.manage("user ana card\nservice sudo other-auth\n").unwrap();
    let ending = talk(&shell, &PIN, SOON).unwrap();
    assert!(ending.shown.contains("ended 0"), "{}", ending.shown);
}

#[test]
fn login_at_the_console_asks_for_the_card_and_no_password() {
    let machine = Machine::start().unwrap();
    let scene = scene_with(&machine, "login");
    let mut login = Dialogue::start(scene.console.command("login").arg("ana")).unwrap();
    let before = login.expect("PIN for", SOON).unwrap();
    assert!(!before.contains("Password"), "{before}");
    login.send_line(Person::PIN).unwrap();
    login.expect("$ ", SOON).unwrap();
    login.send_line("id -un; exit").unwrap();
    let shown = login.expect_eof(SOON).unwrap();
    assert!(shown.contains("ana"), "{shown}");
}

#[test]
fn su_asks_for_the_card_of_whom_one_wants_to_be() {
    let machine = Machine::start().unwrap();
    let scene = scene_with(&machine, "su");
    let mut su = scene.olga.seat.command_as(&scene.olga.user, "su");
    su.args(["ana", "-c", "id -un"]);
    let ending = talk(&su, &PIN, SOON).unwrap().success().unwrap();
    assert!(ending.shown.lines().any(|line| line == "ana"), "{}", ending.shown);
}

#[test]
fn sshd_is_told_that_a_card_answers_only_to_its_seat() {
    let machine = Machine::start().unwrap();
    let scene = scene_with(&machine, "sshd");
    let ports = PortPair::claim().unwrap();
    let port = ports.first().to_string();
    let key = machine.scratch().join("host-key");
    let mut keygen = machine.command("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key);
    talk(&keygen, &[], SOON).unwrap().success().unwrap();
    let service = machine.service_cgroup("ssh.service").unwrap();
    let mut sshd = service.command("/usr/sbin/sshd");
    sshd.args(["-D", "-e", "-f", "/dev/null", "-p", &port]);
    sshd.arg("-h").arg(&key);
    for option in [
        "ListenAddress=127.0.0.1",
        "UsePAM=yes",
        "KbdInteractiveAuthentication=yes",
        "PasswordAuthentication=no",
        "PubkeyAuthentication=no",
        "PidFile=none",
    ] {
        sshd.args(["-o", option]);
    }
    let _sshd = machine.spawn("sshd", &mut sshd).unwrap();
    wait_until("sshd", SOON, || Ok(TcpStream::connect(("127.0.0.1", ports.first())).ok())).unwrap();

    scene.ana.card.reset_counts().unwrap();
    let mut ssh = machine.command("ssh");
    ssh.args(["-p", &port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
    ssh.args(["-o", "NumberOfPasswordPrompts=1", "ana@127.0.0.1", "id"]);
    let mut dialogue = Dialogue::start(&ssh).unwrap();
    dialogue.expect_eof(SOON).unwrap();
    assert!(!dialogue.wait(SOON).unwrap().success());
    let shown = dialogue.transcript();
    assert!(!shown.contains("PIN for"), "{shown}");
    // sshd holds notes back, and shows the last word with the refusal.
    assert!(shown.contains("A card answers only to the person at its seat: log in there"), "{shown}");
    assert_eq!(scene.ana.card.counts().unwrap().total, 0, "not one APDU");
}
