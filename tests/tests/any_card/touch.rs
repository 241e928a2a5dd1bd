//! Cards that sign only when they are touched.

use std::time::Instant;

use countersign_tests::site::{HostKey, Person, SOON, Scene};
use countersign_tests::{Machine, Touch};

use super::{another_program_finds_it_closed, ended, insert, log_in, pull, up_to};

fn scene(machine: &Machine) -> Scene<'_> {
    let scene = Scene::on(machine, HostKey::Sealed).unwrap();
    scene.ana.card.want_touch(Person::ADMIN_PIN, true).unwrap();
    pull(&scene.ana.card);
    insert(&scene.ana.card);
    scene
}

#[test]
fn the_prompt_says_that_a_touch_follows_and_the_touch_completes_the_login() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine);
    scene.ana.card.touch(Touch::Require).unwrap();
    // In the prompt itself: sshd holds notes back until it is answered.
    let mut dialogue = up_to(&scene, "ana", "(3 tries left), then touch it: ");
    dialogue.send_line(Person::PIN).unwrap();
    scene.ana.card.wait_until_it_asks_for_a_touch(SOON).unwrap();
    dialogue.expect("Touch", SOON).unwrap();
    scene.ana.card.touch(Touch::Grant).unwrap();
    let (is_good, shown) = ended(dialogue);
    assert!(is_good, "{shown}");
}

#[test]
fn a_touch_that_does_not_come_in_time_is_a_reason_of_its_own_and_costs_no_try() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine);
    scene.ana.card.touch(Touch::Require).unwrap();
    let mut dialogue = up_to(&scene, "ana", "then touch it: ");
    dialogue.send_line(Person::PIN).unwrap();
    let begun = Instant::now();
    let (is_good, shown) = ended(dialogue);
    assert!(!is_good, "{shown}");
    assert!(shown.contains("was not touched in time"), "{shown}");
    // The card gives up after 15 s; nobody waits much longer than that.
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    another_program_finds_it_closed(&scene.ana.card);
    let told = super::status(&scene);
    let last = told["decisions"].as_array().unwrap().last().unwrap();
    assert_eq!(last["event"], "denied-here", "{last}");
    assert!(last["told"].as_str().unwrap().contains("touched"), "{last}");
    assert_eq!(last["more"]["reason"], "touch-timeout", "{last}");

    scene.ana.card.touch(Touch::Off).unwrap();
    let ending = log_in(&scene, "ana", &[("(3 tries left), then touch it", Person::PIN)]);
    assert_eq!(ending.code(), Some(0), "{}", ending.shown);
}
