//! IGNORE: for whom, and for nobody else.

use countersign_protocol::ipc::{DenyReason, Reply};

use crate::bench::Bench;
use crate::faults::FAULTS;
use crate::libpam::{
    AUTH_ERR, AUTHTOK_ERR, CRED_UNAVAIL, IGNORED, PERM_DENIED, SESSION_ERR, SUCCESS, Say, Transaction, text,
};
use crate::peer::{self, Peer};

#[test]
fn unmanaged_user_never_touches_the_agent() {
    let bench = Bench::new();
    let peer = Peer::listen(&bench.socket(), peer::grants);
    let mut pam = bench.start("test", "carl");
    assert_eq!(pam.all_hooks(), [IGNORED; 6]);
    assert_eq!(peer.calls(), 0);
    assert_eq!(pam.shown_by_the_module(), Vec::<&str>::new());
}

#[test]
fn without_a_managed_file_the_module_is_inert() {
    let bench = Bench::new();
    std::fs::remove_file(bench.managed()).unwrap();
    let peer = Peer::listen(&bench.socket(), peer::grants);
    // Not even a user name is asked for.
    let mut pam = Transaction::start("test", None, bench.path(), Some(Box::new(|_, _, _| Say::Fail)));
    assert_eq!(pam.authenticate(0), IGNORED);
    assert_eq!(peer.calls(), 0);
    assert_eq!(pam.shown_by_the_module(), Vec::<&str>::new());
}

#[test]
fn a_missing_user_name_is_asked_for() {
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), peer::grants);
    for (name, code) in [("ana", SUCCESS), ("carl", IGNORED)] {
        let person = Box::new(move |_: &mut _, _, _: &str| text(name));
        let mut pam = Transaction::start("test", None, bench.path(), Some(person));
        assert_eq!(pam.authenticate(0), code, "{name}");
    }
}

#[test]
fn a_managed_file_that_is_not_understood_refuses_everybody() {
    let bench = Bench::new();
    let peer = Peer::listen(&bench.socket(), peer::grants);
    bench.manage("user ana card\nusr bob card\n");
    for user in ["ana", "carl", "root"] {
        let mut pam = bench.start("test", user);
        assert_eq!(pam.all_hooks(), BROKEN, "{user}");
    }
    assert_eq!(peer.calls(), 0);
}

/// What is refused, hook by hook.
const BROKEN: [i32; 6] = [AUTH_ERR, PERM_DENIED, CRED_UNAVAIL, SESSION_ERR, SESSION_ERR, AUTHTOK_ERR];

#[test]
fn another_spelling_of_a_managed_user_is_refused_and_not_passed_on() {
    let bench = Bench::new();
    let peer = Peer::listen(&bench.socket(), peer::grants);
    for user in ["Ana", "ana@corp.example", "CORP\\ana", "BOB", "an a"] {
        let mut pam = bench.start("test", user);
        assert_eq!(pam.all_hooks(), BROKEN, "{user}");
        // Which name is meant is for the log alone.
        assert!(!pam.shown_by_the_module().iter().any(|text| text.contains("ana") || text.contains("bob")));
    }
    assert_eq!(peer.calls(), 0);
}

#[test]
fn an_argument_that_is_not_understood_refuses_everybody() {
    let bench = Bench::new();
    for arguments in ["use_first_pass", "Debug", "no_warn debug", "socket=relative", "managed"] {
        bench.stack("test", arguments);
        for user in ["ana", "carl"] {
            assert_eq!(bench.start("test", user).all_hooks(), BROKEN, "{arguments} {user}");
        }
    }
}

/// The rule that CVE-2025-23013 and CVE-2025-24531 broke: whatever goes wrong, a managed user is never handed
/// on to the next module in silence, and never let in.
#[test]
fn ignore_is_returned_only_for_unmanaged_users() {
    for (name, fault) in FAULTS {
        for user in ["ana", "bob"] {
            for service in ["test", "cron"] {
                let bench = Bench::new();
                let _peer = Peer::listen(&bench.socket(), *fault);
                let mut pam = bench.start(service, user);
                let authenticated = pam.authenticate(0);
                assert_eq!(authenticated, AUTH_ERR, "{name} {user} {service}");
                assert_eq!(pam.account(), PERM_DENIED, "{name} {user} {service}");
                let mut pam = bench.start(service, user);
                assert_eq!(pam.account(), PERM_DENIED, "{name} {user} {service} alone");
            }
        }
    }
}

#[test]
fn no_reason_of_the_agent_lets_anybody_in_or_past() {
    for reason in [
        DenyReason::Policy,
        DenyReason::WrongPin,
        DenyReason::CardBlocked,
        DenyReason::LastTryRefused,
        DenyReason::NoCard,
        DenyReason::CardGone,
        DenyReason::TouchTimeout,
        DenyReason::CardFailed,
        DenyReason::RemoteSession,
        DenyReason::ServerUnavailable,
        DenyReason::NotEnrolled,
        DenyReason::Cancelled,
        DenyReason::TimedOut,
        DenyReason::Busy,
        DenyReason::Internal,
    ] {
        let bench = Bench::new();
        let _peer = Peer::listen(&bench.socket(), peer::denies(reason));
        for user in ["ana", "bob"] {
            let mut pam = bench.start("test", user);
            let code = pam.authenticate(0);
            assert!([PERM_DENIED, AUTH_ERR, crate::libpam::MAXTRIES].contains(&code), "{reason:?}: {code}");
            assert_eq!(pam.account(), PERM_DENIED, "{reason:?}");
        }
    }
}

#[test]
fn a_reply_to_another_question_is_denied() {
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), |mut stream| {
        peer::request(&mut stream);
        peer::reply(&mut stream, &Reply::Cards { cards: Vec::new() });
    });
    assert_eq!(bench.start("test", "ana").authenticate(0), AUTH_ERR);
    assert_eq!(bench.start("cron", "ana").account(), PERM_DENIED);
}
