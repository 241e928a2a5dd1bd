//! The private machine itself.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use countersign_tests::{CardSpec, Dialogue, Machine, SessionSpec, wait_until};

const SOON: Duration = Duration::from_secs(30);
const PERMIT: &str =
    "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n";

fn output(command: &mut Command) -> String {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn two_machines_run_side_by_side() {
    let machines = ["AAAA0001", "AAAA0002"].map(|serial| (Machine::start().unwrap(), serial));
    let answers = machines.each_ref().map(|(machine, serial)| {
        machine.start_pcscd(1).unwrap();
        machine.add_user("ana", 4001).unwrap();
        machine.card(0, CardSpec::new(serial)).map(|card| (machine, card)).unwrap()
    });
    for ((machine, card), (_, serial)) in answers.iter().zip(&machines) {
        card.wait_until_seen().unwrap();
        // GET DATA 4F: the application identifier, which holds the serial number.
        let answers = machine.apdus(0, &["00A4040006D2760001240100", "00CA004F00"]).unwrap();
        assert!(answers[1].contains(serial), "{answers:?}");
        assert_eq!(output(machine.command("id").args(["-u", "ana"])), "4001\n");
        assert_eq!(output(&mut machine.command("hostname")).trim(), machine.host_name());
    }
    assert_ne!(machines[0].0.host_name(), machines[1].0.host_name());
    let host = std::fs::read_to_string("/etc/passwd").unwrap();
    assert!(!host.lines().any(|line| line.contains("/run/home/ana")), "a machine's user leaked out");
}

#[test]
fn sudo_obeys_the_machines_own_pam_and_sudoers() {
    let machine = Machine::start().unwrap();
    let ana = machine.add_user("ana", 4002).unwrap();
    machine.sudoers("Defaults timestamp_timeout=0\nana ALL=(root) /usr/bin/id\n").unwrap();
    machine.pam_service("sudo", PERMIT).unwrap();
    let sudo = |program| {
        let mut command = machine.command_as(&ana, "sudo");
        command.args([program, "-u"]);
        command
    };
    assert_eq!(output(&mut sudo("/usr/bin/id")), "0\n");
    assert!(!sudo("/usr/bin/env").output().unwrap().status.success());
    machine.pam_service("sudo", "auth requisite pam_deny.so\n").unwrap();
    assert!(!sudo("/usr/bin/id").output().unwrap().status.success());
}

#[test]
fn a_prompt_of_sudo_is_answered_in_a_terminal() {
    let machine = Machine::start().unwrap();
    let ana = machine.add_user("ana", 4003).unwrap();
    machine.sudoers("ana ALL=(root) ALL\n").unwrap();
    machine.pam_service("sudo", "auth required pam_unix.so\naccount required pam_permit.so\n").unwrap();
    let mut command = machine.command_as(&ana, "sudo");
    command.args(["-p", "say the word: ", "/usr/bin/id"]);
    let mut dialogue = Dialogue::start(&command).unwrap();
    dialogue.expect("say the word: ", SOON).unwrap();
    dialogue.send_line("please").unwrap();
    dialogue.expect("try again", SOON).unwrap();
    dialogue.expect("say the word: ", SOON).unwrap();
    dialogue.send(b"\x03").unwrap();
    assert!(!dialogue.wait(SOON).unwrap().success());
    assert!(!dialogue.transcript().contains("please"), "sudo echoes nothing");
}

#[test]
fn a_sessions_process_is_in_its_cgroup_and_its_file_is_private() {
    let machine = Machine::start().unwrap();
    let ana = machine.add_user("ana", 4004).unwrap();
    let mut session = machine.session(SessionSpec::local("c7", &ana)).unwrap();
    let groups = output(session.command("cat").arg("/proc/self/cgroup"));
    let expected = ":/user.slice/user-4004.slice/session-c7.scope";
    assert!(groups.lines().any(|line| line == format!("0:{expected}")), "{groups}");
    let leader = output(machine.command("cat").arg(format!("/proc/{}/cgroup", session.leader())));
    assert!(leader.contains(expected), "{leader}");

    let file = output(machine.command("cat").arg("/run/systemd/sessions/c7"));
    for line in
        ["UID=4004", "USER=ana", "ACTIVE=1", "STATE=active", "REMOTE=0", "SEAT=seat0", "TTY=tty2", "VTNR=2"]
    {
        assert!(file.lines().any(|found| found == line), "{line} is not in:\n{file}");
    }
    assert!(!Path::new("/run/systemd/sessions/c7").exists(), "the session leaked out of the machine");

    session.set_active(false).unwrap();
    let file = output(machine.command("cat").arg("/run/systemd/sessions/c7"));
    assert!(file.contains("ACTIVE=0\n") && file.contains("STATE=online\n"), "{file}");
    let seat = output(machine.command("cat").arg("/run/systemd/seats/seat0"));
    assert!(!seat.contains("ACTIVE="), "{seat}");

    let leader = session.leader();
    drop(session);
    assert!(!machine.path("/run/systemd/sessions/c7").exists());
    assert!(!PathBuf::from(format!("/proc/{leader}")).exists());
}

#[test]
fn a_remote_session_names_its_host_and_has_no_seat() {
    let machine = Machine::start().unwrap();
    let ana = machine.add_user("ana", 4005).unwrap();
    let _session = machine.session(SessionSpec::remote("12", &ana, "192.0.2.7")).unwrap();
    let file = output(machine.command("cat").arg("/run/systemd/sessions/12"));
    assert!(file.contains("REMOTE=1\n") && file.contains("REMOTE_HOST=192.0.2.7\n"), "{file}");
    assert!(!file.contains("SEAT="), "{file}");
}

#[test]
fn a_service_has_the_cgroup_systemd_gives_it() {
    let machine = Machine::start().unwrap();
    for (unit, expected) in [
        ("ssh.service", "/system.slice/ssh.service"),
        ("getty@tty1.service", "/system.slice/system-getty.slice/getty@tty1.service"),
    ] {
        let service = machine.service_cgroup(unit).unwrap();
        let groups = output(service.command("cat").arg("/proc/self/cgroup"));
        assert!(groups.lines().any(|line| line == format!("0::{expected}")), "{groups}");
    }
}

#[test]
fn a_spawned_command_is_the_program_itself() {
    let machine = Machine::start().unwrap();
    let mut running = machine.spawn("sleep", machine.command("sleep").arg("60")).unwrap();
    wait_until("sleep to be executed", SOON, || {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", running.pid())).unwrap_or_default();
        Ok((name == "sleep\n").then_some(()))
    })
    .unwrap();
    assert_eq!(running.terminate(SOON).unwrap().signal(), Some(15));
}

#[test]
fn nothing_outlives_a_machine_even_when_a_test_panics() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let panicked = std::thread::spawn(move || {
        let machine = Machine::start().unwrap();
        sender.send(leave_something_running(&machine)).unwrap();
        panic!("as a failing test does");
    })
    .join();
    assert!(panicked.is_err());
    receiver.recv().unwrap().assert_gone();
}

#[test]
fn nothing_outlives_a_killed_test() {
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "holds_a_machine_until_it_is_killed", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(test.stdout.take().unwrap()));
    let line = lines.find_map(|line| line.unwrap().split_once("LEFT ").map(|(_, rest)| rest.to_owned()));
    let traces = Traces::parse(&line.unwrap());
    traces.wait_until_running();
    test.kill().unwrap();
    test.wait().unwrap();
    traces.assert_gone();
}

#[test]
#[ignore = "the other half of nothing_outlives_a_killed_test"]
fn holds_a_machine_until_it_is_killed() {
    let machine = Machine::start().unwrap();
    let traces = leave_something_running(&machine);
    println!("LEFT {} {}", traces.pid, traces.scratch.display());
    std::thread::sleep(Duration::from_secs(60));
}

/// What a machine leaves while it lives.
struct Traces {
    pid: u32,
    scratch: PathBuf,
}

impl Traces {
    fn parse(line: &str) -> Self {
        let (pid, scratch) = line.split_once(' ').unwrap();
        Self { pid: pid.parse().unwrap(), scratch: PathBuf::from(scratch) }
    }

    /// A dead process that nobody has asked about yet has no command line.
    fn runs(&self) -> bool {
        std::fs::read(format!("/proc/{}/cmdline", self.pid)).is_ok_and(|line| !line.is_empty())
    }

    /// In the middle of an exec a process has no command line either.
    fn wait_until_running(&self) {
        wait_until("the daemon to run", SOON, || Ok(self.runs().then_some(()))).unwrap();
    }

    fn assert_gone(&self) {
        wait_until("the machine to leave no process and no folder", SOON, || {
            Ok((!self.runs() && !self.scratch.exists()).then_some(()))
        })
        .unwrap();
    }
}

/// A daemon that has left its parent and its session behind.
fn leave_something_running(machine: &Machine) -> Traces {
    let daemon = "setsid sleep 600 > /dev/null 2>&1 < /dev/null & echo $!";
    let pid = output(machine.command("sh").args(["-c", daemon])).trim().parse().unwrap();
    Traces { pid, scratch: machine.scratch().to_owned() }
}
