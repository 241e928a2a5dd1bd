//! One of every message about looking after a card.

use countersign_protocol::binary::Binary;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ipc::{
    CardChange, CardChangePin, CardChanged, CardCheck, CardChecked, CardDetails, CardFactoryReset,
    CardFinding, CardGenerate, CardInit, CardKey, CardMade, CardPin, CardSetTouch, CardShow, CardSlot,
    CardTries, CardUnblock, Reply, Request, TouchPolicy, UnblockWith,
};

use crate::messages::{CARD, FINGERPRINT};

pub(crate) fn requests() -> Vec<(&'static str, Request)> {
    let card = Some(CARD.parse().unwrap());
    let init = CardInit {
        card,
        algorithm: "curve25519".into(),
        user_id: "Ana Muster".into(),
        cardholder: Some("Ana Muster".into()),
        url: Some("https://example.org/ana.asc".into()),
        touch: Some(TouchPolicy::On),
    };
    let bare = CardInit { card: None, cardholder: None, url: None, touch: None, ..init.clone() };
    let generate = CardGenerate { card, algorithm: "nist-p256".into(), user_id: "ana".into() };
    let touch = CardSetTouch {
        card,
        keys: vec![CardSlot::Signature, CardSlot::Attestation],
        policy: TouchPolicy::CachedFixed,
    };
    let check = CardCheck { card, certificate: Binary(vec![0xC6; 4]) };
    vec![
        ("card-show", Request::CardShow(CardShow { card })),
        ("card-show-bare", Request::CardShow(CardShow { card: None })),
        ("card-init", Request::CardInit(init)),
        ("card-init-bare", Request::CardInit(bare)),
        ("card-generate", Request::CardGenerate(generate)),
        ("card-change-pin", Request::CardChangePin(CardChangePin { card, pin: CardPin::ResetCode })),
        ("card-unblock", Request::CardUnblock(CardUnblock { card, with: Some(UnblockWith::AdminPin) })),
        ("card-unblock-bare", Request::CardUnblock(CardUnblock { card: None, with: None })),
        ("card-set-touch", Request::CardSetTouch(touch)),
        ("card-check", Request::CardCheck(check)),
        ("card-factory-reset", Request::CardFactoryReset(CardFactoryReset { card })),
    ]
}

pub(crate) fn replies() -> Vec<(&'static str, Reply)> {
    let made = CardMade {
        card: CARD.parse().unwrap(),
        fingerprint: FINGERPRINT.parse().unwrap(),
        key_words: "abandon ability able about above absent".into(),
        certificate: Binary(vec![0xC6; 4]),
    };
    let changed = CardChanged {
        card: CARD.parse().unwrap(),
        change: CardChange::Unblocked,
        message: "YubiKey …5678 (0006:12345678) has a new PIN, with all its tries.".into(),
    };
    let checked = CardChecked {
        card: CARD.parse().unwrap(),
        certificate: FINGERPRINT.parse().unwrap(),
        accepted: false,
        findings: vec![
            CardFinding { refuses: true, text: "It is revoked.".into(), fix: Some("Make new keys.".into()) },
            CardFinding { refuses: false, text: "The card signs with it.".into(), fix: None },
        ],
    };
    vec![
        ("card-details", Reply::CardDetails(full())),
        ("card-details-bare", Reply::CardDetails(empty())),
        ("card-made", Reply::CardMade(made)),
        ("card-changed", Reply::CardChanged(changed)),
        ("card-checked", Reply::CardChecked(checked)),
    ]
}

fn full() -> CardDetails {
    CardDetails {
        reader: "Yubico YubiKey OTP+FIDO+CCID 00 00".into(),
        card: CARD.parse().unwrap(),
        name: "YubiKey …5678".into(),
        maker: "Yubico AB".into(),
        specification: "3.4".into(),
        firmware: Some("5.4.3".into()),
        role: "user".into(),
        accounts: vec!["ana".parse().unwrap()],
        keys: vec![CardKey {
            slot: CardSlot::Signature,
            fingerprint: Some(FINGERPRINT.parse().unwrap()),
            algorithm: "Ed25519".into(),
            created: Some(Timestamp::from_seconds(1_790_000_000)),
            made_on_card: Some(true),
            touch: Some(TouchPolicy::On),
        }],
        tries: CardTries { user: 3, reset_code: 0, admin: 3 },
        pin_for_each_signature: true,
        hashed_pins: false,
        cardholder: Some("Ana Muster".into()),
        url: Some("https://example.org/ana.asc".into()),
        signatures: Some(7),
        warnings: vec!["One try is left for its PIN.".into()],
    }
}

fn empty() -> CardDetails {
    let key = CardKey {
        slot: CardSlot::Decryption,
        fingerprint: None,
        algorithm: "RSA-2048".into(),
        created: None,
        made_on_card: None,
        touch: None,
    };
    CardDetails {
        firmware: None,
        accounts: Vec::new(),
        keys: vec![key],
        cardholder: None,
        url: None,
        signatures: None,
        warnings: Vec::new(),
        ..full()
    }
}
