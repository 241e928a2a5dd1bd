//! From the enrolment to a login with each kind of key that cards have.

use countersign_tests::Machine;
use countersign_tests::site::{Ending, HostKey, KEY_GENERATION, Person, Scene, Site, talk};

use super::imported::rsa_key_on_card;
use super::{PIN, log_in};

/// How somebody comes by the keys on their card.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Made on the card, at the registration.
    Card,
    /// Made on a computer with so many bits, put on the card, and adopted.
    Computer(usize),
}

/// Beside curve25519, which everybody else here has. Longer RSA keys are made on cards by
/// `long_rsa_keys_are_made_on_the_card_too`.
const EVERY: [(&str, &str, Origin); 5] = [
    ("nist-p256", "nina", Origin::Card),
    ("nist-p384", "nora", Origin::Card),
    ("rsa2048", "rita", Origin::Card),
    ("rsa3072", "rosa", Origin::Computer(3072)),
    ("rsa4096", "rolf", Origin::Computer(4096)),
];

/// One host with its key on a card, an administrator, and somebody with a card of each kind, all of them in their
/// readers at once: as many readers as pcscd has.
#[test]
fn a_card_of_every_algorithm_is_registered_and_logs_in_beside_all_the_others() {
    everybody_logs_in(&EVERY);
}

#[test]
#[ignore = "the virtual card searches for primes for minutes: cargo test -p countersign-tests --test any_card -- --ignored --nocapture"]
fn long_rsa_keys_are_made_on_the_card_too() {
    everybody_logs_in(&[("rsa3072", "rosa", Origin::Card), ("rsa4096", "rolf", Origin::Card)]);
}

fn everybody_logs_in(kinds: &[(&str, &str, Origin)]) {
    let machine = Machine::start().unwrap();
    let scene = Scene::at(Site::enrolled(&machine, 2 + kinds.len(), HostKey::Card).unwrap()).unwrap();
    let newcomers = (0..).zip(kinds).map(|(at, kind)| newcomer(&scene, at, *kind));
    let people: Vec<Person<'_>> = newcomers.collect();
    let rules: String = kinds.iter().map(|(_, login, _)| format!("user {login} card\n")).collect();
    scene.site.manage(&format!("user ana card\n{rules}")).unwrap();

    let everybody = || people.iter().chain([&scene.ana, &scene.olga]);
    for login in kinds.iter().map(|(_, login, _)| *login).chain(["ana"]) {
        everybody().for_each(|person| person.card.reset_counts().unwrap());
        let ending = log_in(&scene, login, &PIN);
        assert_eq!(ending.code(), Some(0), "{login}: {}", ending.shown);
        for person in everybody() {
            let counts = person.card.counts().unwrap();
            let expected = usize::from(person.user.name == login);
            assert_eq!(counts.of("VERIFY"), expected, "{login}, at the card of {}", person.user.name);
            assert!(counts.total <= 7, "{login}: {counts:?}");
        }
    }
    // The ledger has their signatures, and holds.
    let listed = scene.ledger("algorithms.jsonl").unwrap();
    for (_, login, _) in kinds {
        assert!(listed.contains(&format!("log in as {login}")), "{listed}");
    }
}

fn newcomer<'m>(scene: &Scene<'m>, at: u32, kind: (&str, &str, Origin)) -> Person<'m> {
    let (algorithm, login, origin) = kind;
    let person = scene.site.person(login, 4210 + at, 3 + usize::try_from(at).unwrap()).unwrap();
    let code = scene.olga.administer(&["admin", "user", "add", login]).unwrap().after("code").unwrap();
    let ending = match origin {
        Origin::Card => makes_keys(&person, algorithm, &code),
        Origin::Computer(bits) => brings_keys(scene, &person, bits, &code),
    };
    let is_warned = ending.shown.contains("RSA-4096") && ending.shown.contains("seconds");
    assert_eq!(is_warned, algorithm == "rsa4096", "{algorithm}: {}", ending.shown);
    person
}

fn makes_keys(person: &Person<'_>, algorithm: &str, code: &str) -> Ending {
    let (login, ident) = (&person.user.name, person.card.ident());
    let command =
        person.countersign(&["register", login, "--card", &ident, "--algorithm", algorithm]).unwrap();
    let answers = [
        ("Type yes", "yes"),
        ("New PIN (", Person::PIN),
        ("New PIN again", Person::PIN),
        ("New admin PIN (", Person::ADMIN_PIN),
        ("New admin PIN again", Person::ADMIN_PIN),
        ("One-time code", code),
        ("Register a second card now", "n"),
    ];
    // Three keys; how long the search for RSA primes takes is a matter of luck.
    talk(&command, &answers, 3 * KEY_GENERATION).unwrap().success().unwrap()
}

fn brings_keys(scene: &Scene<'_>, person: &Person<'_>, bits: usize, code: &str) -> Ending {
    let (login, ident) = (&person.user.name, person.card.ident());
    let certificate = rsa_key_on_card(&person.card, bits, login);
    let file = scene.site.machine.scratch().join(format!("{login}.pgp"));
    std::fs::write(&file, certificate).unwrap();
    person.card.change_pin("123456", Person::PIN).unwrap();
    let file = file.to_str().unwrap();
    let words = ["register", login, "--card", &ident, "--adopt", file];
    let answers = [("One-time code", code), ("PIN for", Person::PIN), ("Register a second card now", "n")];
    talk(&person.countersign(&words).unwrap(), &answers, KEY_GENERATION).unwrap().success().unwrap()
}
