//! One sample of each body: what is written today must be read for ever, and written the same.
//!
//! `tests/messages/envelope/bodies/TYPE.json` is the body of a message of that type, and `bad/TYPE.WHY.json` one
//! that is refused.

use std::path::{Path, PathBuf};

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::emergency::EmergencyCode;
use countersign_protocol::envelope::{open_roster, statement};
use countersign_protocol::ids::{Digest, Nonce};
use countersign_protocol::message::{
    Body, CheckIn, CheckInReply, EmergencyUse, InstanceState, KeyStore, KeyUpdate, KeyUpdateReply,
    OfflineEmergency, OfflineUse, OfflineUseReply, OfflineVerdict, Receipt, RegistrationCode,
    RegistrationRecord, RegistrationReply, RegistrationRequest, RotationKey, RotationRecord, RotationReply,
    RotationRequest, Watch, WatchReply,
};
use countersign_protocol::roster::{EmergencyVerifier, Roster, RosterAccount, SignedRoster};
use countersign_protocol::statement::{Purpose, Statement};

use crate::golden;
use crate::parties::NOW;
use crate::roster::signed;

fn folder() -> PathBuf {
    golden::folder().join("bodies")
}

/// Reads a body as its type says, and writes it again.
fn rewritten(name: &str, text: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    fn through<B: Body>(text: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&serde_json::from_slice::<B>(text)?)
    }
    match name {
        "instance-check-in" => through::<CheckIn>(text),
        "check-in-reply" => through::<CheckInReply>(text),
        "key-update" => through::<KeyUpdate>(text),
        "key-update-reply" => through::<KeyUpdateReply>(text),
        "rotation-request" => through::<RotationRequest>(text),
        "rotation-reply" => through::<RotationReply>(text),
        "rotation-key" => through::<RotationKey>(text),
        "rotation-record" => through::<RotationRecord>(text),
        "watch" => through::<Watch>(text),
        "watch-reply" => through::<WatchReply>(text),
        "offline-use" => through::<OfflineUse>(text),
        "emergency-use" => through::<EmergencyUse>(text),
        "offline-emergency" => through::<OfflineEmergency>(text),
        "registration-record" => through::<RegistrationRecord>(text),
        "registration-request" | "registration-request-email" | "registration-request-totp" => {
            through::<RegistrationRequest>(text)
        }
        "registration-reply" | "registration-reply-totp" => through::<RegistrationReply>(text),
        "registration-code" | "registration-code-totp" => through::<RegistrationCode>(text),
        "roster-account" => serde_json::to_vec(&serde_json::from_slice::<RosterAccount>(text)?),
        "offline-use-reply" => through::<OfflineUseReply>(text),
        "roster" => serde_json::to_vec(&serde_json::from_slice::<Roster>(text)?),
        other => Err(serde::de::Error::custom(format!("no type for {other}"))),
    }
}

fn samples(folder: &Path) -> Vec<(String, Vec<u8>)> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn golden_bodies_are_read_and_written_the_same() {
    let samples = samples(&folder());
    assert!(samples.len() >= 17);
    for (name, text) in samples {
        let again = rewritten(&name, &text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(String::from_utf8(again).unwrap(), String::from_utf8(text).unwrap(), "{name}");
    }
}

#[test]
fn the_golden_roster_is_still_signed_by_the_golden_server() {
    let reply = std::fs::read(folder().join("check-in-reply.json")).unwrap();
    let reply: CheckInReply = serde_json::from_slice(&reply).unwrap();
    let instance = certificate::fingerprint(&golden::party("host").cert).unwrap();
    let opened = open_roster(&reply.roster, &golden::party("server").cert, &instance, NOW).unwrap();
    assert_eq!(*opened.roster(), crate::roster::roster());
}

#[test]
fn golden_bad_bodies_are_refused() {
    let samples = samples(&folder().join("bad"));
    assert!(samples.len() >= 11);
    for (name, text) in samples {
        let kind = name.split('.').next().unwrap();
        let error = rewritten(kind, &text).unwrap_err().to_string();
        assert!(!error.contains("no type for"), "{name}");
    }
}

#[test]
#[ignore = "writes the folder anew; run it when the format changes, and say so in the change log"]
fn write_the_golden_bodies() {
    std::fs::create_dir_all(folder().join("bad")).unwrap();
    let write = |path: &str, bytes: &[u8]| std::fs::write(folder().join(path), bytes).unwrap();
    let body = |name: &str, body: &dyn erased::Body| write(&format!("{name}.json"), &body.text());
    let roster: SignedRoster = signed();
    let digest = Digest::of(b"golden");
    let check_in = CheckIn {
        server_certificate: None,
        counter: 7,
        ledger_size: 12,
        logins: vec!["ana".parse().unwrap(), "root".parse().unwrap()],
        services: vec!["login".parse().unwrap(), "sudo".parse().unwrap()],
        version: None,
    };
    let reply = CheckInReply {
        server_certificate: None,
        state: InstanceState::Active,
        forked: false,
        version_retired: false,
        policy_epoch: 1,
        roster: roster.clone(),
        revision: digest,
        checkpoint: "a note\n".into(),
        consistency: vec![digest],
    };
    let watch =
        Watch { revision: digest, logins: check_in.logins.clone(), services: check_in.services.clone() };
    let receipt = Receipt {
        index: 3,
        entry: Binary(b"{}".to_vec()),
        checkpoint: "a note\n".into(),
        proof: vec![digest],
    };
    body("roster", &crate::roster::roster());
    body("instance-check-in", &check_in);
    body("check-in-reply", &reply);
    body("watch", &watch);
    body("watch-reply", &WatchReply { changed: true });
    body("offline-use", &offline_use(roster));
    let reason = "The key was revoked.".into();
    let disputed = OfflineUseReply { receipt: receipt.clone(), verdict: OfflineVerdict::Disputed, reason };
    body("offline-use-reply", &disputed);
    let instance = certificate::fingerprint(&golden::party("host").cert).unwrap();
    let certificate = Binary(b"a certificate".to_vec());
    let update = KeyUpdate { certificate: certificate.clone(), counter: 8 };
    body("key-update", &update);
    let signing_key = certificate::fingerprint(&golden::party("other").cert).unwrap();
    body("key-update-reply", &KeyUpdateReply { signing_key: signing_key.clone(), receipt: receipt.clone() });
    body("rotation-request", &RotationRequest { commitment: digest });
    let server_nonce = Nonce::from_bytes([7; 32]);
    body("rotation-reply", &RotationReply { server_nonce, expires: NOW.plus(120) });
    let key = RotationKey {
        certificate,
        server_nonce,
        counter: 9,
        key_store: KeyStore::Card("FFFE:00000001".parse().unwrap()),
    };
    body("rotation-key", &key);
    let record = RotationRecord {
        instance: signing_key,
        retired: instance,
        application: "countersign".parse().unwrap(),
        transcript: digest,
        receipt,
    };
    body("rotation-record", &record);

    let bad = |name: &str, text: &[u8], from: &str, to: &str| {
        let text = String::from_utf8(text.to_vec()).unwrap();
        assert!(text.contains(from), "{name}: {from}");
        write(&format!("bad/{name}.json"), text.replacen(from, to, 1).as_bytes());
    };
    let text = serde_json::to_vec(&crate::roster::roster()).unwrap();
    bad("roster.purpose", &text, "roster-1", "statement-1");
    bad("roster.version", &text, "roster-1", "roster-2");
    bad("roster.unknown-field", &text, "{", "{\"extra\":1,");
    bad("roster.offline-word", &text, "\"offline\":\"all\"", "\"offline\":\"any\"");
    bad("roster.uses", &text, "\"offline_uses\":20", "\"offline_uses\":-1");
    bad("instance-check-in.no-services", &check_in.text(), ",\"services\":[\"login\",\"sudo\"]", "");
    bad("watch.unknown-field", &watch.text(), "{", "{\"wait\":600,");
    bad("watch-reply.no-word", &WatchReply { changed: true }.text(), "\"changed\":true", "");
    bad("key-update.no-counter", &update.text(), ",\"counter\":8", "");
    bad("rotation-key.counter", &key.text(), "\"counter\":9", "\"counter\":-9");
    bad("rotation-key.key-store", &key.text(), "\"card\":", "\"paper\":");
    bad("rotation-record.unknown-field", &record.text(), "{", "{\"extra\":1,");
    bad("rotation-record.no-retired", &record.text(), "retired", "former");
    bad("offline-use-reply.verdict", &disputed.text(), "disputed", "ignored");
}

#[test]
#[ignore = "adds the samples of emergency codes; run it when their format changes, and say so in the change log"]
fn write_the_golden_emergency_bodies() {
    let write = |path: &str, text: String| std::fs::write(folder().join(path), text).unwrap();
    let used: OfflineUse =
        serde_json::from_slice(&std::fs::read(folder().join("offline-use.json")).unwrap()).unwrap();
    let code = EmergencyCode::typed("7K3M-Q2ZD-04XR-9HFT").unwrap();
    let OfflineUse { statement, roster, at, correlation, account, login, .. } = used;
    let statement = statement.statement;
    let asked = EmergencyUse { statement: statement.clone(), code: code.clone() };
    let asked = String::from_utf8(asked.text()).unwrap();
    let service = "login".parse().unwrap();
    let told = OfflineEmergency { statement, roster, at, correlation, account, login, service };
    let told = String::from_utf8(told.text()).unwrap();
    let digest = Digest::of(b"golden");
    let receipt = Receipt {
        index: 3,
        entry: Binary(b"{}".to_vec()),
        checkpoint: "a note\n".into(),
        proof: vec![digest],
    };
    let certificate = certificate::fingerprint(&golden::party("other").cert).unwrap();
    let record = RegistrationRecord {
        account: "ana".parse().unwrap(),
        certificate,
        transcript: digest,
        receipt,
        emergency_code: Some(code),
        recovery_code: None,
        recovery: None,
    };
    let mut one = crate::roster::roster().entries.swap_remove(0).accounts.swap_remove(0);
    one.emergency = Some(EmergencyVerifier { salt: Binary(b"eightsal".to_vec()), digest });
    let one = String::from_utf8(one.text()).unwrap();
    write("bad/emergency-use.short-code.json", asked.replacen("-9HFT", "", 1));
    write("bad/emergency-use.another-spelling.json", asked.replacen("7K3M-", "7k3m", 1));
    write(
        "bad/offline-emergency.with-a-code.json",
        told.replacen('{', "{\"code\":\"7K3M-Q2ZD-04XR-9HFT\",", 1),
    );
    write("bad/roster-account.unknown-verifier.json", one.replacen("\"salt\"", "\"pepper\"", 1));
    write("emergency-use.json", asked);
    write("offline-emergency.json", told);
    write("registration-record.json", String::from_utf8(record.text()).unwrap());
    write("roster-account.json", one);
}

use self::erased::Body as _;

/// Bodies of any type, as text.
mod erased {
    pub(super) trait Body {
        fn text(&self) -> Vec<u8>;
    }

    impl<T: serde::Serialize> Body for T {
        fn text(&self) -> Vec<u8> {
            serde_json::to_vec(self).unwrap()
        }
    }
}

fn offline_use(roster: SignedRoster) -> OfflineUse {
    let (host, server) = (golden::party("host"), golden::party("server"));
    let fingerprint =
        |party: &crate::parties::Party| countersign_protocol::certificate::fingerprint(&party.cert).unwrap();
    let instance = fingerprint(&host);
    let statement = Statement {
        countersign: Purpose::Statement,
        dry_run: false,
        operation: "open-session".parse().unwrap(),
        resource: format!("session/{instance}").parse().unwrap(),
        account: "ana".parse().unwrap(),
        login: Some("ana".parse().unwrap()),
        service: Some("sudo".parse().unwrap()),
        claimed: None,
        place: None,
        instance,
        server: fingerprint(&server),
        time: NOW,
        expires: NOW.plus(120),
        nonce: Nonce::from_bytes([7; 32]),
        body: None,
        approves: None,
        transcript: None,
    };
    OfflineUse {
        statement: statement::sign(&statement, golden::party("other").signer()).unwrap(),
        roster,
        use_number: 1,
        at: Timestamp::from_seconds(NOW.seconds() + 2),
        correlation: "7K3M-Q2ZD".parse().unwrap(),
        account: "ana".parse().unwrap(),
        login: "ana".parse().unwrap(),
        service: "sudo".parse().unwrap(),
        card: "FFFE:00000001".parse().unwrap(),
    }
}
