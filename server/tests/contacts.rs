//! Where people can be reached: theirs to say, and never changed unseen.

use std::collections::BTreeSet;

use countersign_protocol::contact::{Address, Channel};
use countersign_protocol::ledger::EntryKind;
use countersign_protocol::message::result::{
    AccountChanged, AccountCreated, ContactCode, ContactList, KeyRevoked, NamedContact, NewContact,
};
use countersign_protocol::message::{Decision, JobReply};
use countersign_protocol::random::SystemRandom;
use countersign_server::invite::replace_key;
use countersign_server::open;
use countersign_server_core::outbox::Reach;
use serde::Serialize;

use crate::client::host::Host;
use crate::client::person::Person;
use crate::client::postbox::{Postbox, code};
use crate::fixture::{Server, done, register};

fn site() -> (Server, Host, Person, Person, Postbox) {
    let server = Server::with_reach(Reach { channels: BTreeSet::from([Channel::Email]), ..Reach::default() });
    let (host, admin, ana) = server.with_ana();
    let postbox = server.postbox();
    (server, host, admin, ana, postbox)
}

fn address(text: &str) -> Address {
    Address::typed(text).unwrap()
}

fn job(host: &Host, person: &Person, operation: &str, body: &impl Serialize) -> JobReply {
    let body = serde_json::to_vec(body).unwrap();
    host.job(person, operation, &format!("account/{}", person.account), Some(&body))
}

fn add(host: &Host, person: &Person, to: &str) -> JobReply {
    job(host, person, "add-contact", &NewContact { address: address(to) })
}

fn confirm(host: &Host, person: &Person, code: &str) -> JobReply {
    job(host, person, "confirm-contact", &ContactCode { code: code.to_owned() })
}

fn list(reply: JobReply) -> Vec<String> {
    assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
    let list: ContactList = serde_json::from_value(reply.result.unwrap()).unwrap();
    list.contacts.iter().map(|contact| contact.address.to_string()).collect()
}

#[test]
fn an_address_changes_with_the_card_and_its_own_code_and_the_old_one_is_told() {
    let (server, host, _, ana, postbox) = site();
    assert!(list(add(&host, &ana, "ana@old.example")).is_empty(), "before it was confirmed");
    assert_eq!(list(confirm(&host, &ana, &code(&postbox.one()))), ["ana@old.example"]);
    assert!(postbox.collect().is_empty());

    server.clock.turn(1);
    assert_eq!(list(add(&host, &ana, "ana@new.example")), ["ana@old.example"]);
    let letter = postbox.one();
    assert_eq!(letter.to, address("ana@new.example"));
    assert_eq!(list(confirm(&host, &ana, &code(&letter))), ["ana@old.example", "ana@new.example"]);
    let told = postbox.one();
    assert_eq!(told.to, address("ana@old.example"));
    assert!(
        told.text.contains("another address") && told.text.contains("If it was not you"),
        "{}",
        told.text
    );

    let gone = NamedContact { address: address("ana@old.example") };
    assert_eq!(list(job(&host, &ana, "remove-contact", &gone)), ["ana@new.example"]);
    let told: BTreeSet<String> = postbox.collect().iter().map(|letter| letter.to.to_string()).collect();
    assert_eq!(told, BTreeSet::from(["ana@new.example".to_owned(), "ana@old.example".to_owned()]));
    let entry = server.newest(EntryKind::Job);
    assert!(entry.detail.contains_key("contact-removed"));
    assert!(!format!("{:?}", server.entries()).contains("example"), "the ledger holds an address");
    assert_eq!(job(&host, &ana, "remove-contact", &gone).decision, Decision::Denied);
}

#[test]
fn a_wrong_code_confirms_nothing_and_five_end_it() {
    let (_server, host, _, ana, postbox) = site();
    add(&host, &ana, "ana@example.org");
    let right = code(&postbox.one());
    for _ in 0..5 {
        assert_eq!(confirm(&host, &ana, "0000-0000").decision, Decision::Denied);
    }
    assert_eq!(confirm(&host, &ana, &right).decision, Decision::Denied);
    assert!(list(host.job(&ana, "read-contacts", "account/ana", None)).is_empty());
}

#[test]
fn nobody_says_or_sees_where_somebody_else_is_reached() {
    let (_server, host, admin, ana, postbox) = site();
    add(&host, &ana, "ana@example.org");
    confirm(&host, &ana, &code(&postbox.one()));
    let body = serde_json::to_vec(&NewContact { address: address("evil@example.org") }).unwrap();
    assert_eq!(host.job(&admin, "add-contact", "account/ana", Some(&body)).decision, Decision::Denied);
    assert_eq!(host.job(&admin, "remove-contact", "account/ana", Some(&body)).decision, Decision::Denied);
    assert_eq!(host.job(&admin, "read-contacts", "account/ana", None).decision, Decision::Denied);
    assert!(postbox.collect().is_empty());
}

#[test]
fn an_address_of_somebody_else_gets_the_same_answer_and_its_owner_a_letter() {
    let (_server, host, admin, ana, postbox) = site();
    add(&host, &ana, "ana@example.org");
    confirm(&host, &ana, &code(&postbox.one()));
    let shape = |reply: JobReply| {
        let list: ContactList = serde_json::from_value(reply.result.unwrap()).unwrap();
        (reply.decision, list.contacts.len(), list.waiting_until.is_some())
    };
    let known = shape(add(&host, &admin, "ana@example.org"));
    let letter = postbox.collect();
    // The pause since ana's own request has not passed, or a letter says so.
    assert!(letter.iter().all(|letter| letter.text.contains("another account has already")));
    let unknown = shape(add(&host, &admin, "max@example.org"));
    assert_eq!(known, unknown);
    assert_eq!(code(&postbox.one()).len(), 9);
}

#[test]
fn a_server_without_mail_says_so() {
    let server = Server::new();
    let (host, _, ana) = server.with_ana();
    let reply = add(&host, &ana, "ana@example.org");
    assert_eq!(reply.decision, Decision::Denied);
    assert!(reply.reason.contains("sends no mail"), "{}", reply.reason);
}

#[test]
fn no_address_lies_open_in_the_database() {
    let (server, host, _, ana, postbox) = site();
    add(&host, &ana, "ana@very-private.example");
    confirm(&host, &ana, &code(&postbox.one()));
    add(&host, &ana, "other@very-private.example");
    for file in std::fs::read_dir(server.folder.root()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(12).any(|window| window == b"very-private"));
    }
}

/// Puts an address into an account, with its code.
fn reached_at(host: &Host, person: &Person, postbox: &Postbox, to: &str) {
    add(host, person, to);
    assert_eq!(list(confirm(host, person, &code(&postbox.one()))), [to]);
}

/// An administrator alone can end a key and have another one bound: not unseen.
#[test]
fn every_key_that_ends_or_comes_is_told_to_its_person_whoever_did_it() {
    let (server, host, admin, ana, postbox) = site();
    reached_at(&host, &ana, &postbox, "ana@example.org");
    let key = |person: &Person| countersign_protocol::certificate::fingerprint(&person.cert).unwrap();
    let told = |parts: &[&str]| {
        let letter = postbox.one();
        assert_eq!(letter.to, address("ana@example.org"));
        assert!(parts.iter().all(|part| letter.text.contains(part)), "{parts:?}: {}", letter.text);
    };
    let another = || Person::new("ana", server.clock_now());
    let own_code = |person: &Person, operation: &str| {
        done::<AccountCreated>(host.job(person, operation, "account/ana", None)).code
    };

    let second = another();
    assert!(host.register(&second, &own_code(&ana, "add-key")).is_ok());
    told(&["has a new key", &key(&second).to_string(), "beside"]);
    let newer = another();
    assert!(host.register(&newer, &own_code(&second, "rotate-key")).is_ok());
    told(&["has a new key", &key(&newer).to_string(), &key(&second).to_string(), "took the place"]);
    for gone in [&newer, &ana] {
        let _: KeyRevoked = done(host.job(&admin, "revoke", &format!("key/{}", key(gone)), None));
        told(&["ended", &key(gone).to_string(), "by the administrator admin"]);
        assert_eq!(server.newest(EntryKind::Job).detail["contacts-told"], "1");
    }
    let invited = server.invite(&host, &admin, "ana", &["ana"]);
    let anas = another();
    register(&host, &anas, &invited.code);
    told(&["has a new key", &key(&anas).to_string(), "an administrator made a code"]);
    assert_eq!(server.newest(EntryKind::Registration).detail["contacts-told"], "1");

    // On the server's own machine.
    reached_at(&host, &admin, &postbox, "admin@example.org");
    let (store, keys) = (server.read_store(), open::keys(&server.folder).unwrap());
    let reach = Reach { channels: BTreeSet::from([Channel::Email]), ..Reach::default() };
    replace_key(&*store, &keys, &admin.account, &reach, &*server.clock, &SystemRandom).unwrap();
    let letter = postbox.one();
    assert!(letter.text.contains("on the server's own machine"), "{}", letter.text);
}

#[test]
fn an_address_of_a_retired_account_is_nobodys_after_one_last_letter() {
    let (server, host, admin, ana, postbox) = site();
    reached_at(&host, &ana, &postbox, "ana@example.org");
    let _: AccountChanged = done(host.job(&admin, "retire", "account/ana", None));
    let last = postbox.one();
    assert!(last.to == address("ana@example.org") && last.text.contains("was retired"), "{}", last.text);
    // The pause between two letters to one address.
    server.clock.turn(60);
    reached_at(&host, &admin, &postbox, "ana@example.org");
}

/// What is only tried is taken back, the count of tries with it.
#[test]
fn a_code_is_not_tried_without_counting() {
    let (_server, host, _, ana, postbox) = site();
    add(&host, &ana, "ana@example.org");
    let right = code(&postbox.one());
    let body = serde_json::to_vec(&ContactCode { code: right.clone() }).unwrap();
    let mut statement = host.statement(&ana, "confirm-contact", "account/ana");
    statement.body = Some(countersign_protocol::ids::Digest::of(&body));
    statement.dry_run = true;
    let reply = host.request(&ana, &statement, Some(&body));
    assert_eq!(reply.dry_run, Some(Decision::Denied), "it tells whether the code is right");
    assert!(reply.reason.contains("each try counts"), "{}", reply.reason);
    assert_eq!(list(confirm(&host, &ana, &right)), ["ana@example.org"]);
}
