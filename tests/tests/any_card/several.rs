//! Several cards, several people, several login names.

use countersign_tests::site::{HostKey, Person, SOON, Scene, Site};
use countersign_tests::{Card, Machine, SELECT};

use super::{PIN, ended, insert, log_in, pull, up_to};

/// The administrator's own commands, with an answer for each.
fn add(scene: &Scene<'_>, name: &str, logins: &[&str]) -> String {
    let logins: Vec<&str> = logins.iter().flat_map(|login| ["--login", login]).collect();
    let words = [&["admin", "user", "add", name], logins.as_slice()].concat();
    scene.olga.administer(&words).unwrap().after("code").unwrap()
}

#[test]
fn of_several_peoples_cards_only_the_one_that_opens_the_login_is_asked() {
    let machine = Machine::start().unwrap();
    let scene = Scene::at(Site::enrolled(&machine, 4, HostKey::Card).unwrap()).unwrap();
    let piet = scene.site.person("piet", 4202, 3).unwrap();
    piet.register("piet", &add(&scene, "piet", &["piet"])).unwrap();
    // And a card that belongs to nobody.
    let stranger = machine.card(4, countersign_tests::CardSpec::new("000000EE")).unwrap();
    stranger.wait_until_seen().unwrap();
    scene.site.manage("user ana card\nuser piet card\n").unwrap();
    let host = scene.site.host_card.as_ref().unwrap();
    let everybody = [&scene.olga, &scene.ana, &piet];
    for login in ["ana", "piet", "ana"] {
        let people = everybody.iter().filter(|person| person.user.name != login);
        let others: Vec<&Card<'_>> = people.map(|person| &person.card).chain([&stranger, host]).collect();
        others.iter().for_each(|card| card.reset_counts().unwrap());
        let ending = log_in(&scene, login, &PIN);
        assert_eq!(ending.code(), Some(0), "{login}: {}", ending.shown);
        for card in others {
            let counts = card.counts().unwrap();
            assert_eq!(counts.of("VERIFY") + counts.of("PSO_CDS"), 0, "{}", card.ident());
        }
    }
}

#[test]
fn one_card_opens_every_login_name_that_its_account_is_bound_to_and_no_other() {
    let machine = Machine::start().unwrap();
    let scene = Scene::at(Site::enrolled(&machine, 3, HostKey::Sealed).unwrap()).unwrap();
    for (login, uid) in [("backup", 4301), ("web", 4302), ("mail", 4303)] {
        machine.add_user(login, uid).unwrap();
    }
    let piet = scene.site.person("piet", 4202, 3).unwrap();
    piet.register("piet", &add(&scene, "piet", &["piet", "backup", "web"])).unwrap();
    scene.site.manage("user piet card\nuser backup card\nuser web card\nuser mail card\n").unwrap();
    for login in ["piet", "backup", "web"] {
        let ending = log_in(&scene, login, &PIN);
        assert_eq!(ending.code(), Some(0), "{login}: {}", ending.shown);
    }
    piet.card.reset_counts().unwrap();
    let ending = log_in(&scene, "mail", &[]);
    assert_ne!(ending.code(), Some(0), "{}", ending.shown);
    assert!(ending.shown.contains("No account may open mail"), "{}", ending.shown);
    assert_eq!(piet.card.counts().unwrap().of("VERIFY"), 0);
}

#[test]
fn root_is_open_to_the_cards_of_several_accounts_and_the_ledger_says_whose_it_was() {
    let machine = Machine::start().unwrap();
    let scene = Scene::at(Site::enrolled(&machine, 4, HostKey::Sealed).unwrap()).unwrap();
    let administrator = |name: &str, uid, reader| {
        let person = scene.site.person(name, uid, reader).unwrap();
        person.register(name, &add(&scene, name, &[name, "root"])).unwrap();
        person
    };
    let (piet, pia) = (administrator("piet", 4202, 3), administrator("pia", 4203, 4));
    scene.site.manage("user root card\n").unwrap();
    // With both cards in, the person says which.
    piet.card.reset_counts().unwrap();
    pia.card.reset_counts().unwrap();
    let mut dialogue = up_to(&scene, "root", "Which card?");
    let cards = dialogue.expect("(number): ", SOON).unwrap();
    assert!(cards.contains("of piet") && cards.contains("of pia"), "{cards}");
    dialogue.send_line("7").unwrap();
    dialogue.expect("not one of them", SOON).unwrap();
    dialogue.expect("(number): ", SOON).unwrap();
    let number = if cards.contains("2 = card …106B of pia") { "2" } else { "1" };
    dialogue.send_line(number).unwrap();
    dialogue.expect("PIN for card …106B", SOON).unwrap();
    dialogue.send_line(Person::PIN).unwrap();
    let (is_good, shown) = ended(dialogue);
    assert!(is_good, "{shown}");
    assert_eq!(piet.card.counts().unwrap().of("VERIFY"), 0, "{shown}");
    assert_eq!(pia.card.counts().unwrap().of("VERIFY"), 1, "{shown}");

    // With one of them out, the other one needs no question.
    pull(&pia.card);
    let ending = log_in(&scene, "root", &PIN);
    assert_eq!(ending.code(), Some(0), "{}", ending.shown);
    assert!(!ending.shown.contains("Which card"), "{}", ending.shown);
    insert(&pia.card);
    let listed = scene.ledger("root.jsonl").unwrap();
    for account in ["piet: log in as root", "pia: log in as root"] {
        assert!(listed.contains(account), "{account}: {listed}");
    }
}

#[test]
fn a_card_that_got_its_key_while_it_was_in_need_not_be_put_in_again() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let card = &scene.ana.card;
    let data = card.send(&[SELECT, "00CA006E000000"]).unwrap().remove(1);
    let at = data.find("C53C").unwrap() + 4;
    let key = data.get(at..at + 40).unwrap();
    let admin: String = Person::ADMIN_PIN.bytes().map(|byte| format!("{byte:02X}")).collect();
    let verify = format!("00200083{:02X}{admin}", Person::ADMIN_PIN.len());
    let put = |key: &str| {
        let answers = card.send(&[SELECT, &verify, &format!("00DA00C714{key}")]).unwrap();
        assert_eq!(answers.get(2).unwrap(), "9000");
    };
    put(&"AB".repeat(20));
    pull(card);
    insert(card);
    // As it was put in, it is nobody's.
    drop(up_to(&scene, "ana", "Insert the card"));
    put(key);
    let ending = log_in(&scene, "ana", &PIN);
    assert_eq!(ending.code(), Some(0), "{}", ending.shown);
    assert!(!ending.shown.contains("Insert"), "{}", ending.shown);
}
