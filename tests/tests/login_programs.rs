//! The real login programs work inside a machine, with the machine's own PAM stacks and people.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::net::TcpStream;
use std::time::Duration;

use countersign_tests::{Dialogue, Machine, PortPair, wait_until};

const SOON: Duration = Duration::from_secs(30);

/// Asks for a word. `pam_permit` is there for setcred: if every module ignores that, su, login and
/// sshd turn away whom they have just let in.
const ASKS_FOR_THE_WORD: &str = "\
auth requisite pam_exec.so expose_authtok quiet /run/check-the-word
auth required pam_permit.so
account required pam_permit.so
session required pam_permit.so
";

/// A machine with a person, `ana`, whom the services let in for the word `rosebud`.
fn machine_that_asks(services: &[&str]) -> Machine {
    let machine = Machine::start().unwrap();
    machine.add_user("ana", 4100).unwrap();
    let check = "#!/bin/sh\nIFS= read -r word\n[ \"$word\" = rosebud ]\n";
    machine.write("/run/check-the-word", check, 0o755).unwrap();
    for service in services {
        machine.pam_service(service, ASKS_FOR_THE_WORD).unwrap();
    }
    machine
}

#[test]
fn login_lets_in_who_answers_and_nobody_else() {
    let machine = machine_that_asks(&["login"]);
    let getty = machine.service_cgroup("getty@tty1.service").unwrap();
    let mut login = Dialogue::start(getty.command("login").arg("ana")).unwrap();
    login.expect("Password: ", SOON).unwrap();
    login.send_line("wrong").unwrap();
    login.expect("Login incorrect", SOON).unwrap();
    login.expect("login: ", SOON).unwrap();
    login.send_line("ana").unwrap();
    login.expect("Password: ", SOON).unwrap();
    login.send_line("rosebud").unwrap();
    login.expect("$ ", SOON).unwrap();
    login.send_line("id -u; cat /proc/self/cgroup; exit").unwrap();
    let shown = login.expect_eof(SOON).unwrap();
    assert!(shown.contains("\r\n4100\r\n"), "{shown}");
    assert!(shown.contains("0::/system.slice/system-getty.slice/getty@tty1.service"), "{shown}");
}

#[test]
fn su_asks_in_the_terminal_of_the_caller() {
    let machine = machine_that_asks(&["su"]);
    let bob = machine.add_user("bob", 4101).unwrap();
    let mut su = Dialogue::start(machine.command_as(&bob, "su").args(["ana", "-c", "id -u"])).unwrap();
    su.expect("Password: ", SOON).unwrap();
    su.send_line("rosebud").unwrap();
    assert!(su.expect_eof(SOON).unwrap().ends_with("4100\r\n"));
    assert!(su.wait(SOON).unwrap().success());
}

#[test]
fn sshd_lets_in_who_answers() {
    let machine = machine_that_asks(&["sshd"]);
    let port = PortPair::claim().unwrap();
    assert!(machine.command("ssh-keygen").arg("-A").status().unwrap().success());
    let config = format!(
        "Port {}\nListenAddress 127.0.0.1\nUsePAM yes\nPasswordAuthentication no\nPubkeyAuthentication no\n\
         KbdInteractiveAuthentication yes\nHostKey /etc/ssh/ssh_host_ed25519_key\nPidFile none\n",
        port.first()
    );
    machine.write("/etc/ssh/sshd_config", &config, 0o600).unwrap();
    let service = machine.service_cgroup("ssh.service").unwrap();
    let sshd = machine.spawn("sshd", service.command("/usr/sbin/sshd").args(["-D", "-e"])).unwrap();
    wait_until("sshd to listen", SOON, || {
        Ok(TcpStream::connect(("127.0.0.1", port.first())).is_ok().then_some(()))
    })
    .unwrap();
    let mut command = machine.command("ssh");
    command
        .args(["-p", &port.first().to_string(), "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"])
        .args(["ana@127.0.0.1", "id -u"]);
    let mut ssh = Dialogue::start(&command).unwrap();
    ssh.expect("Password: ", SOON).unwrap();
    ssh.send_line("rosebud").unwrap();
    let shown = ssh.expect_eof(SOON).unwrap();
    assert!(shown.ends_with("4100\r\n"), "{shown}\n{}", sshd.log());
}
