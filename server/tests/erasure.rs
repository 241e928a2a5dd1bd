//! What is kept of a person can be erased, and the log still verifies.

use countersign_protocol::ledger::{EntryKind, ExportWriter, Trust, verify_export};
use countersign_protocol::message::result::{AccountErased, LedgerPage, RecoveryApproval};
use countersign_protocol::message::{Decision, RegistrationMethod, RegistrationRecord};
use secrecy::ExposeSecret as _;

use crate::client::host::{Host, Registered};
use crate::client::person::Person;
use crate::fixture::{Server, denied, done, register};

/// As an auditor exports the whole ledger.
fn export(host: &Host, auditor: &Person) -> Vec<u8> {
    let page = |from: u64| -> LedgerPage {
        done(host.job(auditor, "read", "ledger/entries", Some(format!(r#"{{"from":{from}}}"#).as_bytes())))
    };
    let mut writer = ExportWriter::begin(Vec::new(), &page(0)).unwrap();
    while let Some(next) = writer.next() {
        writer.add(&page(next)).unwrap();
    }
    writer.finish().unwrap()
}

fn holds(stored: &[u8], what: &str) -> bool {
    stored.windows(what.len()).any(|part| part == what.as_bytes())
}

#[test]
fn a_person_is_erased_from_the_database_and_the_ledger_still_verifies() {
    let server = Server::new();
    let host = server.host();
    let admin = server.administrator(&host);
    let created = server.invite(&host, &admin, "ana", &["ana"]);
    // Her name stands in her certificates, and her host and what she ran in what she signed.
    let named = |name: &str| {
        let cert =
            countersign_protocol::certificate::generate_software(name, server.clock_now(), None).unwrap();
        Person { cert, ..Person::new("ana", server.clock_now()) }
    };
    let ana = named("Ana Lovelace <ana@lovelace.example>");
    register(&host, &ana, &created.code);
    let mut login = host.session(&ana, "ana");
    login.claimed = Some("cat /home/ana/diary-of-1843".into());
    assert_eq!(host.request(&ana, &login, None).decision, Decision::Allowed);
    // A key that ended before.
    let lost = countersign_protocol::certificate::fingerprint(&ana.cert).unwrap();
    assert_eq!(host.job(&admin, "revoke", &format!("key/{lost}"), None).decision, Decision::Allowed);
    let code = server.invite(&host, &admin, "ana", &["ana"]).code;
    let again = named("Augusta Ada King <ada@king.example>");
    let Registered::Done(record) = host.register(&again, &code).unwrap() else { panic!("not registered") };
    assert_eq!(host.log_in(&again, "ana").decision, Decision::Allowed);

    // A card that was lost once, and a recovery of it that a host with a name began.
    let paper = record.recovery_code.unwrap().spelled().expose_secret().to_owned();
    let third = named("Countess of Lovelace <countess@lovelace.example>");
    let begun = host.register_by(&third, &paper, RegistrationMethod::Recovery).unwrap();
    let Registered::Done(RegistrationRecord { recovery: Some(begun), .. }) = begun else {
        panic!("not begun")
    };
    let body = RecoveryApproval {
        account: ana.account.clone(),
        key: countersign_protocol::certificate::fingerprint(&third.cert).unwrap(),
    };
    let body = serde_json::to_vec(&body).unwrap();
    let approved = host.job(&admin, "approve", &format!("recovery/{}", begun.id), Some(&body));
    assert_eq!(approved.decision, Decision::Allowed, "{}", approved.reason);

    denied(&host.job(&admin, "erase", "account/ana", None), "End it first");
    denied(&host.job(&again, "erase", "account/ana", None), "No policy lets");
    assert_eq!(host.job(&admin, "retire", "account/ana", None).decision, Decision::Allowed);
    let traces = ["Ana Lovelace", "lovelace.example", "Augusta Ada King", "diary-of-1843", "Countess of"];
    let before = server.everything_stored();
    assert!(traces.iter().all(|trace| holds(&before, trace) || *trace == "Augusta Ada King"));
    let trust = Trust { key: Some(host.ledger_key.clone()), seen: None };
    let whole = verify_export(export(&host, &admin).as_slice(), &trust).unwrap();
    assert_eq!(whole.erased, 0);

    let erased: AccountErased = done(host.job(&admin, "erase", "account/ana", None));
    // Two registrations, two logins, a recovery; what was denied her names somebody else's account all the same.
    assert_eq!(erased.statements, 6);
    let entry = server.newest(EntryKind::Job);
    assert_eq!(
        (entry.operation.unwrap().as_str(), entry.detail["erased-statements"].as_str()),
        ("erase", "6")
    );
    let stored = server.everything_stored();
    for trace in traces {
        assert!(!holds(&stored, trace), "{trace} is in the database still");
    }
    assert!(server.audit().findings.is_empty());
    for (table, rows) in [("recoveries", 0), ("recovery_approvals", 0), ("recovery_codes", 1)] {
        assert_eq!(server.intruder().number(&format!("SELECT count(*) FROM {table}")), rows, "{table}");
    }
    let left = verify_export(export(&host, &admin).as_slice(), &trust).unwrap();
    assert_eq!((left.erased, left.statements), (6, whole.statements - 6 + 2));
    // Nobody gets her name or her keys.
    denied(
        &host.job(&admin, "create", "account/ana", Some(br#"{"logins":[],"roles":[]}"#)),
        "There is an account",
    );
}
