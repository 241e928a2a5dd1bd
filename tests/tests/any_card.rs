//! Any card, any number of them, any number of people: who is asked, what they are asked, and what is left behind by
//! those who give up.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says where"
)]

#[path = "any_card/algorithms.rs"]
mod algorithms;
#[path = "any_card/given_up.rs"]
mod given_up;
#[path = "any_card/imported.rs"]
mod imported;
#[path = "any_card/readers.rs"]
mod readers;
#[path = "any_card/several.rs"]
mod several;
#[path = "any_card/touch.rs"]
mod touch;

use std::process::Command;

use countersign_tests::site::{Ending, Person, SERVICE, SOON, Scene, talk};
use countersign_tests::{Card, Dialogue, target_bin, wait_until};
use serde_json::Value;

const PIN: [(&str, &str); 1] = [("PIN for", Person::PIN)];

/// `pamtester` at the console, for anybody.
fn console(scene: &Scene<'_>, login: &str) -> Command {
    let mut command = scene.console.command("pamtester");
    command.args([SERVICE, login, "authenticate"]);
    command
}

fn log_in(scene: &Scene<'_>, login: &str, answers: &[(&str, &str)]) -> Ending {
    talk(&console(scene, login), answers, SOON).unwrap()
}

/// At a prompt, or after a note, that says this.
fn up_to(scene: &Scene<'_>, login: &str, text: &str) -> Dialogue {
    let mut dialogue = Dialogue::start(&console(scene, login)).unwrap();
    dialogue.expect(text, SOON).unwrap();
    dialogue
}

fn ended(mut dialogue: Dialogue) -> (bool, String) {
    dialogue.expect_eof(SOON).unwrap();
    let is_good = dialogue.wait(SOON).unwrap().success();
    (is_good, dialogue.transcript().replace('\r', ""))
}

/// `countersign status --json`, as root.
fn status(scene: &Scene<'_>) -> Value {
    let mut command = scene.site.machine.command(target_bin("countersign").unwrap());
    command.args(["status", "--json"]);
    let shown = talk(&command, &[], SOON).unwrap().shown;
    serde_json::from_str(shown.trim()).unwrap()
}

/// Nobody has a card, and nobody waits for one.
fn no_card_is_in_use(scene: &Scene<'_>) {
    wait_until("every card to be free", SOON, || {
        let told = status(scene);
        Ok(told["cards"]["turns"].as_array().is_some_and(Vec::is_empty).then_some(()))
    })
    .unwrap();
}

/// Another program talks to the card, which is in nobody's transaction and open to no signature.
fn another_program_finds_it_closed(card: &Card<'_>) {
    let sign = format!("002A9E9A20{}00", "AB".repeat(32));
    let answers = card.send(&[countersign_tests::SELECT, &sign]).unwrap();
    assert!(answers[0].ends_with("9000"), "{answers:?}");
    assert_eq!(answers[1], "6982", "the PIN is open to others");
}

fn pull(card: &Card<'_>) {
    card.pull().unwrap();
    card.wait_until_seen().unwrap();
}

fn insert(card: &Card<'_>) {
    card.insert().unwrap();
    card.wait_until_seen().unwrap();
}
