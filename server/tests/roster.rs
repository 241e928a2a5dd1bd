//! What a host is told of logins while the server cannot be reached.

use countersign_protocol::certificate;
use countersign_protocol::message::Decision;
use countersign_protocol::roster::OfflineServices;

use crate::fixture::Server;

#[test]
fn the_roster_says_by_which_services_an_account_may_log_in_without_the_server() {
    let server = Server::new();
    let (host, _admin, _ana) = server.with_ana();
    let roster = host.roster(&host.check_in_for(2, &["ana", "root"], &["login", "sudo"]));
    let roster = roster.roster();
    assert_eq!((roster.offline_uses, roster.expires.seconds_since(roster.issued)), (20, 24 * 3600));
    assert_eq!(roster.services, ["login".parse().unwrap(), "sudo".parse().unwrap()]);
    let said = |entry: usize| &roster.entries[entry].accounts[0];
    assert_eq!((said(0).account.as_str(), &said(0).offline), ("ana", &OfflineServices::All));
    assert_eq!((said(1).account.as_str(), &said(1).offline), ("admin", &OfflineServices::All));
    // Whoever asks about no service is permitted none.
    let none = host.entries(3, &["ana"]);
    assert_eq!(none[0].accounts[0].offline, OfflineServices::None);
}

#[test]
fn a_server_that_allows_nothing_offline_says_so_and_still_tells_whose_cards_to_ask() {
    for (hours, uses) in [(0, 20), (24, 0)] {
        let server = Server::with_offline(hours, uses);
        let (host, _admin, _ana) = server.with_ana();
        let roster = host.roster(&host.check_in_for(1, &["ana"], &["login"]));
        assert_eq!(roster.roster().offline_uses, 0);
        assert_eq!(roster.roster().entries[0].accounts[0].offline, OfflineServices::None);
        assert!(!roster.is_expired(server.clock_now().plus(23 * 3600)));
    }
    let server = Server::with_offline(1, 3);
    let (host, ..) = server.with_ana();
    let roster = host.roster(&host.check_in_for(1, &["ana"], &["login"]));
    assert_eq!(roster.roster().offline_uses, 3);
    assert!(roster.is_expired(server.clock_now().plus(3600)));
}

#[test]
fn the_revision_tells_what_changed_and_not_that_time_passed() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let look = |counter: u64| host.check_in_for(counter, &["ana"], &["login", "sshd"]).revision;
    let first = look(2);
    server.clock.turn(60);
    assert_eq!(look(3), first);
    // Asked in another order, and with a name twice.
    assert_eq!(host.check_in_for(4, &["ana", "ana"], &["sshd", "login"]).revision, first);
    assert_ne!(host.check_in_for(5, &["ana", "bob"], &["login", "sshd"]).revision, first);
    let change = |operation: &str, resource: &str| {
        assert_eq!(host.job(&admin, operation, resource, None).decision, Decision::Allowed);
    };
    change("suspend", "account/ana");
    let suspended = host.check_in_for(6, &["ana"], &["login", "sshd"]);
    assert_ne!(suspended.revision, first);
    assert!(host.roster(&suspended).roster().entries[0].accounts.is_empty());
    change("resume", "account/ana");
    assert_eq!(look(7), first);
    change("revoke", &format!("key/{}", certificate::fingerprint(&ana.cert).unwrap()));
    let revoked = host.check_in_for(8, &["ana"], &["login", "sshd"]);
    assert_eq!(revoked.revision, suspended.revision);
    assert!(host.roster(&revoked).roster().entries[0].accounts.is_empty());
}

#[test]
fn two_hosts_with_one_key_may_do_nothing_without_the_server() {
    let server = Server::new();
    let (host, _admin, _ana) = server.with_ana();
    let before = host.check_in_for(2, &["ana"], &["login"]);
    // The copy says the same number.
    server.clock.turn(1);
    let copy = host.check_in_for(2, &["ana"], &["login"]);
    assert!(!before.forked && copy.forked);
    assert_ne!(before.revision, copy.revision);
    let roster = host.roster(&copy);
    assert_eq!(roster.roster().offline_uses, 0);
    let [account] = roster.roster().entries[0].accounts.as_slice() else { panic!("{roster:?}") };
    assert_eq!(account.offline, OfflineServices::None);
    assert!(host.check_in_for(3, &["ana"], &["login"]).forked);
}
