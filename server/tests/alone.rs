//! Registering without an administrator, and how it does not work (W7 to W13).

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate;
use countersign_protocol::contact::Channel;
use countersign_protocol::ids::Role;
use countersign_protocol::key_words::{commitment_words, key_words};
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::limits;
use countersign_protocol::message::result::{AccountCreated, ContactList, NewAccount};
use countersign_protocol::message::{Decision, RegistrationMethod, RegistrationRecord, Unavailable, UserKey};
use countersign_protocol::totp::TotpSecret;
use countersign_server_core::outbox::Reach;
use secrecy::ExposeSecret as _;

use crate::client::host::{Host, Registered};
use crate::client::newcomer_alone::email;
use crate::client::person::Person;
use crate::client::postbox::{Postbox, code};
use crate::client::refusal;
use crate::fixture::{Server, register};

fn reach() -> Reach {
    Reach {
        channels: BTreeSet::from([Channel::Email, Channel::Sms]),
        registration: BTreeSet::from([Channel::Email, Channel::Sms]),
        totp: true,
        domains: Vec::new(),
    }
}

fn open() -> (Server, Host, Postbox) {
    let server = Server::with_reach(reach());
    let host = server.host();
    let postbox = server.postbox();
    (server, host, postbox)
}

fn bob(server: &Server) -> Person {
    Person::new("bob", server.clock_now())
}

/// Sends the key for an accepted code.
fn bind(host: &Host, person: &Person, accepted: &crate::client::host::Accepted) -> RegistrationRecord {
    let sealed = host.user_key(person, accepted);
    host.open(&sealed, &host.send(&sealed)).body().unwrap()
}

/// What an authenticator program shows now: another implementation's opinion.
fn shown(server: &Server, secret: &TotpSecret, late: i64) -> String {
    let at = format!("@{}", server.clock_now().seconds() + late);
    let told = std::process::Command::new("oathtool")
        .args(["--totp", "--base32", "--now", &at, secret.base32().expose_secret()])
        .output()
        .unwrap();
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}

#[test]
fn whoever_shows_an_address_gets_an_account_that_opens_no_login() {
    let (server, host, postbox) = open();
    let bob = bob(&server);
    let asked = host.asks_alone(&bob, email("bob@example.org"));
    let accepted = host.types(&asked, &code(&postbox.one()).to_lowercase()).unwrap();
    let record = bind(&host, &bob, &accepted);
    assert_eq!(record.certificate, certificate::fingerprint(&bob.cert).unwrap());
    assert!(record.emergency_code.is_some());
    let entry = server.newest(EntryKind::Registration);
    assert!(entry.detail.contains_key("contact"), "{entry:?}");
    assert!(!format!("{:?}", server.entries()).contains("example.org"), "the ledger holds an address");
    let login = host.log_in(&bob, "bob");
    assert_eq!(login.decision, Decision::Denied, "{}", login.reason);
    let listed = host.job(&bob, "read-contacts", "account/bob", None).result.unwrap();
    let listed: ContactList = serde_json::from_value(listed).unwrap();
    assert_eq!(listed.contacts[0].address.as_str(), "bob@example.org");
    let store = server.store();
    let account = store.view().unwrap().account(&bob.account).unwrap();
    assert_eq!(account.unwrap().roles, [Role::User]);
}

#[test]
fn nobody_registers_alone_where_the_server_was_not_told_to_let_them() {
    let server = Server::new();
    let host = server.host();
    let bob = bob(&server);
    for method in [email("bob@example.org"), email("+491512345678"), RegistrationMethod::Totp] {
        let asked = host.asks_alone(&bob, method);
        assert_eq!(asked.reply.unavailable, Some(Unavailable::Method));
        assert_eq!(asked.reply.totp, None);
        assert_eq!(server.newest(EntryKind::RegistrationTry).decision, Outcome::Denied);
    }
    let server = Server::with_reach(Reach { domains: vec!["example.org".parse().unwrap()], ..reach() });
    let host = server.host();
    for (address, unavailable) in [
        ("bob@example.org", None),
        ("bob@evil.example", Some(Unavailable::Domain)),
        ("bob@sub.example.org", Some(Unavailable::Domain)),
    ] {
        assert_eq!(host.asks_alone(&bob, email(address)).reply.unavailable, unavailable, "{address}");
    }
    assert_eq!(server.postbox().collect().len(), 1);
}

/// W7.
#[test]
fn the_server_makes_the_secret_of_an_authenticator_and_seals_it_on_the_way_and_at_rest() {
    let (server, host, _) = open();
    let asked = host.asks_alone(&bob(&server), RegistrationMethod::Totp);
    let secret = asked.reply.totp.clone().unwrap();
    let eve = Person::new("eve", server.clock_now());
    let at_once = host.asks_alone(&eve, RegistrationMethod::Totp).reply;
    assert_eq!((at_once.unavailable, at_once.totp), (Some(Unavailable::Now), None));
    server.clock.turn(60);
    let other = host.asks_alone(&eve, RegistrationMethod::Totp);
    assert_ne!(other.reply.totp.unwrap(), secret, "one secret for two");
    let needles = [secret.base32().expose_secret().as_bytes().to_vec(), secret.expose().to_vec()];
    let mut places = vec![asked.answer.body];
    for file in std::fs::read_dir(server.folder.root()).unwrap() {
        places.push(std::fs::read(file.unwrap().path()).unwrap());
    }
    for needle in &needles {
        for place in &places {
            assert!(!place.windows(needle.len()).any(|window| window == needle), "the secret lies open");
        }
    }
}

/// W8.
#[test]
fn an_authenticator_alone_buys_an_account_without_any_right() {
    let (server, host, postbox) = open();
    let admin = server.administrator(&host);
    let bob = bob(&server);
    let asked = host.asks_alone(&bob, RegistrationMethod::Totp);
    let secret = asked.reply.totp.clone().unwrap();
    assert!(host.types(&asked, "000000").is_none());
    let accepted = host.types(&asked, &shown(&server, &secret, 0)).unwrap();
    bind(&host, &bob, &accepted);
    assert!(postbox.collect().is_empty());
    let account = {
        let store = server.store();
        let view = store.view().unwrap();
        view.account(&bob.account).unwrap().unwrap()
    };
    assert!(account.roles.is_empty() && account.logins.is_empty());
    for (operation, resource) in [
        ("read", "accounts/all"),
        ("read", "ledger/entries"),
        ("create", "account/eve"),
        ("create", "enrolment-token/x"),
        ("suspend", "account/admin"),
    ] {
        let reply = host.job(&bob, operation, resource, Some(b"{\"from\":0}"));
        assert_eq!(reply.decision, Decision::Denied, "{operation} {resource}");
    }
    assert_eq!(host.log_in(&bob, "bob").decision, Decision::Denied);
    assert_eq!(host.log_in(&admin, "root").decision, Decision::Allowed);
}

#[test]
fn a_code_of_an_authenticator_works_once_and_one_step_early_or_late() {
    let (server, host, _) = open();
    for (name, late, fine) in [("bob", -30, true), ("eve", 30, true), ("max", -61, false), ("ute", 61, false)]
    {
        let person = Person::new(name, server.clock_now());
        // Over the pause between two from one host.
        server.clock.turn(900);
        let asked = host.asks_alone(&person, RegistrationMethod::Totp);
        let typed = shown(&server, asked.reply.totp.as_ref().unwrap(), late);
        assert_eq!(host.types(&asked, &typed).is_some(), fine, "{name} {late}");
    }
    // The same code for the same secret, beside an administrator's code, after a first try that failed by its code.
    let admin = server.administrator(&host);
    let (created, secret) = invited_with_totp(&host, &admin, "kim");
    let kim = Person::new("kim", server.clock_now());
    let now = shown(&server, &secret, 0);
    assert!(host.offers_both(&kim, &created.code, &now));
}

fn invited_with_totp(host: &Host, admin: &Person, name: &str) -> (AccountCreated, TotpSecret) {
    let body = NewAccount { logins: vec![name.parse().unwrap()], roles: vec![Role::User], totp: true };
    let body = serde_json::to_vec(&body).unwrap();
    let reply = host.job(admin, "create", &format!("account/{name}"), Some(&body));
    let created: AccountCreated = serde_json::from_value(reply.result.unwrap()).unwrap();
    let secret = created.totp.clone().unwrap();
    (created, secret)
}

#[test]
fn an_administrators_code_can_need_an_authenticator_beside_it() {
    let (server, host, _) = open();
    let admin = server.administrator(&host);
    let (created, secret) = invited_with_totp(&host, &admin, "kim");
    assert_eq!(created.code.len(), 14, "a group more, so that the host asks for both");
    let kim = Person::new("kim", server.clock_now());
    assert!(matches!(host.register(&kim, &created.code).unwrap(), Registered::WrongCode));
    assert!(!host.offers_both(&kim, &created.code, "000000"));
    assert!(!host.offers_both(&kim, "0000-0000-0000", &shown(&server, &secret, 0)));
    assert!(!host.offers_both(&kim, &created.code, &shown(&server, &secret, -90)));
    assert!(host.offers_both(&kim, &created.code, &shown(&server, &secret, 0)));
    // A code without: the authenticator of the one before is needed no more.
    let body = NewAccount { logins: vec!["kim".parse().unwrap()], roles: vec![Role::User], totp: false };
    let reply = host.job(&admin, "create", "account/kim", Some(&serde_json::to_vec(&body).unwrap()));
    let created: AccountCreated = serde_json::from_value(reply.result.unwrap()).unwrap();
    register(&host, &kim, &created.code);
}

/// W9: whoever gets a victim to read a code out has committed to a key before, and the letter says which.
#[test]
fn a_code_read_out_to_somebody_else_binds_no_other_key_and_the_letter_names_them() {
    let (server, host, postbox) = open();
    let (victim, thief) = (bob(&server), bob(&server));
    let for_victim = host.asks_alone(&victim, email("bob@example.org"));
    let letter = postbox.one();
    let victims_key = commitment_words(&certificate::commitment(&victim.cert).unwrap());
    for part in [
        "the account bob",
        crate::fixture::URL,
        "application   countersign",
        &key_words(&host.fingerprint()),
        &victims_key,
        "If the words differ, or it was not you",
    ] {
        assert!(letter.text.contains(part), "{part:?} is not in: {}", letter.text);
    }
    // The thief begins too, for the same name and address, and has the victim's code.
    server.clock.turn(60);
    let for_thief = host.asks_alone(&thief, email("bob@example.org"));
    let thiefs = postbox.one();
    assert!(!thiefs.text.contains(&victims_key));
    assert!(host.types(&for_thief, &code(&letter)).is_none());
    let accepted = host.types(&for_victim, &code(&letter)).unwrap();
    let sealed = host.user_key(&thief, &accepted);
    refusal(&host.send(&sealed), &host.server, &sealed);
    assert!(server.newest(EntryKind::Refusal).reason.contains("not the one committed to"));
    bind(&host, &victim, &accepted);
    // What the thief waits for is worth nothing now: neither name nor address is free.
    let accepted = host.types(&for_thief, &code(&thiefs)).unwrap();
    let sealed = host.user_key(&thief, &accepted);
    refusal(&host.send(&sealed), &host.server, &sealed);
}

#[test]
fn a_code_is_good_at_the_host_that_asked_for_it_alone() {
    let (server, host, postbox) = open();
    let admin = server.administrator(&host);
    let other = server.second_host(&host, &admin);
    let bob = bob(&server);
    let asked = host.asks_alone(&bob, email("bob@example.org"));
    let code = code(&postbox.one());
    let body = countersign_protocol::message::RegistrationCode {
        registration: asked.id(),
        code: code.clone(),
        totp: None,
    };
    let sealed = other.seal(&other.message(&body).with_transcript(asked.chain.digest()));
    refusal(&other.send(&sealed), &other.server, &sealed);
    assert!(host.types(&asked, &code).is_some());
}

/// W10: tries are counted before anything is compared.
#[test]
fn a_code_that_was_sent_has_five_tries_in_all_however_many_ask_at_once() {
    let (server, host, postbox) = open();
    let bob = bob(&server);
    let asked = host.asks_alone(&bob, email("bob@example.org"));
    let right = code(&postbox.one());
    assert!(right.len() >= 9, "fewer than forty bits");
    std::thread::scope(|scope| {
        for door in 0..4 {
            let mut own = host.copy();
            own.carrier = server.another_door();
            let asked = &asked;
            scope.spawn(move || {
                for guess in 0..3 {
                    assert!(own.types(asked, &format!("{door:04}-{guess:04}")).is_none());
                }
            });
        }
    });
    assert!(host.types(&asked, &right).is_none(), "twelve guesses left a try");
    // Another request is another code, with its own tries.
    server.clock.turn(60);
    let asked = host.asks_alone(&bob, email("bob@example.org"));
    assert!(host.types(&asked, &right).is_none());
    assert!(host.types(&asked, &code(&postbox.one())).is_some());
}

/// W10: three live requests, ten a day, and pauses that double, through however many processes.
#[test]
fn an_address_gets_few_messages_and_ever_later_ones() {
    let (server, mut host, postbox) = open();
    let bob = bob(&server);
    let mut sent = |wait: i64| {
        server.clock.turn(wait);
        // Session keys end after some hours.
        assert_eq!(host.key_update(Some(7 * 3600)).status, 200);
        host.asks_alone(&bob, email("bob@example.org"));
        postbox.collect().len()
    };
    assert_eq!(sent(0), 1);
    assert_eq!(sent(14), 0, "within the first pause");
    assert_eq!(sent(1), 1);
    assert_eq!(sent(29), 0, "within the second one");
    assert_eq!(sent(1), 1);
    assert_eq!(sent(600), 0, "a fourth that lives");
    assert_eq!(sent(limits::SELF_REGISTRATION_LIFE), 1);
    let all: usize = (0..15).map(|_| sent(5000)).sum();
    assert_eq!(all, 6, "ten in a day");
    assert_eq!(sent(9000), 1, "the next day");

    // At once, through several processes, one is counted.
    server.clock.turn(3 * 3600);
    let all: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let mut own = host.copy();
                own.carrier = server.another_door();
                let bob = &bob;
                scope.spawn(move || drop(own.asks_alone(bob, email("eve@example.org"))))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        postbox.collect().len()
    });
    assert_eq!(all, 1);
}

/// W10: one host uses up its own part of what a mailbox gets, whatever it hangs on the name, and its own share of all.
#[test]
fn a_host_that_writes_to_everybody_uses_up_its_own_share_and_nobody_elses_mailbox() {
    let (server, mut host, postbox) = open();
    let admin = server.administrator(&host);
    let mut other = server.second_host(&host, &admin);
    let bob = bob(&server);
    // Somebody's mailbox, under ever other names.
    let mut tags = 0..;
    let mut asked = |host: &mut Host, wait: i64| {
        server.clock.turn(wait);
        assert_eq!(host.key_update(Some(7 * 3600)).status, 200);
        let address = format!("ana+{}@example.org", tags.next().unwrap());
        assert_eq!(host.asks_alone(&bob, email(&address)).reply.unavailable, None);
        postbox.collect().len()
    };
    let sent: usize = (0..12).map(|_| asked(&mut host, 5000)).sum();
    assert_eq!(sent, limits::REQUESTS_A_DAY as usize);
    assert_eq!(asked(&mut other, 0), 1, "its owner asks at their own host");

    // To everybody, until the share is used up. Somebody who is known and somebody who is not hear the same of that.
    let share = limits::letters_of_a_host(Channel::Sms);
    let mut numbers = 0..share;
    let all = numbers.by_ref().take_while(|number| {
        let asked = host.asks_alone(&bob, email(&format!("+4915100{number:05}")));
        asked.reply.unavailable.is_none()
    });
    assert_eq!(all.count(), share as usize);
    assert_eq!(postbox.collect().len(), share as usize);
    for address in ["+491510000001", "+491519999999"] {
        assert_eq!(host.asks_alone(&bob, email(address)).reply.unavailable, Some(Unavailable::Now));
    }
    assert!(postbox.collect().is_empty());
    assert_eq!(server.newest(EntryKind::RegistrationTry).decision, Outcome::Denied);
    assert_eq!(other.asks_alone(&bob, email("+491519999999")).reply.unavailable, None);
    assert_eq!(postbox.collect().len(), 1);
}

/// W11: every step carries the chain of all before it, and no reply repeats a code.
#[test]
fn every_step_is_bound_to_those_before_it_and_no_reply_repeats_the_code() {
    let (server, host, postbox) = open();
    let bob = bob(&server);
    let asked = host.asks_alone(&bob, email("bob@example.org"));
    let right = code(&postbox.one());
    let body = countersign_protocol::message::RegistrationCode {
        registration: asked.id(),
        code: right.clone(),
        totp: None,
    };
    // Without the chain, and with another one.
    for message in [
        host.message(&body),
        host.message(&body).with_transcript(countersign_protocol::ids::Digest::of(b"another")),
    ] {
        let sealed = host.seal(&message);
        refusal(&host.send(&sealed), &host.server, &sealed);
        assert!(server.newest(EntryKind::Refusal).reason.contains("transcript"));
    }
    let sealed = host.seal(&host.message(&body).with_transcript(asked.chain.digest()));
    let reply = host.open(&sealed, &host.send(&sealed));
    let text = String::from_utf8(reply.literal().to_vec()).unwrap();
    assert!(!text.contains(&right) && !text.contains(&right.replace('-', "")));
    // An accepted code is asked for no more.
    let again = host.seal(&host.message(&body).with_transcript(asked.chain.digest()));
    refusal(&host.send(&again), &host.server, &again);
}

/// W12.
#[test]
fn whoever_registers_alone_proves_the_key_that_was_committed_to() {
    let (server, host, postbox) = open();
    let (bob, malware) = (bob(&server), Person::new("bob", server.clock_now()));
    let asked = host.asks_alone(&bob, email("bob@example.org"));
    let accepted = host.types(&asked, &code(&postbox.one())).unwrap();
    let bobs = Binary(certificate::to_bytes(&bob.cert).unwrap());
    let body = UserKey {
        registration: accepted.registration,
        certificate: bobs,
        proof: malware.sign(&host.proof(&bob, &accepted)),
        authentication: None,
        card: None,
    };
    for sealed in [
        host.user_key(&malware, &accepted),
        host.seal(&host.message(&body).with_transcript(accepted.transcript)),
    ] {
        refusal(&host.send(&sealed), &host.server, &sealed);
    }
    bind(&host, &bob, &accepted);
    assert_eq!(host.job(&bob, "read-contacts", "account/bob", None).decision, Decision::Allowed);
}

/// W13: one answer, of one size, whoever is asked about; what is so goes by mail alone.
#[test]
fn known_unknown_and_locked_addresses_and_taken_names_get_one_answer() {
    let (server, host, postbox) = open();
    let admin = server.administrator(&host);
    let ana = server.invite(&host, &admin, "ana", &["ana"]);
    register(&host, &Person::new("ana", server.clock_now()), &ana.code);
    let bob = bob(&server);
    let asked = host.asks_alone(&bob, email("bob@example.org"));
    bind(&host, &bob, &host.types(&asked, &code(&postbox.one())).unwrap());
    server.clock.turn(60);

    let mut answers = Vec::new();
    for (name, address, letter) in [
        ("max", "max@example.org", Some("type this code")),
        ("max", "bob@example.org", Some("registered already")),
        ("ana", "eve@example.org", Some("The name is taken")),
        ("bob", "ute@example.org", Some("The name is taken")),
        ("max", "max@example.org", None),
        ("ana", "eve@example.org", None),
    ] {
        let person = Person::new(name, server.clock_now());
        let asked = host.asks_alone(&person, email(address));
        assert_eq!((asked.reply.unavailable, &asked.reply.totp), (None, &None));
        let life = asked.reply.expires.seconds_since(server.clock_now());
        let letters = postbox.collect();
        match letter {
            Some(part) => assert!(letters[0].text.contains(part), "{name} {address}: {}", letters[0].text),
            None => assert!(letters.is_empty(), "{name} {address}"),
        }
        let wrong = host.types(&asked, "0000-0000");
        assert!(wrong.is_none());
        answers.push((life, asked.answer.status, asked.answer.body.len()));
    }
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
}

/// W13: nor does time tell it. Whoever is asked about, a message takes the same statements in the database.
#[test]
fn a_name_or_an_address_that_is_known_costs_the_same_statements_as_one_that_is_not() {
    let (server, mut host, postbox) = open();
    // From the beginning: what a process wrote to the ledger it does not read again.
    let (door, count) = server.counted_door();
    host.carrier = door;
    let admin = server.administrator(&host);
    let ana = server.invite(&host, &admin, "ana", &["ana"]);
    register(&host, &Person::new("ana", server.clock_now()), &ana.code);
    let bob = bob(&server);
    let asked = host.asks_alone(&bob, email("bob@example.org"));
    bind(&host, &bob, &host.types(&asked, &code(&postbox.one())).unwrap());
    let _waits = server.invite(&host, &admin, "kim", &["kim"]);
    server.clock.turn(60);

    let costs = |work: &dyn Fn()| {
        let (before, size) = (count.load(Ordering::SeqCst), server.entries().len());
        work();
        // With each entry the ledger writes as many hashes as its size has zeros at its end then, and one.
        let hashes: u32 = (size..server.entries().len()).map(|size| (size + 1).trailing_zeros()).sum();
        count.load(Ordering::SeqCst) - before - u64::from(hashes)
    };
    let (mut asking, mut typing) = (Vec::new(), Vec::new());
    for (name, address) in [
        ("max", "max@example.org"),
        // Somebody's address, somebody's name, and one that had a letter a moment ago.
        ("max", "bob@example.org"),
        ("ana", "eve@example.org"),
        ("bob", "ute@example.org"),
        ("max", "max@example.org"),
    ] {
        let person = Person::new(name, server.clock_now());
        let asked = std::cell::OnceCell::new();
        asking.push(costs(&|| assert!(asked.set(host.asks_alone(&person, email(address))).is_ok())));
        typing.push(costs(&|| assert!(host.types(asked.get().unwrap(), "0000-0000").is_none())));
    }
    let alike = |costs: &[u64]| costs.iter().all(|cost| *cost == costs[0]);
    assert!(alike(&asking) && alike(&typing), "{asking:?} {typing:?}");
    // By an administrator's code: no such account, one with a key, one that waits for one.
    let mut trying = Vec::new();
    for name in ["max", "ana", "kim"] {
        let person = Person::new(name, server.clock_now());
        let offers = || assert!(host.offer_code(&person, "0000-0000").unwrap().is_none());
        trying.push(costs(&offers));
    }
    assert!(alike(&trying), "{trying:?}");
}

#[test]
fn an_account_that_an_administrator_made_meanwhile_is_not_taken_over() {
    let (server, host, postbox) = open();
    let admin = server.administrator(&host);
    let bob = bob(&server);
    let asked = host.asks_alone(&bob, email("bob@example.org"));
    let accepted = host.types(&asked, &code(&postbox.one())).unwrap();
    let created = server.invite(&host, &admin, "bob", &["bob"]);
    let sealed = host.user_key(&bob, &accepted);
    refusal(&host.send(&sealed), &host.server, &sealed);
    register(&host, &Person::new("bob", server.clock_now()), &created.code);
}

#[test]
fn a_code_that_was_sent_dies_after_half_an_hour() {
    let (server, host, postbox) = open();
    let bob = bob(&server);
    let asked = host.asks_alone(&bob, email("bob@example.org"));
    server.clock.turn(limits::SELF_REGISTRATION_LIFE);
    assert!(postbox.collect().is_empty(), "a letter that is of no use any more was sent");
    let undelivered = server.newest(EntryKind::Undelivered);
    assert!(undelivered.reason.contains("not delivered in time"), "{undelivered:?}");
    let body = countersign_protocol::message::RegistrationCode {
        registration: asked.id(),
        code: "0000-0000".into(),
        totp: None,
    };
    let sealed = host.seal(&host.message(&body).with_transcript(asked.chain.digest()));
    refusal(&host.send(&sealed), &host.server, &sealed);
}

#[test]
fn somebody_with_a_telephone_alone_gets_one_short_message() {
    let (server, host, postbox) = open();
    let bob = bob(&server);
    let asked = host.asks_alone(&bob, email("+49 151 2345678"));
    let letter = postbox.one();
    assert_eq!(letter.to.as_str(), "+491512345678");
    assert!(letter.text.len() <= 459, "more than three messages: {}", letter.text);
    bind(&host, &bob, &host.types(&asked, &code(&letter)).unwrap());
}
