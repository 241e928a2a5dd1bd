//! The agent's cards on virtual cards behind a real pcscd. Needs root and the programs of
//! `countersign-virtual-card` and `countersign-tests`, and the example `card_probe`, which
//! `cargo test -p countersign-agent` builds (`--test card` alone does not).
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

#[path = "card/faults.rs"]
mod faults;
#[path = "card/keys.rs"]
mod keys;
#[path = "card/login.rs"]
mod login;
#[path = "card/others.rs"]
mod others;
#[path = "card/probe.rs"]
mod probe;

use serde_json::Value;

const SELECT: &str = "00A4040006D27600012401";

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02X}")).collect()
}

fn verify(which: &str, pin: &str) -> String {
    format!("002000{which}{:02X}{}", pin.len(), hex(pin))
}

fn error(answer: &Value) -> &str {
    answer["error"].as_str().unwrap_or("none")
}

#[track_caller]
fn assert_signed(answer: &Value) {
    assert_eq!(answer["signed"], true, "{answer}");
}
