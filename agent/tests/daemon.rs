//! The built `countersignd` on a machine of its own: what it may do, what it opens, and how it refuses to start.
//! Needs root, and the programs that `cargo test -p countersign-agent` builds.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "daemon/descriptors.rs"]
mod descriptors;

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::Duration;

use countersign_protocol::ids::{CorrelationId, Nonce};
use countersign_protocol::ipc::{
    Authenticate, Client, Conversation, DenyReason, NoteKind, ProblemKind, Reply, Request, SessionClosed,
    SessionOpened,
};
use countersign_tests::{Machine, Running, target_bin, wait_until};
use secrecy::SecretString;

const SOON: Duration = Duration::from_secs(20);

/// Whoever asks something here gets no answer.
struct Nobody;

impl Conversation for Nobody {
    fn note(&mut self, _: NoteKind, _: &str) {}
    fn hidden(&mut self, _: &str) -> Option<SecretString> {
        None
    }
    fn shown(&mut self, _: &str) -> Option<String> {
        None
    }
}

fn machine() -> Machine {
    let machine = Machine::start().unwrap();
    machine.add_user("countersign-courier", 987).unwrap();
    machine
}

fn connect(machine: &Machine, socket: &str) -> UnixStream {
    let path = machine.path(Path::new("/run/countersign").join(socket));
    let stream = wait_until("the agent's socket", SOON, || Ok(UnixStream::connect(&path).ok())).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

fn ask(machine: &Machine, socket: &str, request: &Request) -> Reply {
    Client::new(connect(machine, socket)).ask(request, &mut Nobody).unwrap()
}

fn start(machine: &Machine) -> Running {
    let mut command = machine.command(target_bin("countersignd").unwrap());
    let agent = machine.spawn("countersignd", &mut command).unwrap();
    connect(machine, "user.sock");
    agent
}

fn login(name: &str) -> Request {
    Request::Authenticate(Authenticate {
        login: name.parse().unwrap(),
        service: "sudo".parse().unwrap(),
        tty: None,
        remote_host: None,
        remote_user: None,
        nonce: Nonce::from_bytes([7; 32]),
    })
}

#[test]
fn agent_keeps_no_privilege_it_does_not_need() {
    let machine = machine();
    let agent = start(&machine);
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("{name} in {status}")).trim().to_owned()
    };
    // SETGID, SETUID, IPC_LOCK.
    let kept = format!("{:016x}", (1 << 6) | (1 << 7) | (1 << 14));
    let none = format!("{:016x}", 0);
    // For what it starts, which gives them up: SETGID, SETUID.
    let passed_on = format!("{:016x}", (1 << 6) | (1 << 7));
    for (set, value) in
        [("CapEff", &kept), ("CapPrm", &kept), ("CapBnd", &none), ("CapInh", &passed_on), ("CapAmb", &none)]
    {
        assert_eq!(&field(set), value, "{set}");
    }
    assert_eq!(field("NoNewPrivs"), "1");
    assert_eq!(field("Umask"), "0077");
    assert_ne!(field("VmLck"), "0 kB", "memory is locked");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", agent.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(core.split_whitespace().filter(|word| *word == "0").count() == 2, "{core}");
    // Every thread, not only the first.
    for task in std::fs::read_dir(format!("/proc/{}/task", agent.pid())).unwrap() {
        // One that ended meanwhile keeps nothing.
        let Ok(status) = std::fs::read_to_string(task.unwrap().path().join("status")) else { continue };
        assert!(status.contains(&format!("CapEff:\t{kept}")), "{status}");
    }
}

#[test]
fn sockets_have_their_modes_and_the_state_is_roots_alone() {
    let machine = machine();
    let _agent = start(&machine);
    // The sockets are there first; an answer comes when the rest is.
    ask(&machine, "user.sock", &Request::Status);
    let mode = |path: &str| std::fs::metadata(machine.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("/run/countersign/pam.sock"), 0o600);
    assert_eq!(mode("/run/countersign/user.sock"), 0o666);
    assert_eq!(mode("/var/lib/countersign/journal.sqlite"), 0o600);
}

#[test]
fn a_host_that_is_not_enrolled_says_so_and_denies() {
    let machine = machine();
    let _agent = start(&machine);
    match ask(&machine, "user.sock", &Request::Status) {
        Reply::Status(status) => assert_eq!(status.state, "not-enrolled"),
        other => panic!("{other:?}"),
    }
    match ask(&machine, "pam.sock", &login("ana")) {
        Reply::Denied(denial) => assert_eq!(denial.reason, DenyReason::NotEnrolled),
        other => panic!("{other:?}"),
    }
    let job = Request::Job(countersign_protocol::ipc::Job {
        operation: "read".parse().unwrap(),
        resource: "ledger/entries".parse().unwrap(),
        body: None,
        card: None,
        dry_run: false,
        approves: None,
    });
    match ask(&machine, "user.sock", &job) {
        Reply::Failed(problem) => assert_eq!(problem.kind, ProblemKind::Enrolment),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_is_not_on_roots_socket_ends_the_session_of_a_user_manager_that_began_and_tells_nothing_else() {
    let machine = machine();
    let _agent = start(&machine);
    let opened = |service: &str| {
        Request::SessionOpened(SessionOpened {
            login: "root".parse().unwrap(),
            service: service.parse().unwrap(),
            tty: None,
            remote_host: None,
            remote_user: None,
            correlation: None,
        })
    };
    let began = |service: &str| match ask(&machine, "pam.sock", &opened(service)) {
        Reply::Noted(noted) => noted.correlation,
        other => panic!("{other:?}"),
    };
    let end = |service: &str, correlation: &CorrelationId| {
        let service = service.parse().unwrap();
        let correlation = Some(correlation.clone());
        let ask_ = SessionClosed { login: "root".parse().unwrap(), service, correlation };
        match ask(&machine, "user.sock", &Request::SessionClosed(ask_)) {
            Reply::Noted(_) => true,
            Reply::Failed(problem) if problem.kind == ProblemKind::NotPermitted => false,
            other => panic!("{other:?}"),
        }
    };
    let (by_ssh, manager) = (began("sshd"), began("systemd-user"));
    assert!(Client::new(connect(&machine, "user.sock")).ask(&opened("systemd-user"), &mut Nobody).is_err());
    assert!(!end("sshd", &by_ssh), "with an id that the journal shows");
    assert!(!end("systemd-user", &by_ssh), "of another service");
    assert!(!end("systemd-user", &"7K3M-Q2ZD".parse().unwrap()), "made up");
    assert!(end("systemd-user", &manager));
    assert!(!end("systemd-user", &manager), "twice");
    let mut journal = machine.command(target_bin("countersign").unwrap());
    let journal = journal.arg("journal").output().unwrap();
    let journal = String::from_utf8(journal.stdout).unwrap();
    let told = ["session opened", "session closed"].map(|what| journal.matches(what).count());
    assert_eq!(told, [2, 1], "{journal}");
}

#[test]
fn another_persons_login_on_the_socket_for_everybody_closes_the_connection() {
    let machine = machine();
    let _agent = start(&machine);
    machine.add_user("ana", 4201).unwrap();
    let mut client = Client::new(connect(&machine, "user.sock"));
    let error = client.ask(&login("ana"), &mut Nobody).unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
}

#[test]
fn agent_takes_the_sockets_that_the_service_manager_opened_and_says_when_it_is_ready() {
    let machine = machine();
    let notify = machine.scratch().join("notify");
    let manager = UnixDatagram::bind(&notify).unwrap();
    manager.set_read_timeout(Some(SOON)).unwrap();
    let mut command = machine.command("systemd-socket-activate");
    command
        .args(["-l", "/run/countersign/pam.sock", "-l", "/run/countersign/user.sock", "--fdname=pam:user"])
        .arg("-E")
        .arg(format!("NOTIFY_SOCKET={}", notify.display()))
        .arg(target_bin("countersignd").unwrap());
    std::fs::create_dir_all(machine.path("/run/countersign")).unwrap();
    let _agent = machine.spawn("activated", &mut command).unwrap();
    assert!(matches!(ask(&machine, "user.sock", &Request::Status), Reply::Status(_)));
    let mut told = [0; 64];
    let length = manager.recv(&mut told).unwrap();
    assert_eq!(&told[..length], b"READY=1");
}

#[test]
fn a_journal_that_cannot_be_opened_keeps_nobody_out() {
    for spoil in
        [(|path: &Path| std::fs::write(path, "no journal ".repeat(500)).unwrap()) as fn(&Path), |path| {
            std::fs::create_dir(path).unwrap()
        }]
    {
        let machine = machine();
        let path = machine.path("/var/lib/countersign/journal.sqlite");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        spoil(&path);
        let _agent = start(&machine);
        assert!(matches!(ask(&machine, "user.sock", &Request::Status), Reply::Status(_)));
        assert!(matches!(ask(&machine, "pam.sock", &login("ana")), Reply::Denied(_)));
    }
}

/// Starts it with this configuration and returns what it said before it gave up.
fn refusal(machine: &Machine, text: &str, mode: u32, arguments: &[&str]) -> String {
    machine.write("/etc/countersign/agent.toml", text, mode).unwrap();
    let mut command = machine.command(target_bin("countersignd").unwrap());
    command.args(arguments).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!child.wait().unwrap().success());
    said
}

#[test]
fn every_bad_start_says_what_is_wrong_and_what_to_do() {
    let machine = machine();
    for (text, mode, arguments, parts) in [
        ("stat_dir = \"/x\"\n", 0o644, &[][..], ["agent.toml, line 1", "stat_dir"]),
        ("", 0o666, &[][..], ["mode 0666", "chmod 644"]),
        ("courier_user = \"nobody-here\"\n", 0o644, &[][..], ["nobody-here", "useradd"]),
        ("", 0o644, &["--config", "/nonexistent"][..], ["/nonexistent", "--config"]),
        ("", 0o644, &["--confg"][..], ["--confg", "usage:"]),
        ("", 0o644, &["--config"][..], ["needs a file", "usage:"]),
    ] {
        let said = refusal(&machine, text, mode, arguments);
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }
}

#[test]
fn somebody_who_is_not_root_cannot_start_it() {
    let machine = machine();
    let ana = machine.add_user("ana", 4201).unwrap();
    let mut command = machine.command_as(&ana, target_bin("countersignd").unwrap());
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("not root") && said.contains("systemd"), "{said}");
}
