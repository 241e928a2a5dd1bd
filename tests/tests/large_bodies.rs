//! A body of one mebibyte on its way from a file, or from standard input, to the server's answer; one byte more goes nowhere.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::process::Command;

use countersign_protocol::limits;
use countersign_protocol::message::result::PolicyText;
use countersign_tests::site::{HostKey, Person, SOON, Scene, talk};
use countersign_tests::{Machine, target_bin};

/// A policy document whose request has a body of `size` bytes. No server takes one so large, and says so by itself.
fn document(size: usize) -> String {
    let around = serde_json::to_vec(&PolicyText { over: None, text: String::new() }).unwrap().len();
    "x".repeat(size - around)
}

#[test]
fn the_largest_body_comes_to_the_servers_answer_and_one_byte_more_is_not_even_signed() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    machine.write("/run/largest.cedar", &document(limits::JOB_BODY), 0o644).unwrap();
    machine.write("/run/larger.cedar", &document(limits::JOB_BODY + 1), 0o644).unwrap();
    let (program, card) = (target_bin("countersign").unwrap(), scene.olga.card.ident());
    let put = |how: &str| -> Command {
        let script = format!("{} policy put --new --no-check --card {card} {how}", program.display());
        let mut command = scene.olga.seat.command_as(&scene.olga.user, "sh");
        command.args(["-c", &script]);
        command
    };
    let pin = [("PIN for", Person::PIN)];
    for how in ["/run/largest.cedar", "- --name largest < /run/largest.cedar"] {
        let ending = talk(&put(how), &pin, SOON).unwrap();
        assert_eq!(ending.code(), Some(3), "{}", ending.shown);
        assert!(ending.shown.contains("at most 262144 are accepted"), "{}", ending.shown);
    }
    for how in ["/run/larger.cedar", "- --name larger < /run/larger.cedar"] {
        let ending = talk(&put(how), &[], SOON).unwrap();
        assert_eq!(ending.code(), Some(2), "{}", ending.shown);
        assert!(ending.shown.contains("has 1048577 bytes; at most 1048576 are taken"), "{}", ending.shown);
        assert!(!ending.shown.contains("PIN for"), "{}", ending.shown);
    }
    let ledger = scene.ledger("bodies.jsonl").unwrap();
    assert_eq!(ledger.matches("policy/largest").count(), 2, "{ledger}");
    assert!(!ledger.contains("policy/larger "), "{ledger}");
    // The room for such bodies was given back, and ordinary requests go on.
    scene.ana_logs_in().unwrap();
}
