//! Account checks and credentials, with and without our own authentication before them.

use std::sync::atomic::{AtomicBool, Ordering};

use countersign_protocol::ids::Nonce;
use countersign_protocol::ipc::DenyReason;

use crate::bench::Bench;
use crate::libpam::{AUTH_ERR, CRED_UNAVAIL, ERROR_MSG, PERM_DENIED, SUCCESS, USER};
use crate::peer::{self, Peer};

#[test]
fn account_without_our_authenticate_is_denied() {
    let bench = Bench::new();
    let peer = Peer::listen(&bench.socket(), peer::grants);
    for user in ["ana", "bob"] {
        let mut pam = bench.start("test", user);
        assert_eq!(pam.account(), PERM_DENIED, "{user}");
        assert!(pam.shown_as(ERROR_MSG).starts_with("This login needs a card"));
    }
    assert_eq!(peer.calls(), 0, "no other-auth service: there is nothing to ask");
}

#[test]
fn account_without_our_authenticate_is_denied_with_the_agent_down_too() {
    let bench = Bench::new();
    assert_eq!(bench.start("test", "ana").account(), PERM_DENIED);
    assert_eq!(bench.start("test", "bob").account(), PERM_DENIED);
}

#[test]
fn an_other_auth_service_passes_if_the_agent_says_so() {
    let bench = Bench::new();
    let peer = Peer::listen(&bench.socket(), peer::grants);
    assert_eq!(bench.start("cron", "ana").account(), SUCCESS);
    assert_eq!(peer.calls(), 1);
    drop(peer);
    std::fs::remove_file(bench.socket()).unwrap();
    let _peer = Peer::listen(&bench.socket(), peer::denies(DenyReason::Policy));
    let mut pam = bench.start("cron", "ana");
    assert_eq!(pam.account(), PERM_DENIED);
    assert!(pam.shown_as(ERROR_MSG).contains("7K3M-Q2ZD"));
}

#[test]
fn an_account_grant_for_another_request_is_denied() {
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), |mut stream| {
        peer::request(&mut stream);
        peer::reply(&mut stream, &peer::account_grant(Nonce::from_bytes([7; 32])));
    });
    assert_eq!(bench.start("cron", "ana").account(), PERM_DENIED);
}

#[test]
fn a_login_of_one_user_is_no_account_of_another() {
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), peer::grants);
    let mut pam = bench.start("test", "ana");
    assert_eq!(pam.authenticate(0), SUCCESS);
    pam.set(USER, "bob");
    assert_eq!([pam.account(), pam.setcred()], [PERM_DENIED, CRED_UNAVAIL]);
}

#[test]
fn a_login_in_one_handle_is_none_in_another() {
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), peer::grants);
    let mut first = bench.start("test", "ana");
    assert_eq!(first.authenticate(0), SUCCESS);
    assert_eq!(bench.start("test", "ana").account(), PERM_DENIED);
    assert_eq!(first.account(), SUCCESS);
}

#[test]
fn a_second_authentication_that_fails_takes_the_first_one_back() {
    let bench = Bench::new();
    let granted = AtomicBool::new(false);
    let _peer = Peer::listen(&bench.socket(), move |mut stream| {
        let asked = peer::request(&mut stream);
        if !granted.swap(true, Ordering::SeqCst) {
            peer::reply(&mut stream, &peer::grant(peer::nonce(&asked)));
        }
    });
    let mut pam = bench.start("test", "ana");
    assert_eq!(pam.authenticate(0), SUCCESS);
    assert_eq!(pam.authenticate(0), AUTH_ERR);
    assert_eq!(pam.account(), PERM_DENIED);
}

/// sshd authenticates in one process and sets credentials in another; cron and ssh keys never authenticate.
#[test]
fn setcred_without_authenticate_does_not_stand_in_the_way() {
    let bench = Bench::new();
    let peer = Peer::listen(&bench.socket(), peer::grants);
    assert_eq!(bench.start("test", "ana").setcred(), SUCCESS);
    assert_eq!(peer.calls(), 0);
}
