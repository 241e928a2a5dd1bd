//! What a host is told of logins while the server cannot be reached.

use countersign_protocol::certificate;
use countersign_protocol::limits;
use countersign_protocol::message::Decision;
use countersign_protocol::roster::OfflineServices;
use sequoia_openpgp::cert::CertBuilder;
use sequoia_openpgp::types::KeyFlags;

use crate::client::person::Person;
use crate::fixture::{Server, register};

/// Ana with these names in her certificate.
fn named(server: &Server, account: &str, names: &[String]) -> Person {
    let mut builder = CertBuilder::new()
        .set_creation_time(server.clock_now().to_system_time())
        .set_primary_key_flags(sequoia_openpgp::types::KeyFlags::empty().set_certification().set_signing())
        .add_transport_encryption_subkey();
    for name in names {
        builder = builder.add_userid(name.as_str());
    }
    let (cert, _) = builder.generate().unwrap();
    Person { cert, ..Person::new(account, server.clock_now()) }
}

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

/// With a subkey to authenticate with, as a card has one.
fn authenticating(server: &Server, account: &str) -> Person {
    let builder = CertBuilder::new()
        .set_creation_time(server.clock_now().to_system_time())
        .set_primary_key_flags(KeyFlags::empty().set_certification().set_signing())
        .add_authentication_subkey()
        .add_authentication_subkey()
        .add_transport_encryption_subkey()
        .add_userid(account);
    Person { cert: builder.generate().unwrap().0, ..Person::new(account, server.clock_now()) }
}

#[test]
fn the_roster_names_the_one_key_in_the_card_that_opens_a_login_through_ssh() {
    let server = Server::new();
    let host = server.host();
    let admin = server.administrator(&host);
    let created = server.invite(&host, &admin, "ana", &["ana"]);
    let ana = authenticating(&server, "ana");
    let last = certificate::authentication_keys(&ana.cert, server.clock_now()).pop().unwrap();
    register(&host, &ana, &created.code);
    let entry = host.entries(1, &["ana", "root"]);
    let [account] = entry[0].accounts.as_slice() else { panic!("{entry:?}") };
    assert_eq!(account.authentication, Some(last.clone()));
    assert_eq!(entry[1].accounts[0].authentication, None, "the administrator's card has none");
    // The part of the certificate holds it with its binding, and not the other one.
    let part = certificate::parse(&account.certificate.0).unwrap();
    assert_eq!(certificate::authentication_keys(&part, server.clock_now()), [last]);
    assert_eq!(part.keys().count(), 2);
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    assert_eq!(host.job(&admin, "suspend", "account/ana", None).decision, Decision::Allowed);
    assert!(host.entries(2, &["ana"])[0].accounts.is_empty());
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
    let resumed = look(7);
    assert!(resumed != suspended.revision && resumed != first, "Ana is back, her emergency code is not");
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

#[test]
fn a_stuffed_certificate_takes_no_more_room_in_a_roster_than_another() {
    let server = Server::new();
    let host = server.host();
    let admin = server.administrator(&host);
    let created = server.invite(&host, &admin, "ana", &["ana"]);
    let names: Vec<String> = (0..200).map(|n| format!("Ana Muster the {n}th <ana@example.org>")).collect();
    let ana = named(&server, "ana", &names);
    assert!(certificate::to_bytes(&ana.cert).unwrap().len() > 40_000);
    register(&host, &ana, &created.code);
    let reply = host.check_in_for(1, &["ana"], &["login"]);
    let roster = host.roster(&reply);
    let short = &roster.roster().entries[0].accounts[0].certificate.0;
    assert!(short.len() < 2_000, "{}", short.len());
    // It is enough to check what she signs here, and the server has the whole.
    let short = certificate::parse(short).unwrap();
    let key = certificate::fingerprint(&ana.cert).unwrap();
    assert_eq!(certificate::signing_keys(&short, server.clock_now()), [key]);
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
}

#[test]
fn a_roster_that_would_be_too_large_leaves_some_out_and_names_whoever_was_asked_about_first() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let logins: Vec<String> = (0..80).map(|n| format!("big{n:02}")).collect();
    let mut asked: Vec<&str> = logins.iter().map(String::as_str).collect();
    let created = server.invite(&host, &admin, "big", &asked);
    // A name as long as the library reads one, in the entry of each login name.
    let big = named(&server, "big", &["x".repeat(20_000)]);
    register(&host, &big, &created.code);
    asked.push("ana");
    let told = |counter, asked: &[&str]| {
        let reply = host.check_in_for(counter, asked, &["login"]);
        let roster = host.roster(&reply).roster().clone();
        assert!(reply.roster.roster.0.len() <= limits::ROSTER);
        let named: Vec<String> = roster.entries.iter().map(|entry| entry.login.to_string()).collect();
        (reply.revision, named)
    };
    let (first, named) = told(1, &asked);
    assert!((40..60).contains(&named.len()), "{named:?}");
    assert!(named.contains(&"ana".to_owned()), "hers is small, and gives way to no large one");
    assert!(named.contains(&"big00".to_owned()) && !named.contains(&"big79".to_owned()));
    assert_eq!(told(2, &asked), (first, named.clone()));
    asked.rotate_right(2);
    let (second, renamed) = told(3, &asked);
    assert!(renamed.contains(&"big79".to_owned()) && renamed.contains(&"ana".to_owned()), "{renamed:?}");
    assert_eq!(renamed.len(), named.len());
    assert_ne!(first, second);
    // Whoever is left out logs in all the same.
    assert_eq!(host.log_in(&big, "big70").decision, Decision::Allowed);
}
