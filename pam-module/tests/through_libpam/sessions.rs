//! The beginning and end of sessions: written down if possible, and never in the way.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use countersign_protocol::ipc::{
    DenyReason, NoteKind, Problem, ProblemKind, Prompt, PromptKind, Reply, Request, SessionClosed,
    SessionOpened, read_frame,
};

use crate::bench::Bench;
use crate::faults::FAULTS;
use crate::libpam::{RHOST, RUSER, SUCCESS, TEXT_INFO, TTY, USER, text};
use crate::peer::{self, Peer};

/// A peer that grants and notes everything, and what it was asked.
fn noting(bench: &Bench) -> (Peer, Arc<Mutex<Vec<Request>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let peer = Peer::listen(&bench.socket(), move |mut stream| {
        let request = peer::request(&mut stream);
        let answer = match &request {
            Request::SessionOpened(ask) if ask.correlation.is_some() => peer::noted("7K3M-Q2ZD"),
            Request::SessionOpened(_) | Request::SessionClosed(_) => peer::noted("8K3M-Q2ZD"),
            Request::Account(ask) => peer::account_grant(ask.nonce),
            other => peer::grant(peer::nonce(other)),
        };
        seen.lock().unwrap().push(request);
        peer::reply(&mut stream, &answer);
    });
    (peer, asked)
}

fn id(text: &str) -> countersign_protocol::ids::CorrelationId {
    text.parse().unwrap()
}

#[test]
fn a_session_of_a_granted_login_is_told_with_the_login_s_id_at_both_ends() {
    let bench = Bench::new();
    let (_peer, asked) = noting(&bench);
    let mut pam = bench.start("test", "ana");
    pam.set(TTY, "/dev/tty1");
    pam.set(RHOST, "198.51.100.7");
    pam.set(RUSER, "olga");
    assert_eq!([pam.authenticate(0), pam.account(), pam.setcred()], [SUCCESS; 3]);
    assert_eq!([pam.open_session(), pam.close_session()], [SUCCESS; 2]);
    let asked = asked.lock().unwrap();
    let [_, Request::SessionOpened(opened), Request::SessionClosed(closed)] = asked.as_slice() else {
        panic!("a login, a beginning and an end")
    };
    let expected = SessionOpened {
        login: "ana".parse().unwrap(),
        service: "test".parse().unwrap(),
        tty: Some("/dev/tty1".into()),
        remote_host: Some("198.51.100.7".into()),
        remote_user: Some("olga".into()),
        correlation: Some(id("7K3M-Q2ZD")),
    };
    assert_eq!(*opened, expected);
    let (login, service) = (expected.login, expected.service);
    assert_eq!(*closed, SessionClosed { login, service, correlation: Some(id("7K3M-Q2ZD")) });
}

#[test]
fn a_session_without_our_login_gets_an_id_of_its_own_and_ends_with_it() {
    let bench = Bench::new();
    let (_peer, asked) = noting(&bench);
    let mut pam = bench.start("cron", "ana");
    assert_eq!([pam.account(), pam.open_session(), pam.close_session()], [SUCCESS; 3]);
    let asked = asked.lock().unwrap();
    let [_, Request::SessionOpened(opened), Request::SessionClosed(closed)] = asked.as_slice() else {
        panic!("an account check, a beginning and an end")
    };
    assert_eq!((&opened.correlation, &closed.correlation), (&None, &Some(id("8K3M-Q2ZD"))));
}

#[test]
fn a_session_of_another_user_or_another_handle_does_not_borrow_the_login_s_id() {
    let bench = Bench::new();
    let (_peer, asked) = noting(&bench);
    let mut pam = bench.start("test", "ana");
    assert_eq!([pam.authenticate(0), pam.open_session()], [SUCCESS; 2]);
    pam.set(USER, "bob");
    assert_eq!([pam.close_session(), pam.open_session()], [SUCCESS; 2]);
    assert_eq!(bench.start("test", "ana").close_session(), SUCCESS);
    let told = |request: &Request| match request {
        Request::SessionOpened(ask) => Some((ask.login.to_string(), ask.correlation.clone())),
        Request::SessionClosed(ask) => Some((ask.login.to_string(), ask.correlation.clone())),
        _ => None,
    };
    let told: Vec<_> = asked.lock().unwrap().iter().filter_map(told).collect();
    let (ana, bob) = ("ana".to_owned(), "bob".to_owned());
    assert_eq!(told, [(ana.clone(), Some(id("7K3M-Q2ZD"))), (bob.clone(), None), (bob, None), (ana, None)]);
}

/// Whatever is wrong with the agent, one of the release before that does not know the request among it.
#[test]
fn a_session_that_cannot_be_written_down_goes_on() {
    for (name, fault) in FAULTS {
        let bench = Bench::new();
        let _peer = Peer::listen(&bench.socket(), *fault);
        for user in ["ana", "bob"] {
            let begun = Instant::now();
            let mut pam = bench.start("test", user);
            assert_eq!([pam.open_session(), pam.close_session()], [SUCCESS; 2], "{name}");
            assert!(begun.elapsed() < Duration::from_secs(3), "{name} took {:?}", begun.elapsed());
            assert_eq!(pam.shown_by_the_module(), Vec::<&str>::new(), "{name}: the log has it");
        }
    }
}

#[test]
fn neither_a_denial_nor_a_problem_of_the_agent_stops_a_session() {
    let failed = Reply::Failed(Problem {
        kind: ProblemKind::Busy,
        message: "Too many.".into(),
        correlation: "7K3M-Q2ZD".parse().unwrap(),
    });
    for answer in [failed, peer::denial(DenyReason::Policy, "No."), Reply::Cards { cards: Vec::new() }] {
        let bench = Bench::new();
        let _peer = Peer::listen(&bench.socket(), move |mut stream| {
            peer::request(&mut stream);
            peer::reply(&mut stream, &answer);
        });
        let mut pam = bench.start("test", "ana");
        assert_eq!([pam.open_session(), pam.close_session()], [SUCCESS; 2]);
        assert_eq!(pam.shown_by_the_module(), Vec::<&str>::new());
    }
}

#[test]
fn an_agent_that_is_down_or_hangs_holds_a_session_up_for_a_moment_and_no_longer() {
    let bench = Bench::new();
    let begun = Instant::now();
    assert_eq!(bench.start("test", "ana").open_session(), SUCCESS);
    assert!(begun.elapsed() < Duration::from_millis(1500), "down: {:?}", begun.elapsed());
    let _hanging = std::os::unix::net::UnixListener::bind(bench.socket()).unwrap();
    let begun = Instant::now();
    assert_eq!(bench.start("test", "ana").open_session(), SUCCESS);
    assert!(begun.elapsed() < Duration::from_secs(8), "hangs: {:?}", begun.elapsed());
}

/// What hangs on the login beside the note, such as its card's removal, ends with its session all the same.
#[test]
fn the_end_of_a_session_whose_beginning_was_not_noted_is_told_with_the_login_s_id() {
    let bench = Bench::new();
    let told = Arc::new(Mutex::new(None));
    let seen = told.clone();
    let _peer = Peer::listen(&bench.socket(), move |mut stream| match peer::request(&mut stream) {
        Request::SessionOpened(_) => {}
        Request::SessionClosed(ask) => {
            *seen.lock().unwrap() = ask.correlation;
            peer::reply(&mut stream, &peer::noted("7K3M-Q2ZD"));
        }
        other => peer::reply(&mut stream, &peer::grant(peer::nonce(&other))),
    });
    let mut pam = bench.start("test", "ana");
    assert_eq!([pam.authenticate(0), pam.open_session(), pam.close_session()], [SUCCESS; 3]);
    assert_eq!(*told.lock().unwrap(), Some(id("7K3M-Q2ZD")));
}

#[test]
fn what_the_agent_says_at_a_session_s_beginning_is_shown_and_nothing_is_asked() {
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), |mut stream| {
        peer::request(&mut stream);
        peer::reply(&mut stream, &Reply::Note { kind: NoteKind::Info, text: "Mind this.".into() });
        peer::reply(&mut stream, &Reply::Prompt(Prompt { kind: PromptKind::Hidden, text: "PIN: ".into() }));
        assert_eq!(read_frame(&mut stream).unwrap().body.as_slice(), br#"{"answer":"cancel"}"#);
        peer::reply(&mut stream, &peer::noted("8K3M-Q2ZD"));
    });
    let mut pam = bench.start_with("test", "ana", |_, _, _| text("123456"));
    assert_eq!(pam.open_session(), SUCCESS);
    assert_eq!(pam.shown(), [(TEXT_INFO, "Mind this.".to_owned())]);
}
