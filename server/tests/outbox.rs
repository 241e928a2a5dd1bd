//! Letters: none lost, none twice as far as can be helped, none for ever.

use std::collections::BTreeSet;

use countersign_protocol::contact::{Address, Channel};
use countersign_protocol::ledger::EntryKind;
use countersign_protocol::limits;
use countersign_protocol::message::result::{AccountCreated, ContactCode, ContactList, NewContact};
use countersign_server_core::outbox::{Failed, Reach};

use crate::client::host::Host;
use crate::client::person::Person;
use crate::client::postbox::code;
use crate::fixture::{Server, done, register};

fn site() -> (Server, Host, Person) {
    let channels = BTreeSet::from([Channel::Email, Channel::Sms]);
    let server = Server::with_reach(Reach { channels, ..Reach::default() });
    let (host, _, ana) = server.with_ana();
    (server, host, ana)
}

fn write_to(host: &Host, ana: &Person, address: &str) {
    let body = serde_json::to_vec(&NewContact { address: Address::typed(address).unwrap() }).unwrap();
    assert!(host.job(ana, "add-contact", "account/ana", Some(&body)).result.is_some());
}

#[test]
fn of_several_processes_one_has_a_letter_and_another_takes_it_when_that_one_dies() {
    let (server, host, ana) = site();
    for name in ["a", "b", "c", "d"] {
        write_to(&host, &ana, &format!("{name}@example.org"));
    }
    let taken: Vec<String> = std::thread::scope(|scope| {
        let processes: Vec<_> = (0..4)
            .map(|_| {
                let postbox = server.postbox();
                scope.spawn(move || {
                    let mut mine = Vec::new();
                    while let Some(delivery) = postbox.take(Channel::Email) {
                        mine.push(delivery.letter.to.to_string());
                    }
                    mine
                })
            })
            .collect();
        processes.into_iter().flat_map(|process| process.join().unwrap()).collect()
    });
    assert_eq!(taken.len(), 4, "{taken:?}");
    assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), 4, "one was taken twice: {taken:?}");
    // None of the four processes lived to say that it was delivered.
    let postbox = server.postbox();
    assert!(postbox.collect().is_empty());
    server.clock.turn(limits::OUTBOX_LEASE);
    assert_eq!(postbox.collect().len(), 4);
    assert!(postbox.collect().is_empty());
}

#[test]
fn a_letter_that_fails_is_tried_again_later_and_given_up_at_its_end_with_a_note_in_the_ledger() {
    let (server, host, ana) = site();
    write_to(&host, &ana, "ana@example.org");
    let postbox = server.postbox();
    let mut tries = 0;
    for _ in 0..limits::SELF_REGISTRATION_LIFE / 5 {
        if let Some(delivery) = postbox.take(Channel::Email) {
            assert!(!postbox.fails(&delivery, Failed::ForNow));
            assert!(postbox.take(Channel::Email).is_none(), "at once again");
            tries += 1;
        }
        server.clock.turn(5);
    }
    assert!((7..10).contains(&tries), "{tries} tries");
    assert!(postbox.take(Channel::Email).is_none());
    let entry = server.newest(EntryKind::Undelivered);
    assert_eq!(entry.account, Some(ana.account.clone()));
    assert_eq!(entry.detail["purpose"], "contact");
    assert!(!format!("{entry:?}").contains("example.org"));
}

#[test]
fn a_letter_that_its_receiver_does_not_take_is_given_up_at_once() {
    let (server, host, ana) = site();
    write_to(&host, &ana, "ana@example.org");
    let postbox = server.postbox();
    let delivery = postbox.take(Channel::Email).unwrap();
    assert!(postbox.fails(&delivery, Failed::ForGood));
    assert!(server.newest(EntryKind::Undelivered).reason.contains("does not take it"));
    server.clock.turn(limits::OUTBOX_LEASE);
    assert!(postbox.collect().is_empty());
}

#[test]
fn mail_that_cannot_go_holds_up_no_short_message() {
    let (server, host, ana) = site();
    write_to(&host, &ana, "ana@example.org");
    write_to(&host, &ana, "+491512345678");
    let postbox = server.postbox();
    let _held = postbox.take(Channel::Email).unwrap();
    assert_eq!(postbox.take(Channel::Sms).unwrap().letter.to.as_str(), "+491512345678");
}

#[test]
fn word_of_a_process_that_was_too_slow_counts_no_more() {
    let (server, host, ana) = site();
    write_to(&host, &ana, "ana@example.org");
    let postbox = server.postbox();
    let slow = postbox.take(Channel::Email).unwrap();
    server.clock.turn(limits::OUTBOX_LEASE);
    let quick = postbox.take(Channel::Email).unwrap();
    assert!(postbox.fails(&slow, Failed::ForNow) || postbox.take(Channel::Email).is_none());
    assert!(!postbox.fails(&quick, Failed::ForNow));
    server.clock.turn(30);
    assert_eq!(postbox.collect().len(), 1);
}

#[test]
fn word_of_keys_leaves_before_what_anybody_can_have_sent() {
    let (server, host, ana) = site();
    let postbox = server.postbox();
    write_to(&host, &ana, "ana@example.org");
    let body = serde_json::to_vec(&ContactCode { code: code(&postbox.one()) }).unwrap();
    let _: ContactList = done(host.job(&ana, "confirm-contact", "account/ana", Some(&body)));
    for number in 0..5 {
        write_to(&host, &ana, &format!("{number}@example.org"));
    }
    server.clock.turn(60);
    let rotated: AccountCreated = done(host.job(&ana, "rotate-key", "account/ana", None));
    register(&host, &Person::new("ana", server.clock_now()), &rotated.code);
    let first = postbox.take(Channel::Email).unwrap();
    assert_eq!(first.letter.subject, "Your account's keys");
    assert_eq!(postbox.collect().len(), 5);
}

/// Nobody takes them any more.
#[test]
fn letters_by_a_way_that_the_server_has_no_more_are_forgotten_after_their_end() {
    let (server, host, ana) = site();
    write_to(&host, &ana, "+491512345678");
    let letters = || server.intruder().number("SELECT count(*) FROM letters");
    let forgets = |late: i64| {
        let (store, at) = (server.store(), server.clock_now().plus(limits::SELF_REGISTRATION_LIFE + late));
        let tx = store.begin().unwrap();
        tx.forget(at).unwrap();
        tx.commit().unwrap();
        letters()
    };
    assert_eq!((letters(), forgets(0), forgets(1)), (1, 1, 0));
}
