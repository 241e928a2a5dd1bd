//! `passwd`: the PIN of a card.

use std::sync::{Arc, Mutex};

use countersign_protocol::ids::Nonce;
use countersign_protocol::ipc::{
    DenyReason, NoteKind, Problem, ProblemKind, Prompt, PromptKind, Reply, Request, read_frame,
};

use crate::bench::Bench;
use crate::faults::FAULTS;
use crate::libpam::{
    AUTHTOK_ERR, AUTHTOK_LOCK_BUSY, AUTHTOK_RECOVERY_ERR, CHANGE_EXPIRED, ECHO_OFF, ERROR_MSG, IGNORED,
    PERM_DENIED, SUCCESS, Say, TEXT_INFO, text,
};
use crate::peer::{self, Peer};

/// `/etc/countersign/managed` with root in it: these tests run as root, and root changes nobody else's PIN.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.manage("user root card\nuser ana card\n");
    bench
}

#[test]
fn a_pin_is_checked_for_first_and_changed_then() {
    let bench = bench();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let _peer = Peer::listen(&bench.socket(), move |mut stream| {
        let request = peer::request(&mut stream);
        if let Request::PinChange(_) = &request {
            for text in ["PIN: ", "New PIN: ", "New PIN again: "] {
                let prompt = Prompt { kind: PromptKind::Hidden, text: text.into() };
                peer::reply(&mut stream, &Reply::Prompt(prompt));
                read_frame(&mut stream).unwrap();
            }
            let text = "The PIN of Test …AAAA is changed.".into();
            peer::reply(&mut stream, &Reply::Note { kind: NoteKind::Info, text });
        }
        let grant = peer::account_grant(peer::nonce(&request));
        seen.lock().unwrap().push(request);
        peer::reply(&mut stream, &grant);
    });
    let mut pam = bench.start_with("su", "root", |_, style, _| match style {
        ECHO_OFF => text("123456"),
        _ => Say::Nothing,
    });
    assert_eq!(pam.chauthtok(0), SUCCESS);
    let asked = asked.lock().unwrap();
    let [Request::PinCheck(check), Request::PinChange(change)] = asked.as_slice() else {
        panic!("a check and a change")
    };
    assert_eq!((check.login.as_str(), check.service.as_str()), ("root", "su"));
    assert_ne!(check.nonce, change.nonce);
    let shown: Vec<_> = pam.shown().iter().map(|(style, text)| (*style, text.as_str())).collect();
    assert_eq!(
        shown,
        [
            (ECHO_OFF, "PIN: "),
            (ECHO_OFF, "New PIN: "),
            (ECHO_OFF, "New PIN again: "),
            (TEXT_INFO, "The PIN of Test …AAAA is changed."),
        ]
    );
}

#[test]
fn every_reason_of_the_agent_has_its_code_and_none_is_a_success() {
    for (reason, code) in [
        (DenyReason::Policy, PERM_DENIED),
        (DenyReason::RemoteSession, PERM_DENIED),
        (DenyReason::WrongPin, AUTHTOK_RECOVERY_ERR),
        (DenyReason::CardBlocked, AUTHTOK_RECOVERY_ERR),
        (DenyReason::LastTryRefused, AUTHTOK_RECOVERY_ERR),
        (DenyReason::Busy, AUTHTOK_LOCK_BUSY),
        (DenyReason::NoCard, AUTHTOK_ERR),
        (DenyReason::CardGone, AUTHTOK_ERR),
        (DenyReason::TouchTimeout, AUTHTOK_ERR),
        (DenyReason::CardFailed, AUTHTOK_ERR),
        (DenyReason::ServerUnavailable, AUTHTOK_ERR),
        (DenyReason::NotEnrolled, AUTHTOK_ERR),
        (DenyReason::Cancelled, AUTHTOK_ERR),
        (DenyReason::TimedOut, AUTHTOK_ERR),
        (DenyReason::Internal, AUTHTOK_ERR),
    ] {
        let bench = bench();
        let peer = Peer::listen(&bench.socket(), peer::denies(reason));
        let mut pam = bench.start("test", "root");
        assert_eq!(pam.chauthtok(0), code, "{reason:?}");
        assert_eq!(peer.calls(), 1, "{reason:?}: what is refused in the check is not tried");
        assert_eq!(pam.shown_as(ERROR_MSG), "Something happened; do something. (Reference: 7K3M-Q2ZD)");
    }
}

#[test]
fn an_answer_to_another_request_changes_nothing() {
    let wrong: [fn(Nonce) -> Reply; 3] = [
        |_| peer::account_grant(Nonce::from_bytes([7; 32])),
        |_| peer::noted("8K3M-Q2ZD"),
        |_| {
            Reply::Failed(Problem {
                kind: ProblemKind::Card,
                message: "The card failed.".into(),
                correlation: "7K3M-Q2ZD".parse().unwrap(),
            })
        },
    ];
    for wrong in wrong {
        let bench = bench();
        let _peer = Peer::listen(&bench.socket(), move |mut stream| {
            let nonce = peer::nonce(&peer::request(&mut stream));
            peer::reply(&mut stream, &wrong(nonce));
        });
        assert_eq!(bench.start("test", "root").chauthtok(0), AUTHTOK_ERR);
    }
}

#[test]
fn no_fault_of_the_agent_changes_a_pin_or_hands_on_to_the_next_module() {
    for (name, fault) in FAULTS {
        let bench = bench();
        let _peer = Peer::listen(&bench.socket(), *fault);
        assert_eq!(bench.start("test", "root").chauthtok(0), AUTHTOK_ERR, "{name}");
    }
}

#[test]
fn without_an_agent_the_pin_stays_and_the_person_hears_why() {
    let bench = bench();
    let mut pam = bench.start("test", "root");
    assert_eq!(pam.chauthtok(0), AUTHTOK_ERR);
    assert!(pam.shown_as(ERROR_MSG).starts_with("The Countersign agent is not running, so the PIN"));
}

/// The only other places of IGNORE: nothing is granted by it, and the modules below change what they keep.
#[test]
fn it_stands_aside_for_an_expired_password_and_for_root_with_another_s_password() {
    let bench = bench();
    let peer = Peer::listen(&bench.socket(), peer::grants);
    assert_eq!(bench.start("test", "root").chauthtok(CHANGE_EXPIRED), IGNORED);
    assert_eq!(bench.start("test", "ana").chauthtok(0), IGNORED, "these tests run as root");
    assert_eq!(peer.calls(), 0);
    // And in no other hook: a change of a password opens nothing.
    let mut pam = bench.start("test", "root");
    assert_eq!(pam.chauthtok(0), SUCCESS);
    assert_eq!(pam.account(), PERM_DENIED);
}
