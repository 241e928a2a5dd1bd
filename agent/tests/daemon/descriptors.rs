//! What the processes that `countersignd` starts inherit from it: nothing.

use std::net::TcpListener;
use std::time::Duration;

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ipc::{Client, Enroll, EnrollKeyStore, ProblemKind, Reply, Request};
use countersign_protocol::message::result::ApplicationBundle;
use countersign_tests::{Machine, Running, target_bin, wait_until};

use super::{Nobody, SOON, connect};

/// The agent, started as systemd does it, with one socket more than it knows.
fn activated(machine: &Machine) -> Running {
    machine.add_user("countersign-courier", 987).unwrap();
    let courier = target_bin("countersign-courier").unwrap();
    let config = format!("courier_path = \"{}\"\n", courier.display());
    machine.write("/etc/countersign/agent.toml", &config, 0o644).unwrap();
    std::fs::create_dir_all(machine.path("/run/countersign")).unwrap();
    let mut command = machine.command("systemd-socket-activate");
    for socket in ["pam", "user", "other"] {
        command.arg("-l").arg(format!("/run/countersign/{socket}.sock"));
    }
    command.arg("--fdname=pam:user:other").arg(target_bin("countersignd").unwrap());
    machine.spawn("activated", &mut command).unwrap()
}

/// An enrolment at a server that takes the connection and never says a word.
fn enroll(url: String) -> Request {
    let made = |name: &str| {
        certificate::generate_software(name, Timestamp::from_seconds(1_700_000_000), None).unwrap()
    };
    let (server, application) = (made("server"), made("application"));
    Request::Enroll(Enroll {
        server: certificate::fingerprint(&server).unwrap(),
        bundle: ApplicationBundle {
            application: "logins".parse().unwrap(),
            secret_key: Binary(certificate::to_secret_bytes(&application).unwrap().to_vec()),
            server_certificate: Binary(certificate::to_bytes(&server).unwrap()),
            server_url: url,
        },
        url: None,
        token: None,
        key_store: EnrollKeyStore::Sealed,
    })
}

fn child_of(pid: u32) -> Option<u32> {
    let mut children = String::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        children += &std::fs::read_to_string(task.ok()?.path().join("children")).ok()?;
    }
    let is_courier = |child: &u32| {
        std::fs::read_to_string(format!("/proc/{child}/comm"))
            .is_ok_and(|comm| comm.starts_with("countersign-cou"))
    };
    children.split_whitespace().filter_map(|child| child.parse().ok()).find(is_courier)
}

/// Inodes of the Unix sockets that somebody listens on (unix(7), `/proc/net/unix`: flag 0x10000).
fn listening() -> Vec<String> {
    let table = std::fs::read_to_string("/proc/net/unix").unwrap();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.get(3) == Some(&"00010000"))
        .map(|row| format!("socket:[{}]", row.get(6).unwrap()))
        .collect()
}

#[test]
fn the_courier_holds_its_own_descriptors_and_no_listening_socket() {
    let machine = Machine::start().unwrap();
    let agent = activated(&machine);
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let request = enroll(format!("http://{}", server.local_addr().unwrap()));
    let stream = connect(&machine, "user.sock");
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let asking = std::thread::spawn(move || Client::new(stream).ask(&request, &mut Nobody).unwrap());

    // Its errand has arrived: the courier is past its start.
    let (errand, _) = server.accept().unwrap();
    let courier = wait_until("the courier", SOON, || Ok(child_of(agent.pid()))).unwrap();
    let open: Vec<(u32, String)> = std::fs::read_dir(format!("/proc/{courier}/fd"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let number = entry.file_name().to_str().unwrap().parse().unwrap();
            (number, std::fs::read_link(entry.path()).unwrap().to_str().unwrap().to_owned())
        })
        .collect();
    let listening = listening();
    assert!(!listening.is_empty(), "this test sees the agent's own sockets");
    assert!(open.iter().all(|(_, what)| !listening.contains(what)), "{open:?}, listening: {listening:?}");
    let of = |fd| open.iter().find(|(number, _)| *number == fd).map(|(_, what)| what.clone()).unwrap();
    assert!(of(0).starts_with("socket:"), "{open:?}");
    assert_eq!(of(1), "/dev/null");
    // Its socketpair twice more (reader and writer), one connection to the server, and nothing else but /dev/null.
    let pair = open.iter().filter(|(fd, what)| *fd > 2 && *what == of(0)).count();
    let others = open.iter().filter(|(fd, what)| *fd > 2 && *what != of(0)).count();
    assert!(pair <= 2 && others <= 1, "{open:?}");

    drop((errand, server));
    match asking.join().unwrap() {
        Reply::Failed(problem) => assert_eq!(problem.kind, ProblemKind::Server),
        other => panic!("{other:?}"),
    }
}
