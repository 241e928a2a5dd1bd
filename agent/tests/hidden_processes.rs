//! `/proc` mounted with `hidepid`: the agent cannot see who calls, refuses, and says what to do.
//! Needs root, and the programs that `cargo test -p countersign-agent` builds.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use countersign_tests::{Machine, Running, target_bin, wait_until};

const SOON: Duration = Duration::from_secs(20);

/// The agent on a machine whose `/proc` has these options, and the machine's own word on what it logged.
fn start(machine: &Machine, options: &str) -> Running {
    machine.add_user("countersign-courier", 987).unwrap();
    let mut mount = machine.command("mount");
    mount.args(["-t", "proc", "-o", options, "proc", "/proc"]);
    assert!(mount.status().unwrap().success(), "mount -o {options}");
    let mut command = machine.command(target_bin("countersignd").unwrap());
    machine.spawn("countersignd", &mut command).unwrap()
}

fn call(machine: &Machine) -> UnixStream {
    let path = machine.path("/run/countersign/pam.sock");
    let stream = wait_until("the agent's socket", SOON, || Ok(UnixStream::connect(&path).ok())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    stream
}

#[test]
fn processes_hidden_by_proc_are_named_at_the_start_and_at_every_refusal() {
    let machine = Machine::start().unwrap();
    let agent = start(&machine, "hidepid=4");
    let mut caller = call(&machine);
    assert_eq!(caller.read(&mut [0; 64]).unwrap_or(0), 0, "closed without a word");
    let log = wait_until("both lines of the log", SOON, || {
        let log = agent.log();
        Ok((log.contains("event=processes-hidden") && log.contains("event=connection-closed")).then_some(log))
    });
    let log = log.unwrap();
    let closed = log.lines().find(|line| line.contains("event=connection-closed")).unwrap();
    assert!(closed.contains("hidepid=2,gid=0") && closed.contains("SupplementaryGroups"), "{log}");
}

#[test]
fn hidepid_with_the_group_of_root_hides_nothing_from_the_agent() {
    let machine = Machine::start().unwrap();
    let agent = start(&machine, "hidepid=2,gid=0");
    let mut caller = call(&machine);
    let error = caller.read(&mut [0; 64]).unwrap_err();
    assert!(matches!(error.kind(), std::io::ErrorKind::WouldBlock), "it waits for the request: {error}");
    assert!(!agent.log().contains("processes-hidden"), "{}", agent.log());
}
