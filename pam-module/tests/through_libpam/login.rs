//! Logins, granted and denied.

use std::sync::mpsc;

use countersign_protocol::ids::Nonce;
use countersign_protocol::ipc::{
    DenyReason, FrameKind, Grant, NoteKind, Problem, ProblemKind, Prompt, PromptKind, Reply, Request,
    read_frame,
};

use crate::bench::Bench;
use crate::libpam::{
    AUTH_ERR, CRED_UNAVAIL, ECHO_OFF, ERROR_MSG, MAXTRIES, PERM_DENIED, RHOST, RUSER, SILENT, SUCCESS, Say,
    TEXT_INFO, TTY, USER, text,
};
use crate::peer::{self, Peer};

#[test]
fn a_granted_login_passes_all_three_hooks() {
    let bench = Bench::new();
    let (tell, told) = mpsc::channel();
    let peer = Peer::listen(&bench.socket(), move |mut stream| {
        let asked = peer::request(&mut stream);
        let note = Reply::Note { kind: NoteKind::Info, text: "Insert your card.".into() };
        peer::reply(&mut stream, &note);
        let text = "PIN for Test …AAAA (3 tries left): ".into();
        peer::reply(&mut stream, &Reply::Prompt(Prompt { kind: PromptKind::Hidden, text }));
        let secret = read_frame(&mut stream).unwrap();
        assert_eq!((secret.kind, secret.body.as_slice()), (FrameKind::Secret, b"123456".as_slice()));
        peer::reply(&mut stream, &peer::grant(peer::nonce(&asked)));
        tell.send(asked).unwrap();
    });
    let mut pam = bench.start_with("test", "ana", |_, style, _| match style {
        ECHO_OFF => text("123456"),
        _ => Say::Nothing,
    });
    pam.set(TTY, "/dev/tty1");
    pam.set(RHOST, "198.51.100.7");
    pam.set(RUSER, "carl");
    assert_eq!([pam.authenticate(0), pam.account(), pam.setcred()], [SUCCESS; 3]);
    let Request::Authenticate(asked) = told.recv().unwrap() else { panic!("not an authenticate") };
    assert_eq!((asked.login.as_str(), asked.service.as_str()), ("ana", "test"));
    assert_eq!(asked.tty.as_deref(), Some("/dev/tty1"));
    assert_eq!(asked.remote_host.as_deref(), Some("198.51.100.7"));
    assert_eq!(asked.remote_user.as_deref(), Some("carl"));
    assert_eq!(
        pam.shown(),
        [
            (TEXT_INFO, "Insert your card.".to_owned()),
            (ECHO_OFF, "PIN for Test …AAAA (3 tries left): ".to_owned()),
        ]
    );
    assert_eq!(peer.calls(), 1, "neither account nor setcred calls the agent again");
}

#[test]
fn every_request_has_a_nonce_of_its_own() {
    let bench = Bench::new();
    let (tell, told) = mpsc::channel();
    let _peer = Peer::listen(&bench.socket(), move |mut stream| {
        tell.send(peer::nonce(&peer::request(&mut stream))).unwrap();
    });
    let mut pam = bench.start("test", "ana");
    pam.authenticate(0);
    pam.authenticate(0);
    let (first, second) = (told.recv().unwrap(), told.recv().unwrap());
    assert_ne!(first, second);
    assert_ne!(first, Nonce::from_bytes([0; 32]));
}

#[test]
fn a_denial_is_said_with_its_reference() {
    for (reason, code) in [
        (DenyReason::Policy, PERM_DENIED),
        (DenyReason::WrongPin, AUTH_ERR),
        (DenyReason::CardBlocked, MAXTRIES),
        (DenyReason::LastTryRefused, MAXTRIES),
        (DenyReason::CardGone, AUTH_ERR),
    ] {
        let bench = Bench::new();
        let _peer = Peer::listen(&bench.socket(), peer::denies(reason));
        let mut pam = bench.start("test", "ana");
        assert_eq!(pam.authenticate(0), code, "{reason:?}");
        let said = pam.shown_as(ERROR_MSG);
        assert_eq!(said, "Something happened; do something. (Reference: 7K3M-Q2ZD)");
        assert_eq!([pam.account(), pam.setcred()], [PERM_DENIED, CRED_UNAVAIL], "{reason:?}");
    }
}

#[test]
fn a_problem_is_said_and_denied() {
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), |mut stream| {
        peer::request(&mut stream);
        peer::reply(
            &mut stream,
            &Reply::Failed(Problem {
                kind: ProblemKind::Enrolment,
                message: "This host is not enrolled.".into(),
                correlation: "7K3M-Q2ZD".parse().unwrap(),
            }),
        );
    });
    let mut pam = bench.start("test", "bob");
    assert_eq!(pam.authenticate(0), AUTH_ERR);
    assert_eq!(pam.shown_as(ERROR_MSG), "This host is not enrolled. (Reference: 7K3M-Q2ZD)");
}

#[test]
fn wrong_nonce_is_denied() {
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), |mut stream| {
        peer::request(&mut stream);
        peer::reply(&mut stream, &peer::grant(Nonce::from_bytes([7; 32])));
    });
    let mut pam = bench.start("test", "ana");
    assert_eq!([pam.authenticate(0), pam.account()], [AUTH_ERR, PERM_DENIED]);
}

#[test]
fn a_grant_without_a_receipt_is_denied() {
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), |mut stream| {
        let asked = peer::request(&mut stream);
        peer::reply(&mut stream, &peer::account_grant(peer::nonce(&asked)));
    });
    let mut pam = bench.start("test", "ana");
    assert_eq!([pam.authenticate(0), pam.account()], [AUTH_ERR, PERM_DENIED]);
}

#[test]
fn a_grant_of_the_host_itself_is_one_and_a_grant_of_both_is_none() {
    for (ledger_index, codes) in [(None, [SUCCESS, SUCCESS]), (Some(7), [AUTH_ERR, PERM_DENIED])] {
        let bench = Bench::new();
        let _peer = Peer::listen(&bench.socket(), move |mut stream| {
            let asked = peer::request(&mut stream);
            let Reply::Granted(grant) = peer::grant(peer::nonce(&asked)) else { return };
            let grant = Grant { ledger_index, journal_index: Some(3), ..grant };
            peer::reply(&mut stream, &Reply::Granted(grant));
        });
        let mut pam = bench.start("test", "ana");
        assert_eq!([pam.authenticate(0), pam.account()], codes, "{ledger_index:?}");
    }
}

/// CVE-2024-9313 was this: the name changes while the card is asked for.
#[test]
fn a_user_name_changed_in_the_conversation_is_denied() {
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), |mut stream| {
        let asked = peer::request(&mut stream);
        peer::reply(&mut stream, &Reply::Prompt(Prompt { kind: PromptKind::Hidden, text: "PIN: ".into() }));
        read_frame(&mut stream).unwrap();
        peer::reply(&mut stream, &peer::grant(peer::nonce(&asked)));
    });
    let mut pam = bench.start_with("test", "ana", |program, _, _| {
        program.set(USER, "root");
        text("123456")
    });
    assert_eq!(pam.authenticate(0), AUTH_ERR);
    pam.set(USER, "ana");
    assert_eq!(pam.account(), PERM_DENIED);
}

#[test]
fn a_silent_program_is_shown_prompts_and_nothing_else() {
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), |mut stream| {
        peer::request(&mut stream);
        peer::reply(&mut stream, &Reply::Note { kind: NoteKind::Info, text: "Hello.".into() });
        peer::reply(&mut stream, &Reply::Prompt(Prompt { kind: PromptKind::Hidden, text: "PIN: ".into() }));
        read_frame(&mut stream).unwrap();
        peer::reply(&mut stream, &peer::denial(DenyReason::WrongPin, "Wrong PIN."));
    });
    let mut pam = bench.start_with("su", "ana", |_, _, _| text("123456"));
    assert_eq!(pam.authenticate(SILENT), AUTH_ERR);
    assert_eq!(pam.shown(), [(ECHO_OFF, "PIN: ".to_owned())]);
}
