//! Readers that go and come, pcscd that is started anew, and a machine that slept.

use std::time::Duration;

use countersign_tests::Machine;
use countersign_tests::site::{HostKey, Person, SOON, Scene};
use nix::sys::signal::Signal;

use super::{PIN, ended, log_in, no_card_is_in_use, up_to};

#[test]
fn pcscd_restarted_between_two_logins_and_at_a_prompt_is_survived() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Card).unwrap();
    scene.ana_logs_in().unwrap();
    machine.restart_pcscd().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
    scene.ana_logs_in().unwrap();

    // At the prompt: the PIN goes to the same card, found again, or to none.
    scene.ana.card.reset_counts().unwrap();
    let mut dialogue = up_to(&scene, "ana", "PIN for");
    machine.restart_pcscd().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
    dialogue.send_line(Person::PIN).unwrap();
    let (is_good, shown) = ended(dialogue);
    assert!(is_good || shown.contains("Reference:"), "{shown}");
    assert!(scene.ana.card.counts().unwrap().of("VERIFY") <= 1, "{shown}");
    scene.ana_logs_in().unwrap();

    // Gone at the prompt and still gone when the PIN comes: denied, and said so.
    let mut dialogue = up_to(&scene, "ana", "PIN for");
    machine.kill_pcscd().unwrap();
    dialogue.send_line(Person::PIN).unwrap();
    let (is_good, shown) = ended(dialogue);
    assert!(!is_good && shown.contains("Reference:"), "{shown}");
    machine.restart_pcscd().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
    no_card_is_in_use(&scene);
    scene.ana_logs_in().unwrap();
}

#[test]
fn a_reader_unplugged_at_a_prompt_and_plugged_in_again_is_found_again() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.ana_logs_in().unwrap();
    for at_prompt in [false, true] {
        let dialogue = at_prompt.then(|| up_to(&scene, "ana", "PIN for"));
        // All readers go with the bus they are on, and come back with it.
        machine.stop_pcscd().unwrap();
        if let Some(mut dialogue) = dialogue {
            dialogue.send_line(Person::PIN).unwrap();
            let (is_good, shown) = ended(dialogue);
            assert!(!is_good, "{shown}");
        }
        let waiting = up_to(&scene, "ana", "Insert the card");
        machine.restart_pcscd().unwrap();
        let mut waiting = waiting;
        waiting.expect("PIN for", SOON).unwrap();
        waiting.send_line(Person::PIN).unwrap();
        let (is_good, shown) = ended(waiting);
        assert!(is_good, "{shown}");
    }
    // The card itself loses its power: the same number, and a new card to pcscd.
    scene.ana.card.kill_and_restart().unwrap();
}

#[test]
fn an_agent_that_slept_at_a_prompt_goes_on_where_it_was() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.ana_logs_in().unwrap();
    let mut dialogue = up_to(&scene, "ana", "PIN for");
    scene.site.agent.as_mut().unwrap().signal(Signal::SIGSTOP).unwrap();
    dialogue.send_line(Person::PIN).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    scene.site.agent.as_mut().unwrap().signal(Signal::SIGCONT).unwrap();
    let (is_good, shown) = ended(dialogue);
    assert!(is_good, "{shown}");

    // The card changed hands meanwhile: pulled and put back is the same card, and needs its PIN again.
    let mut dialogue = up_to(&scene, "ana", "PIN for");
    scene.site.agent.as_mut().unwrap().signal(Signal::SIGSTOP).unwrap();
    super::pull(&scene.ana.card);
    super::insert(&scene.ana.card);
    scene.site.agent.as_mut().unwrap().signal(Signal::SIGCONT).unwrap();
    dialogue.send_line(Person::PIN).unwrap();
    let (is_good, shown) = ended(dialogue);
    assert!(is_good || shown.contains("Reference:"), "{shown}");
    let ending = log_in(&scene, "ana", &PIN);
    assert_eq!(ending.code(), Some(0), "{}", ending.shown);
}
