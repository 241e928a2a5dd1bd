//! What is kept of a person can be erased, and the log still verifies.

use countersign_protocol::ledger::{EntryKind, ExportWriter, Trust, verify_export};
use countersign_protocol::message::Decision;
use countersign_protocol::message::result::{AccountErased, LedgerPage};

use crate::client::host::Host;
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
    register(&host, &again, &code);
    assert_eq!(host.log_in(&again, "ana").decision, Decision::Allowed);

    denied(&host.job(&admin, "erase", "account/ana", None), "End it first");
    denied(&host.job(&again, "erase", "account/ana", None), "No policy lets");
    assert_eq!(host.job(&admin, "retire", "account/ana", None).decision, Decision::Allowed);
    let traces = ["Ana Lovelace", "lovelace.example", "Augusta Ada King", "diary-of-1843"];
    let before = server.everything_stored();
    assert!(traces.iter().all(|trace| holds(&before, trace) || *trace == "Augusta Ada King"));
    let trust = Trust { key: Some(host.ledger_key.clone()), seen: None };
    let whole = verify_export(export(&host, &admin).as_slice(), &trust).unwrap();
    assert_eq!(whole.erased, 0);

    let erased: AccountErased = done(host.job(&admin, "erase", "account/ana", None));
    // Two registrations, two logins; what was denied her names somebody else's account all the same.
    assert_eq!(erased.statements, 5);
    let entry = server.newest(EntryKind::Job);
    assert_eq!(
        (entry.operation.unwrap().as_str(), entry.detail["erased-statements"].as_str()),
        ("erase", "5")
    );
    let stored = server.everything_stored();
    for trace in traces {
        assert!(!holds(&stored, trace), "{trace} is in the database still");
    }
    let left = verify_export(export(&host, &admin).as_slice(), &trust).unwrap();
    assert_eq!((left.erased, left.statements), (5, whole.statements - 5 + 2));
    // Nobody gets her name or her keys.
    denied(
        &host.job(&admin, "create", "account/ana", Some(br#"{"logins":[],"roles":[]}"#)),
        "There is an account",
    );
}
