//! Where people can be reached: theirs to say, and never changed unseen.

use std::collections::BTreeSet;

use countersign_protocol::contact::{Address, Channel};
use countersign_protocol::ledger::EntryKind;
use countersign_protocol::message::result::{ContactCode, ContactList, NamedContact, NewContact};
use countersign_protocol::message::{Decision, JobReply};
use countersign_server_core::outbox::Reach;
use serde::Serialize;

use crate::client::host::Host;
use crate::client::person::Person;
use crate::client::postbox::{Postbox, code};
use crate::fixture::Server;

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
