//! Ending keys, barring accounts and hosts, and looking at who is who.

use countersign_protocol::ids::{Fingerprint, Operation, Role};
use countersign_protocol::ledger::{EntryKind, ExportWriter, Trust, verify_export};
use countersign_protocol::message::result::{
    AccountChanged, AccountCreated, AccountList, InstanceChanged, InstanceList, KeyRevoked, LedgerPage,
    NewAccount,
};
use countersign_protocol::message::{CheckIn, Decision, InstanceState, JobRequest};

use crate::client::host::{Host, Registered};
use crate::client::person::Person;
use crate::client::refusal;
use crate::fixture::{Server, denied, done, register};

fn key_of(person: &Person) -> Fingerprint {
    countersign_protocol::certificate::fingerprint(&person.cert).unwrap()
}

fn accounts(host: &Host, admin: &Person) -> AccountList {
    done(host.job(admin, "read", "accounts/all", Some(b"{}")))
}

/// One more administrator, registered on `host`.
fn another_administrator(host: &Host, admin: &Person, server: &Server) -> Person {
    let body = NewAccount {
        logins: vec!["olga".parse().unwrap()],
        roles: vec![Role::Administrator, Role::User],
        totp: false,
    };
    let body = serde_json::to_vec(&body).unwrap();
    let created: AccountCreated = done(host.job(admin, "create", "account/olga", Some(&body)));
    let olga = Person::new("olga", server.clock_now());
    register(host, &olga, &created.code);
    olga
}

#[test]
fn revoked_key_is_taken_nowhere_and_never_registers_again() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    assert_eq!(host.entries(1, &["ana"])[0].accounts.len(), 1);
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    let revoke = format!("key/{}", key_of(&ana));
    let revoked: KeyRevoked = done(host.job(&admin, "revoke", &revoke, None));
    assert_eq!((revoked.account.as_str(), &revoked.key, revoked.changed), ("ana", &key_of(&ana), true));
    let entry = server.newest(EntryKind::Job);
    assert_eq!(
        (entry.detail["of-account"].as_str(), &entry.detail["revoked-key"]),
        ("ana", &key_of(&ana).to_string())
    );

    // No statement, no roster. The use of the lost card is an alarm of its own.
    assert!(host.entries(2, &["ana"])[0].accounts.is_empty());
    let mut login = host.statement(&ana, "open-session", &format!("session/{}", host.fingerprint()));
    (login.login, login.service) = (Some("ana".parse().unwrap()), Some("sshd".parse().unwrap()));
    let sealed = host.seal(&host.message(&JobRequest { signed: ana.sign(&login), body: None }));
    refusal(&host.send(&sealed), &host.server, &sealed);
    let entry = server.newest(EntryKind::Alarm);
    assert!(entry.reason.contains("was revoked") && entry.reason.contains("ana"), "{}", entry.reason);

    // The account gets a new code, and not the old key.
    let code = server.invite(&host, &admin, "ana", &["ana"]).code;
    assert!(matches!(host.register(&ana, &code).unwrap(), Registered::Refused(_)));
    assert!(server.newest(EntryKind::Alarm).reason.contains("was revoked"));
    let code = server.invite(&host, &admin, "ana", &["ana"]).code;
    let with_new_card = Person::new("ana", server.clock_now());
    register(&host, &with_new_card, &code);
    assert_eq!(host.log_in(&with_new_card, "ana").decision, Decision::Allowed);
    assert_eq!(host.entries(3, &["ana"])[0].accounts.len(), 1);

    // The same again changes nothing, least of all the new key.
    let again: KeyRevoked = done(host.job(&admin, "revoke", &revoke, None));
    assert_eq!((again.key, again.changed), (key_of(&ana), false));
    assert!(server.newest(EntryKind::Job).detail.contains_key("nothing-changed"));
    assert_eq!(host.log_in(&with_new_card, "ana").decision, Decision::Allowed);
    let ana_shown =
        accounts(&host, &admin).accounts.into_iter().find(|one| one.account.as_str() == "ana").unwrap();
    assert_eq!(ana_shown.key.unwrap().key, key_of(&with_new_card));
    assert_eq!(ana_shown.revoked.len(), 1);
    assert_eq!(ana_shown.revoked[0].key, key_of(&ana));
}

#[test]
fn revoked_keys_statements_in_the_ledger_can_still_be_checked() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    host.log_in(&ana, "ana");
    let _: KeyRevoked = done(host.job(&admin, "revoke", &format!("key/{}", key_of(&ana)), None));
    let code = server.invite(&host, &admin, "ana", &["ana"]).code;
    let new = Person::new("ana", server.clock_now());
    register(&host, &new, &code);
    host.log_in(&new, "ana");
    let page: LedgerPage = done(host.job(&admin, "read", "ledger/entries", Some(br#"{"from":0}"#)));
    let export = ExportWriter::begin(Vec::new(), &page).unwrap().finish().unwrap();
    let report = verify_export(export.as_slice(), &Trust::default()).unwrap();
    assert_eq!(report.unattributed, 0);
    assert!(report.statements >= 8, "{}", report.statements);
}

#[test]
fn last_administrator_can_neither_be_revoked_nor_suspended() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let own_key = format!("key/{}", key_of(&admin));
    for (operation, resource) in [("revoke", own_key.as_str()), ("suspend", "account/admin")] {
        denied(&host.job(&admin, operation, resource, None), "last administrator");
    }
    // One who waits for a key, or is suspended, is no help.
    let olga = another_administrator(&host, &admin, &server);
    let _: AccountChanged = done(host.job(&admin, "suspend", "account/olga", None));
    denied(&host.job(&admin, "revoke", &own_key, None), "last administrator");
    // A suspended one's key may go: nobody is lost by that.
    let _: KeyRevoked = done(host.job(&admin, "revoke", &format!("key/{}", key_of(&olga)), None));
    denied(&host.job(&admin, "suspend", "account/admin", None), "last administrator");
    assert_eq!(host.job(&admin, "create", "enrolment-token/x", None).decision, Decision::Allowed);
}

#[test]
fn one_of_two_administrators_can_be_revoked_even_by_oneself() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let olga = another_administrator(&host, &admin, &server);
    let _: KeyRevoked = done(host.job(&admin, "revoke", &format!("key/{}", key_of(&admin)), None));
    denied(&host.job(&olga, "revoke", &format!("key/{}", key_of(&olga)), None), "last administrator");
    let again = host.job(&olga, "revoke", &format!("key/{}", key_of(&admin)), None);
    assert!(!done::<KeyRevoked>(again).changed);
}

#[test]
fn suspended_account_may_do_nothing_until_it_is_resumed() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let suspended: AccountChanged = done(host.job(&admin, "suspend", "account/ana", None));
    assert_eq!((suspended.state.as_str(), suspended.changed), ("suspended", true));
    assert_eq!(server.newest(EntryKind::Job).detail["state-before"], "active");
    denied(&host.log_in(&ana, "ana"), "not active");
    assert!(host.entries(1, &["ana"])[0].accounts.is_empty());
    assert!(!done::<AccountChanged>(host.job(&admin, "suspend", "account/ana", None)).changed);

    // Its key can be revoked meanwhile; the bar stays, also against a new key.
    let _: KeyRevoked = done(host.job(&admin, "revoke", &format!("key/{}", key_of(&ana)), None));
    assert_eq!(accounts(&host, &admin).accounts[1].state, "suspended");
    denied(
        &host.job(&admin, "create", "account/ana", Some(br#"{"logins":["ana"],"roles":["user"]}"#)),
        "suspended",
    );
    let resumed: AccountChanged = done(host.job(&admin, "resume", "account/ana", None));
    assert_eq!((resumed.state.as_str(), resumed.changed), ("pending", true));
    let code = server.invite(&host, &admin, "ana", &["ana"]).code;
    let new = Person::new("ana", server.clock_now());
    register(&host, &new, &code);
    assert_eq!(host.log_in(&new, "ana").decision, Decision::Allowed);
    assert!(!done::<AccountChanged>(host.job(&admin, "resume", "account/ana", None)).changed);
}

#[test]
fn code_handed_out_before_a_suspension_registers_nothing_during_it() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let code = server.invite(&host, &admin, "bob", &["bob"]).code;
    let bob = Person::new("bob", server.clock_now());
    let accepted = host.offer_code(&bob, &code).unwrap().unwrap();
    let _: AccountChanged = done(host.job(&admin, "suspend", "account/bob", None));
    let sealed = host.user_key(&bob, &accepted);
    refusal(&host.send(&sealed), &host.server, &sealed);
    let reason = server.newest(EntryKind::Refusal).reason;
    assert!(reason.contains("was used or has expired"), "{reason}");
}

#[test]
fn suspended_host_carries_nothing_until_it_is_resumed() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let other = server.second_host(&host, &admin);
    let name = format!("instance/{}", other.fingerprint());
    let changed: InstanceChanged = done(host.job(&admin, "suspend", &name, None));
    assert_eq!(
        (changed.state, changed.changed, changed.fork_lifted),
        (InstanceState::Suspended, true, false)
    );
    assert!(!done::<InstanceChanged>(host.job(&admin, "suspend", &name, None)).changed);
    let mut login = other.statement(&ana, "open-session", &format!("session/{}", other.fingerprint()));
    login.login = Some("ana".parse().unwrap());
    let sealed = other.seal(&other.message(&JobRequest { signed: ana.sign(&login), body: None }));
    refusal(&other.send(&sealed), &other.server, &sealed);
    // It learns how it stands, and nobody's name.
    let reply = other.check_in(1, 0, &["ana"]);
    assert_eq!((reply.state, other.roster(&reply).roster().entries.len()), (InstanceState::Suspended, 0));

    let changed: InstanceChanged = done(host.job(&admin, "resume", &name, None));
    assert_eq!((changed.state, changed.changed), (InstanceState::Active, true));
    assert!(!done::<InstanceChanged>(host.job(&admin, "resume", &name, None)).changed);
    assert_eq!(other.log_in(&ana, "ana").decision, Decision::Allowed);
}

#[test]
fn revoked_host_is_nobody_and_cannot_be_resumed() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let mut other = server.second_host(&host, &admin);
    let name = format!("instance/{}", other.fingerprint());
    let changed: InstanceChanged = done(host.job(&admin, "revoke", &name, None));
    assert_eq!((changed.state, changed.changed), (InstanceState::Revoked, true));
    assert!(!done::<InstanceChanged>(host.job(&admin, "revoke", &name, None)).changed);
    for operation in ["resume", "suspend"] {
        denied(&host.job(&admin, operation, &name, None), "revoked for good");
    }
    let sealed = other.seal(&other.message(&CheckIn {
        server_certificate: None,
        counter: 1,
        ledger_size: 0,
        logins: Vec::new(),
        services: Vec::new(),
        version: None,
    }));
    refusal(&other.send(&sealed), &other.server, &sealed);
    assert_eq!(other.key_update(Some(3600)).status, 400);
}

#[test]
fn waiting_host_is_turned_away_by_revoking_it() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let waiting = server.newcomer().enrol(None);
    let name = format!("instance/{}", waiting.fingerprint());
    denied(&host.job(&admin, "suspend", &name, None), "waits for approval");
    denied(&host.job(&admin, "resume", &name, None), "never approved");
    let _: InstanceChanged = done(host.job(&admin, "revoke", &name, None));
    let words = countersign_protocol::key_words::key_words(&waiting.fingerprint());
    denied(&host.job(&admin, "approve", &format!("instance/{words}"), None), "waiting host");
}

#[test]
fn host_one_sits_at_is_not_ended_from_itself() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let name = format!("instance/{}", host.fingerprint());
    for operation in ["suspend", "revoke"] {
        denied(&host.job(&admin, operation, &name, None), "sitting at");
    }
    assert_eq!(host.job(&admin, "create", "enrolment-token/x", None).decision, Decision::Allowed);
}

#[test]
fn administrator_lifts_a_fork_from_another_host_and_the_counter_begins_anew() {
    let server = Server::new();
    let (mut host, admin, ana) = server.with_ana();
    let other = server.second_host(&host, &admin);
    host.check_in(7, 0, &[]);
    server.clock.turn(1);
    host.check_in(7, 0, &[]);
    let name = format!("instance/{}", host.fingerprint());
    denied(&host.job(&admin, "resume", &name, None), "seen twice");
    let list: InstanceList = done(other.job(&admin, "read", &name, None));
    assert!(list.instances[0].forked.is_some());

    let changed: InstanceChanged = done(other.job(&admin, "resume", &name, None));
    assert_eq!((changed.state, changed.changed, changed.fork_lifted), (InstanceState::Active, true, true));
    assert!(server.newest(EntryKind::Job).detail["fork-lifted"].contains("begins anew"));
    // Whoever still speaks for it announces its session keys anew: a copy that goes on shows itself at once.
    let sealed = host.seal(&host.message(&CheckIn {
        server_certificate: None,
        counter: 8,
        ledger_size: 0,
        logins: Vec::new(),
        services: Vec::new(),
        version: None,
    }));
    refusal(&host.send(&sealed), &host.server, &sealed);
    assert_eq!(host.key_update_counted(2, Some(3600)).status, 200);
    host.check_in(3, 0, &[]);
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    assert_eq!(host.job(&admin, "create", "enrolment-token/x", None).decision, Decision::Allowed);
    server.clock.turn(1);
    host.check_in(3, 0, &[]);
    assert_eq!(server.newest(EntryKind::Alarm).detail["counter-before"], "3");
}

#[test]
fn list_shows_names_states_keys_and_when_they_were_seen() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    server.invite(&host, &admin, "bob", &["bob", "www"]);
    host.log_in(&ana, "ana");
    host.check_in(1, 0, &[]);
    let list = accounts(&host, &admin);
    assert!(!list.more);
    let names: Vec<&str> = list.accounts.iter().map(|one| one.account.as_str()).collect();
    assert_eq!(names, ["admin", "ana", "bob"]);
    let shown = &list.accounts[1];
    let key = shown.key.as_ref().unwrap();
    assert_eq!((shown.state.as_str(), &key.key), ("active", &key_of(&ana)));
    assert_eq!(key.card.map(|card| card.to_string()).as_deref(), Some("FFFE:0000AAAA"));
    assert_eq!((shown.seen, list.accounts[2].seen), (Some(server.clock_now()), None));
    assert_eq!(list.accounts[2].logins.len(), 2);
    let after: AccountList = done(host.job(&admin, "read", "accounts/all", Some(br#"{"after":"ana"}"#)));
    assert_eq!(after.accounts.len(), 1);

    let hosts: InstanceList = done(host.job(&admin, "read", "instances/all", Some(b"{}")));
    let shown = &hosts.instances[0];
    assert_eq!((&shown.instance, shown.state), (&host.fingerprint(), InstanceState::Active));
    assert_eq!((shown.seen, shown.forked), (Some(server.clock_now()), None));
    let one: AccountList = done(host.job(&admin, "read", "account/bob", None));
    assert_eq!(one.accounts[0].state, "pending");
    denied(&host.job(&admin, "read", "account/nobody", None), "no account");
}

#[test]
fn only_administrators_end_anything_and_only_auditors_look() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let other = server.second_host(&host, &admin);
    let (key, instance) = (format!("key/{}", key_of(&admin)), format!("instance/{}", other.fingerprint()));
    for operation in ["revoke", "suspend", "resume", "read"] {
        let operation: Operation = operation.parse().unwrap();
        for resource in [&key, &instance, "account/admin", "account/nobody", "accounts/all", "instances/all"]
        {
            denied(&host.job(&ana, operation.as_str(), resource, None), "No policy");
        }
    }
    // What no policy knows is unknown to administrators as well.
    for (operation, resource) in
        [("revoke", "account/ana"), ("suspend", key.as_str()), ("revoke", "session/x")]
    {
        denied(&host.job(&admin, operation, resource, None), "No policy");
    }
    for resource in ["key/0000", "key/0000000000000000000000000000000000000000"] {
        denied(&host.job(&admin, "revoke", resource, None), "key");
    }
}
