//! What a host believes of a roster, and each way to be wrong.

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::{
    RosterError, VerifiedRoster, open_roster, read_refusal, refuse, sign_roster, statement,
};
use countersign_protocol::ids::{Digest, Fingerprint, ServiceName};
use countersign_protocol::limits;
use countersign_protocol::message::Refusal;
use countersign_protocol::roster::{
    OfflineServices, Roster, RosterAccount, RosterEntry, RosterFormError, RosterPurpose, SignedRoster,
};
use countersign_protocol::statement::SignedStatement;

use crate::golden;
use crate::parties::{NOW, Party, sealed};

fn fingerprint(party: &Party) -> Fingerprint {
    certificate::fingerprint(&party.cert).unwrap()
}

fn service(name: &str) -> ServiceName {
    name.parse().unwrap()
}

/// Of the golden host: ana may use every service offline, ben only `login`, eve none.
pub(crate) fn roster() -> Roster {
    let (host, server, other) = (golden::party("host"), golden::party("server"), golden::party("other"));
    let account = |name: &str, offline| RosterAccount {
        account: name.parse().unwrap(),
        certificate: Binary(certificate::to_bytes(&other.cert).unwrap()),
        keys: vec![fingerprint(&other)],
        authentication: None,
        unasked: OfflineServices::None,
        offline,
        emergency: None,
    };
    Roster {
        countersign: RosterPurpose::Roster,
        instance: fingerprint(&host),
        server: fingerprint(&server),
        issued: NOW,
        expires: NOW.plus(24 * 3600),
        policy_epoch: 1,
        services: vec![service("login"), service("sudo")],
        offline_uses: 20,
        entries: vec![
            RosterEntry {
                login: "ana".parse().unwrap(),
                accounts: vec![
                    account("ana", OfflineServices::All),
                    account("ben", OfflineServices::These(vec![service("login")])),
                    account("eve", OfflineServices::None),
                ],
            },
            RosterEntry { login: "root".parse().unwrap(), accounts: vec![] },
        ],
    }
}

pub(crate) fn signed() -> SignedRoster {
    sign_roster(&roster(), golden::party("server").signer()).unwrap()
}

fn open_at(signed: &SignedRoster, now: Timestamp) -> Result<VerifiedRoster, RosterError> {
    open_roster(signed, &golden::party("server").cert, &fingerprint(&golden::party("host")), now)
}

fn open(signed: &SignedRoster) -> Result<VerifiedRoster, RosterError> {
    open_at(signed, NOW)
}

/// Signed by the server after a change that an honest server would not make.
fn changed(change: impl FnOnce(&mut Roster)) -> SignedRoster {
    let mut roster = roster();
    change(&mut roster);
    sign_roster(&roster, golden::party("server").signer()).unwrap()
}

#[test]
fn a_roster_opens_and_permits_what_it_says_and_nothing_else() {
    let signed = signed();
    let verified = open(&signed).unwrap();
    assert_eq!(verified.digest(), Digest::of(&signed.roster.0));
    let key = fingerprint(&golden::party("other"));
    let permits = |login: &str, account: &str, key: &Fingerprint, name: &str, now| {
        let (login, account) = (login.parse().unwrap(), account.parse().unwrap());
        verified.permits(&login, &account, key, &service(name), now)
    };
    assert!(permits("ana", "ana", &key, "sudo", NOW));
    assert!(permits("ana", "ben", &key, "login", NOW));
    for (login, account, name) in [
        ("ana", "ben", "sudo"),
        ("ana", "eve", "login"),
        ("ana", "zoe", "login"),
        ("root", "ana", "login"),
        ("ben", "ana", "login"),
        ("ana", "ana", "sshd"),
    ] {
        assert!(!permits(login, account, &key, name, NOW), "{login} {account} {name}");
    }
    assert!(!permits("ana", "ana", &fingerprint(&golden::party("host")), "sudo", NOW), "another key");
}

#[test]
fn an_expired_roster_opens_and_permits_nothing() {
    let expires = roster().expires;
    let key = fingerprint(&golden::party("other"));
    let permits = |now: Timestamp| {
        let verified = open_at(&signed(), now).unwrap();
        let permits =
            verified.permits(&"ana".parse().unwrap(), &"ana".parse().unwrap(), &key, &service("sudo"), now);
        assert_eq!(permits, !verified.is_expired(now));
        permits
    };
    assert!(permits(expires.plus(-1)));
    assert!(!permits(expires));
    assert!(!permits(expires.plus(1_000_000)));
    // Opened under a right clock that was set back afterwards.
    let verified = open(&signed()).unwrap();
    assert!(!verified.is_expired(NOW.plus(-limits::CLOCK_SKEW)));
    assert!(verified.is_expired(NOW.plus(-limits::CLOCK_SKEW - 1)));
}

#[test]
fn a_roster_without_uses_permits_nothing_offline() {
    let signed = changed(|roster| roster.offline_uses = 0);
    let key = fingerprint(&golden::party("other"));
    let (login, account) = ("ana".parse().unwrap(), "ana".parse().unwrap());
    assert!(!open(&signed).unwrap().permits(&login, &account, &key, &service("sudo"), NOW));
}

#[test]
fn a_roster_of_another_host_is_refused() {
    let other = fingerprint(&golden::party("other"));
    let theirs = changed(|roster| roster.instance = other.clone());
    assert_eq!(open(&theirs).unwrap_err(), RosterError::Instance(other.clone()));
    // The same words under a signature that is addressed to the other.
    let relabelled = SignedRoster { roster: signed().roster, signature: theirs.signature };
    assert!(matches!(open(&relabelled).unwrap_err(), RosterError::Signature(_) | RosterError::Recipient));
}

#[test]
fn a_roster_of_another_server_is_refused() {
    let other = golden::party("other");
    let theirs = changed(|roster| roster.server = fingerprint(&other));
    assert_eq!(open(&theirs).unwrap_err(), RosterError::Server(fingerprint(&other)));
    let forged = sign_roster(&roster(), other.signer()).unwrap();
    assert!(matches!(open(&forged).unwrap_err(), RosterError::Signature(_)));
}

#[test]
fn a_changed_roster_and_one_with_no_or_two_signatures_are_refused() {
    let good = signed();
    let text = String::from_utf8(good.roster.0.clone()).unwrap();
    let more = text.replacen("\"offline_uses\":20", "\"offline_uses\":90", 1).into_bytes();
    assert!(open(&SignedRoster { roster: Binary(more), ..good.clone() }).is_err());
    assert!(open(&SignedRoster { signature: Binary(vec![]), ..good.clone() }).is_err());
    let twice = [good.signature.0.clone(), good.signature.0.clone()].concat();
    assert!(matches!(
        open(&SignedRoster { signature: Binary(twice), ..good.clone() }).unwrap_err(),
        RosterError::Signature(_)
    ));
    let large = vec![0; limits::DETACHED_SIGNATURE + 1];
    assert!(open(&SignedRoster { signature: Binary(large), ..good }).is_err());
}

#[test]
fn a_roster_from_the_future_is_refused() {
    assert!(open_at(&signed(), NOW.plus(-limits::CLOCK_SKEW)).is_ok());
    let early = NOW.plus(-limits::CLOCK_SKEW - 1);
    assert_eq!(open_at(&signed(), early).unwrap_err(), RosterError::FromTheFuture(limits::CLOCK_SKEW + 1));
}

#[test]
fn a_roster_signed_by_a_retired_server_key_is_refused() {
    let server = Party { cert: certificate::generate_software("server", NOW.plus(-10), Some(100)).unwrap() };
    let mut roster = roster();
    roster.server = fingerprint(&server);
    let signed = sign_roster(&roster, server.signer()).unwrap();
    let open_at = |now| open_roster(&signed, &server.cert, &roster.instance, now);
    assert!(open_at(NOW).is_ok());
    assert!(matches!(open_at(NOW.plus(200)), Err(RosterError::KeyNotAlive(_) | RosterError::Signature(_))));
}

#[test]
fn a_roster_that_contradicts_itself_is_neither_signed_nor_read() {
    let signer = || golden::party("server").signer();
    let refused = |change: &dyn Fn(&mut Roster)| {
        let mut roster = roster();
        change(&mut roster);
        let error = sign_roster(&roster, signer()).unwrap_err();
        let read = Roster::from_bytes(&serde_json::to_vec(&roster).unwrap()).unwrap_err();
        assert_eq!(error, RosterError::Form(read.clone()));
        read
    };
    let week = limits::ROSTER_LIFE;
    assert_eq!(refused(&|roster| roster.expires = NOW.plus(week + 1)), RosterFormError::BadLife(week + 1));
    assert_eq!(refused(&|roster| roster.expires = NOW), RosterFormError::BadLife(0));
    let changes: [&dyn Fn(&mut Roster); 4] = [
        &|roster| roster.entries.push(roster.entries[0].clone()),
        &|roster| roster.services.push(service("sudo")),
        &|roster| {
            let again = roster.entries[0].accounts[0].clone();
            roster.entries[0].accounts.push(again);
        },
        &|roster| {
            roster.entries[0].accounts[0].offline = OfflineServices::These(vec![service("sshd")]);
        },
    ];
    for change in changes {
        assert!(matches!(refused(change), RosterFormError::Contradiction(_)));
    }
    assert!(matches!(Roster::from_bytes(&vec![b' '; limits::ROSTER + 1]), Err(RosterFormError::TooLarge(_))));
}

#[test]
fn no_other_signature_of_the_server_is_one_under_a_roster_nor_the_other_way_round() {
    let (host, server) = (golden::party("host"), golden::party("server"));
    // A roster is no statement, even where the server's key were somebody's card.
    let as_statement = SignedStatement { statement: signed().roster, signature: signed().signature };
    assert!(statement::verify_later(&as_statement, &server.cert).is_err());
    // A refusal is signed by the same key and not encrypted.
    let sent = sealed(&host, &server);
    let refusal =
        Refusal { correlation: "7K3M-Q2ZD".parse().unwrap(), server_time: NOW, refused: sent.wire_digest() };
    let bytes = refuse(&refusal, server.signer(), NOW).unwrap();
    assert!(read_refusal(&bytes, &server.cert, &sent).is_ok());
    let as_roster =
        SignedRoster { roster: Binary(serde_json::to_vec(&refusal).unwrap()), signature: Binary(bytes) };
    assert!(matches!(open(&as_roster), Err(RosterError::Form(RosterFormError::Malformed(_)))));
}

#[test]
fn the_shortest_word_for_the_services_means_the_same() {
    let asked = [service("login"), service("sudo")];
    for (permitted, word) in [
        (vec![], OfflineServices::None),
        (asked.to_vec(), OfflineServices::All),
        (vec![service("sudo")], OfflineServices::These(vec![service("sudo")])),
    ] {
        let said = OfflineServices::of(permitted.clone(), &asked);
        assert_eq!(said, word);
        for one in &asked {
            assert_eq!(said.contains(one, &asked), permitted.contains(one));
        }
        assert!(!said.contains(&service("sshd"), &asked));
    }
    // A host that asked about nothing was permitted nothing.
    assert_eq!(OfflineServices::of(vec![], &[]), OfflineServices::None);
}
