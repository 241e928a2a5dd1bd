//! An agent that does not run, and agents that only look so.
#![expect(unsafe_code, reason = "one thread of the test becomes another user")]

use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use countersign_protocol::ipc::DenyReason;

use crate::bench::Bench;
use crate::libpam::{AUTH_ERR, AUTHINFO_UNAVAIL, ERROR_MSG, PERM_DENIED, SUCCESS, TEXT_INFO};
use crate::peer::{self, Peer};

#[test]
fn agent_down_with_card_required_denies() {
    let bench = Bench::new();
    let mut pam = bench.start("test", "ana");
    let begun = Instant::now();
    assert_eq!(pam.authenticate(0), AUTH_ERR);
    assert!(begun.elapsed() < Duration::from_secs(8));
    let said = pam.shown_as(ERROR_MSG);
    assert!(said.starts_with("The Countersign agent is not running"), "{said}");
    assert!(said.contains("systemctl restart countersignd"), "{said}");
    assert_eq!(pam.account(), PERM_DENIED);
    assert_eq!(bench.start("cron", "ana").account(), PERM_DENIED);
}

#[test]
fn agent_down_with_password_allowed_says_unavailable() {
    let bench = Bench::new();
    let mut pam = bench.start("test", "bob");
    assert_eq!(pam.authenticate(0), AUTHINFO_UNAVAIL);
    assert!(pam.shown_as(TEXT_INFO).contains("your password will do"));
    assert_eq!(pam.account(), SUCCESS);
    assert_eq!(bench.start("cron", "bob").account(), SUCCESS);
}

#[test]
fn a_socket_that_nobody_serves_is_agent_down() {
    let bench = Bench::new();
    // A program that another test starts at this moment may hold a copy of it: shut down, it answers nobody there either.
    let listener = OwnedFd::from(UnixListener::bind(bench.socket()).unwrap());
    UnixStream::from(listener).shutdown(Shutdown::Both).unwrap();
    assert!(bench.socket().exists());
    assert_eq!(bench.start("test", "ana").authenticate(0), AUTH_ERR);
    assert_eq!(bench.start("test", "bob").authenticate(0), AUTHINFO_UNAVAIL);
}

#[test]
fn an_agent_that_comes_back_ends_the_password_s_time() {
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), peer::denies(DenyReason::Policy));
    assert_eq!(bench.start("test", "bob").authenticate(0), PERM_DENIED);
    assert_eq!(bench.start("test", "bob").account(), PERM_DENIED);
}

#[test]
fn an_agent_that_is_just_starting_is_waited_for() {
    let bench = Bench::new();
    let socket = bench.socket();
    let starting = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        Peer::listen(&socket, peer::grants)
    });
    assert_eq!(bench.start("test", "ana").authenticate(0), SUCCESS);
    drop(starting.join().unwrap());
}

#[test]
fn busy_is_not_agent_down() {
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), peer::denies(DenyReason::Busy));
    let mut pam = bench.start("test", "bob");
    assert_eq!(pam.authenticate(0), AUTH_ERR);
    assert_eq!(pam.account(), PERM_DENIED);
}

#[test]
fn an_agent_whose_queue_is_full_is_not_agent_down() {
    let bench = Bench::new();
    let listener = UnixListener::bind(bench.socket()).unwrap();
    // SAFETY: a second listen(2) on a live descriptor shortens its queue.
    assert_eq!(unsafe { libc::listen(std::os::fd::AsRawFd::as_raw_fd(&listener), 0) }, 0);
    let _waiting = UnixStream::connect(bench.socket()).unwrap();
    let begun = Instant::now();
    assert_eq!(bench.start("test", "bob").authenticate(0), AUTH_ERR);
    assert!(begun.elapsed() < Duration::from_secs(8), "the queue is not waited for longer than a connect");
}

#[test]
fn a_socket_that_another_user_serves_is_refused() {
    let bench = Bench::new();
    std::fs::set_permissions(bench.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let socket = bench.socket();
    let bound = std::thread::spawn(move || {
        // SAFETY: the raw call changes this one thread, which ends after it.
        assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) }, 0);
        UnixListener::bind(socket).unwrap()
    });
    let peer = Peer::serve(&bench.socket(), bound.join().unwrap(), drop);
    assert_eq!(bench.start("test", "bob").authenticate(0), AUTH_ERR);
    let begun = Instant::now();
    while peer.calls() == 0 && begun.elapsed() < Duration::from_secs(2) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(peer.calls(), 1, "it was reached, and refused for who it is");
}
