//! The agent's cards on virtual cards behind a real pcscd. Needs root and the programs of
//! `countersign-virtual-card` and `countersign-tests`, and the example `card_probe`, which
//! `cargo test -p countersign-agent` builds (`--test card` alone does not).
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

#[path = "card/admin.rs"]
mod admin;
#[path = "card/erasing.rs"]
mod erasing;
#[path = "card/faults.rs"]
mod faults;
#[path = "card/keys.rs"]
mod keys;
#[path = "card/login.rs"]
mod login;
#[path = "card/opening.rs"]
mod opening;
#[path = "card/others.rs"]
mod others;
#[path = "card/probe.rs"]
mod probe;

use countersign_tests::Machine;
use serde_json::Value;

use probe::{ADMIN_PIN, PIN};

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

/// Has a card with [`PIN`] and [`ADMIN_PIN`] ask for iterated SHA-256, as `kdf-setup` of `gpg --card-edit` does.
fn set_kdf(machine: &Machine) {
    use sha2::Digest as _;
    const COUNT: usize = 100_000;
    let hash = |salt: &str, pin: &str| {
        let bytes: Vec<u8> = [salt, pin].concat().bytes().cycle().take(COUNT).collect();
        format!("{:X}", sha2::Sha256::digest(bytes))
    };
    let (user_salt, admin_salt) = ("userSALT", "adminSLT");
    let object = format!(
        "8101038201088304{COUNT:08X}8408{}8508{}8608{}8720{}8820{}",
        hex(user_salt),
        hex("resetSLT"),
        hex(admin_salt),
        hash(user_salt, "123456"),
        hash(admin_salt, "12345678"),
    );
    let put = format!("00DA00F9{:02X}{object}", object.len() / 2);
    let change = |which: &str, old: &str, new: String| {
        format!("002400{which}{:02X}{}{new}", old.len() + new.len() / 2, hex(old))
    };
    let answers = machine
        .apdus(
            0,
            &[
                SELECT,
                &verify("83", ADMIN_PIN),
                &put,
                &change("81", PIN, hash(user_salt, PIN)),
                &change("83", ADMIN_PIN, hash(admin_salt, ADMIN_PIN)),
            ],
        )
        .unwrap();
    assert_eq!(answers[1..], ["9000"; 4]);
}
