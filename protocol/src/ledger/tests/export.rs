//! Exports: whole ones hold, all others say where and why not.

use super::log::{HOST, Log, NOON, Person, anas_log, plain, plain_log};
use crate::ids::Digest;
use crate::ledger::{
    Entry, EntryKind, ExportReport, ExportWriter, LedgerError, Outcome, Trust, detail, verify_export,
};

fn export(log: &Log) -> Vec<String> {
    let writer = ExportWriter::begin(Vec::new(), &log.page(0, log.size())).unwrap();
    String::from_utf8(writer.finish().unwrap()).unwrap().lines().map(str::to_owned).collect()
}

fn verify(lines: &[String], trust: &Trust) -> Result<ExportReport, LedgerError> {
    verify_export(lines.join("\n").as_bytes(), trust)
}

fn knows(log: &Log) -> Trust {
    Trust { key: Some(log.key.clone()), seen: None }
}

/// The problems found, as `line: text`.
fn problems(lines: &[String], trust: &Trust) -> Vec<String> {
    match verify(lines, trust) {
        Err(LedgerError::Export { problems, .. }) => {
            problems.iter().map(|problem| format!("{}: {}", problem.line, problem.what)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn finds(lines: &[String], trust: &Trust, expected: &[&str]) {
    let found = problems(lines, trust);
    let same = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| found.contains(expected));
    assert!(same, "{found:#?} is not {expected:#?}");
}

const OTHER_ENTRIES: &str = "1: the checkpoint signed other entries";

#[test]
fn a_whole_export_holds_and_says_what_it_proves() {
    let log = anas_log(&Person::new());
    let report = verify(&export(&log), &knows(&log)).unwrap();
    assert_eq!((report.size, report.root), (4, log.root(4)));
    assert_eq!((report.statements, report.erased, report.unattributed), (2, 0, 0));
    assert_eq!(report.span, Some((NOON, NOON)));
    assert!(report.key_was_known);
    assert!(!verify(&export(&log), &Trust::default()).unwrap().key_was_known);
}

#[test]
fn an_export_is_put_together_from_pages_of_a_growing_log() {
    let ana = Person::new();
    let mut log = anas_log(&ana);
    let mut writer = ExportWriter::begin(Vec::new(), &log.page(0, 1)).unwrap();
    // Reading the first page was recorded, as everything is.
    let (read, signed) = ana.signs(EntryKind::Job, |statement| {
        statement.operation = "read".parse().unwrap();
        statement.resource = "ledger/entries".parse().unwrap();
    });
    log.add(&read, Some(signed));
    assert!(matches!(writer.add(&log.page(2, 5)), Err(LedgerError::Pages(_))), "a page left out");
    assert!(matches!(writer.add(&log.page(1, 1)), Err(LedgerError::Pages(_))), "an empty page");
    assert!(matches!(writer.add(&plain_log(4).page(1, 4)), Err(LedgerError::Pages(_))), "another ledger");
    assert_eq!(writer.next(), Some(1));
    writer.add(&log.page(1, 5)).unwrap();
    assert_eq!(writer.next(), None);
    let export = writer.finish().unwrap();
    assert_eq!(verify_export(export.as_slice(), &knows(&log)).unwrap().size, 4);
}

#[test]
fn an_unfinished_export_cannot_be_finished() {
    let log = plain_log(4);
    let writer = ExportWriter::begin(Vec::new(), &log.page(0, 3)).unwrap();
    assert!(matches!(writer.finish(), Err(LedgerError::Pages(_))));
    assert!(matches!(ExportWriter::begin(Vec::new(), &log.page(1, 4)), Err(LedgerError::Pages(_))));
}

#[test]
fn a_tampered_entry_is_noticed() {
    let log = plain_log(5);
    let mut lines = export(&log);
    let tampered = {
        let mut entry = log.entries[2].clone();
        let text = String::from_utf8(entry.entry.0).unwrap().replace("Wrong PIN", "Right PIN");
        entry.entry.0 = text.into_bytes();
        serde_json::to_string(&serde_json::json!({ "entry": entry })).unwrap()
    };
    assert_ne!(lines[3], tampered);
    lines[3] = tampered;
    finds(&lines, &knows(&log), &[OTHER_ENTRIES]);
}

#[test]
fn a_missing_tail_is_noticed() {
    let log = plain_log(5);
    let lines = export(&log);
    finds(&lines[..4], &knows(&log), &["4: the file ends here; 2 of 5 entries are missing"]);
    finds(&lines[..1], &knows(&log), &["1: the file ends here; 5 of 5 entries are missing"]);
}

#[test]
fn reordered_repeated_and_added_entries_are_noticed() {
    let log = plain_log(5);
    let mut swapped = export(&log);
    swapped.swap(2, 3);
    finds(&swapped, &knows(&log), &[OTHER_ENTRIES]);

    let mut replaced = export(&log);
    replaced[4] = replaced[3].clone();
    finds(&replaced, &knows(&log), &[OTHER_ENTRIES]);

    let mut longer = export(&log);
    longer.push(longer[1].clone());
    finds(&longer, &knows(&log), &["7: here begin entries that the checkpoint of 5 does not cover"]);
}

#[test]
fn a_foreign_checkpoint_is_noticed() {
    let (log, other) = (plain_log(5), plain_log(6));
    let mut lines = export(&log);
    // Another ledger's checkpoint under our key's name.
    let foreign = serde_json::to_string(&other.checkpoint(5)).unwrap();
    let own = serde_json::to_string(&log.checkpoint(5)).unwrap();
    lines[0] = lines[0].replace(&own, &foreign);
    finds(&lines, &knows(&log), &["1: the checkpoint is not one of this ledger"]);

    // Our own checkpoint, of another moment.
    let mut lines = export(&log);
    lines[0] = lines[0].replace(&own, &serde_json::to_string(&log.checkpoint(4)).unwrap());
    finds(&lines, &knows(&log), &["1: the header says 5 entries, the signed checkpoint 4"]);
}

#[test]
fn the_export_of_another_server_is_not_taken_for_ours() {
    let (log, other) = (plain_log(5), plain_log(5));
    assert!(verify(&export(&other), &Trust::default()).is_ok());
    finds(&export(&other), &knows(&log), &["1: this is the ledger of another server"]);
}

#[test]
fn an_export_that_does_not_continue_what_was_seen_is_noticed() {
    let log = plain_log(5);
    let seen = |size, root| Trust { seen: Some((size, root)), ..knows(&log) };
    assert!(verify(&export(&log), &seen(3, log.root(3))).is_ok());
    assert!(verify(&export(&log), &seen(5, log.root(5))).is_ok());
    finds(&export(&log), &seen(3, Digest::of(b"x")), &["4: the ledger of size 5 does not continue"]);
    finds(&export(&log), &seen(6, Digest::of(b"x")), &["1: the ledger shrank from 6 to 5 entries"]);
}

#[test]
fn erased_evidence_is_reported_and_breaks_nothing() {
    let mut log = anas_log(&Person::new());
    log.entries[2].evidence = None;
    let report = verify(&export(&log), &knows(&log)).unwrap();
    assert_eq!((report.statements, report.erased), (1, 1));
}

#[test]
fn altered_evidence_is_noticed() {
    let ana = Person::new();
    let whole = || anas_log(&ana);
    let mut log = whole();
    log.entries[2].evidence.as_mut().unwrap().salt.0[0] ^= 1;
    finds(&export(&log), &knows(&log), &["5: the evidence was altered"]);

    let mut log = whole();
    log.entries[2].evidence.as_mut().unwrap().signed.signature.0.push(0);
    finds(&export(&log), &knows(&log), &["5: the evidence was altered"]);

    let mut log = whole();
    log.entries[1].evidence = log.entries[2].evidence.clone();
    finds(&export(&log), &knows(&log), &["4: evidence lies beside an entry that names none"]);
}

/// A server that signs its checkpoint over an entry which the person's card did not sign.
#[test]
fn an_entry_that_says_something_else_than_was_signed_is_noticed() {
    let ana = Person::new();
    type Change = fn(&mut Entry);
    let cases: [(Change, &str); 6] = [
        (|entry| entry.account = Some("eve".parse().unwrap()), "another account"),
        (|entry| entry.login = Some("root".parse().unwrap()), "another login"),
        (|entry| entry.service = Some("sudo".parse().unwrap()), "another service"),
        (|entry| entry.operation = Some("delete".parse().unwrap()), "another operation"),
        (|entry| entry.resource = Some("account/ana".parse().unwrap()), "another resource"),
        (|entry| entry.statement = Some(Digest::of(b"x")), "holds another statement"),
    ];
    for (change, expected) in cases {
        let mut log = anas_log(&ana);
        let (mut entry, evidence) = ana.signs(EntryKind::Job, |_| ());
        change(&mut entry);
        log.add(&entry, Some(evidence));
        finds(&export(&log), &knows(&log), &[expected]);
    }
}

#[test]
fn a_statement_without_a_good_signature_of_a_registered_key_is_noticed() {
    let (ana, eve) = (Person::new(), Person::new());

    // Eve's card, Ana's name: the certificate is there, but nobody registered it for Ana.
    let mut log = anas_log(&ana);
    log.certificates.push(eve.certificate());
    let (entry, evidence) = eve.signs(EntryKind::Job, |_| ());
    log.add(&entry, Some(evidence));
    finds(&export(&log), &knows(&log), &["8: no entry before it registers the key"]);

    // Eve's signature, recorded as Ana's.
    let mut log = anas_log(&ana);
    let (mut entry, evidence) = eve.signs(EntryKind::Job, |_| ());
    entry.key = Some(ana.key.clone());
    log.add(&entry, Some(evidence));
    finds(&export(&log), &knows(&log), &["7: the statement's signature is not good"]);

    // The certificate left out.
    let mut log = anas_log(&ana);
    log.certificates.clear();
    let missing = "which signed the statement, is not in the export";
    finds(&export(&log), &knows(&log), &[missing, missing]);

    // A statement for another server.
    let mut log = anas_log(&ana);
    let (entry, evidence) = ana.signs(EntryKind::Job, |statement| statement.server = HOST.parse().unwrap());
    log.add(&entry, Some(evidence));
    finds(&export(&log), &knows(&log), &["7: the statement was made for the server"]);
}

#[test]
fn what_a_revoked_key_signed_is_noticed() {
    let (ana, admin) = (Person::new(), Person::new());
    // An administrator's request, or an alarm about the server's own machine, ends Ana's key a minute after noon.
    let job = |log: &mut Log| {
        log.certificates.push(admin.certificate());
        let (registration, bound) = admin.signs(EntryKind::Registration, |statement| {
            statement.account = "admin".parse().unwrap();
        });
        log.add(&registration, Some(bound));
        let (mut revoked, signed) = admin.signs(EntryKind::Job, |statement| {
            statement.account = "admin".parse().unwrap();
            statement.operation = "revoke".parse().unwrap();
        });
        revoked.time = NOON.plus(60);
        revoked.detail.insert(detail::REVOKED_KEY.into(), ana.key.to_string());
        revoked.detail.insert(detail::OF_ACCOUNT.into(), "ana".into());
        // Denied, it ends nothing.
        let denied = Entry { decision: Outcome::Denied, ..revoked.clone() };
        log.add(&denied, Some(signed.clone()));
        let (login, by_ana) = ana.signs(EntryKind::Job, |_| ());
        log.add(&login, Some(by_ana));
        log.add(&revoked, Some(signed));
    };
    let alarm = |log: &mut Log| {
        let mut alarm = Entry { kind: EntryKind::Alarm, time: NOON.plus(60), ..plain(1) };
        alarm.detail.insert(detail::REVOKED_KEY.into(), ana.key.to_string());
        alarm.detail.insert(detail::OF_ACCOUNT.into(), "ana".into());
        log.add(&alarm, None);
    };
    for revoke in [&job as &dyn Fn(&mut Log), &alarm] {
        let revoked = || {
            let mut log = anas_log(&ana);
            revoke(&mut log);
            log
        };
        let mut log = revoked();
        let (login, signed) = ana.signs(EntryKind::Job, |_| ());
        log.add(&login, Some(signed));
        finds(&export(&log), &knows(&log), &["of account ana had ended before it"]);

        // Without the server: before it ended, or not.
        for (at, found) in [(59, &[][..]), (60, &["the key was not the account's"][..])] {
            let mut log = revoked();
            let (mut used, signed) = ana.signs(EntryKind::OfflineUse, |_| ());
            used.detail.insert(detail::AT.into(), NOON.plus(at).to_string());
            log.add(&used, Some(signed));
            match found {
                [] => drop(verify(&export(&log), &knows(&log)).unwrap()),
                found => finds(&export(&log), &knows(&log), found),
            }
        }
    }
}

#[test]
fn an_entry_that_allows_something_and_names_no_evidence_or_key_is_noticed() {
    let ana = Person::new();
    for kind in [EntryKind::Job, EntryKind::OfflineUse, EntryKind::Registration] {
        let (entry, signed) = ana.signs(kind, |_| ());
        let mut log = anas_log(&ana);
        log.add(&Entry { evidence: None, ..entry.clone() }, None);
        finds(&export(&log), &knows(&log), &["names no evidence"]);
        let mut log = anas_log(&ana);
        log.add(&Entry { key: None, ..entry.clone() }, Some(signed));
        finds(&export(&log), &knows(&log), &["names no key"]);
        // Named and erased is something else.
        let mut log = anas_log(&ana);
        log.add(&entry, None);
        assert_eq!(verify(&export(&log), &knows(&log)).unwrap().erased, 1);
    }
}

#[test]
fn a_refused_statement_is_kept_as_a_claim() {
    let (ana, eve) = (Person::new(), Person::new());
    let mut log = anas_log(&ana);
    let (mut entry, evidence) = eve.signs(EntryKind::Refusal, |_| ());
    entry.key = None;
    entry.decision = Outcome::Denied;
    log.add(&entry, Some(evidence));
    assert_eq!(verify(&export(&log), &knows(&log)).unwrap().unattributed, 1);
}

#[test]
fn what_is_no_export_is_refused_with_its_line() {
    let log = plain_log(2);
    let lines = export(&log);
    let trust = knows(&log);
    let with = |line: &str| vec![lines[0].clone(), line.to_owned(), lines[1].clone(), lines[2].clone()];
    finds(&[], &trust, &["1: the file is empty"]);
    finds(&lines[1..], &trust, &["1: this is not the header"]);
    finds(&with("{}"), &trust, &["2: not a line of a ledger export"]);
    finds(&with(""), &trust, &["2: not a line of a ledger export"]);
    finds(&with(&lines[0]), &trust, &["2: a second header"]);
    finds(&with("{\"certificate\":\"AAAA\"}"), &trust, &["2: the certificate cannot be used"]);
    let part = vec![lines[0].replace("\"from\":0", "\"from\":1"), lines[1].clone(), lines[2].clone()];
    finds(&part, &trust, &["1: the export begins at entry 1; only a whole one"]);
    let endless = "x".repeat(1 << 20);
    assert!(matches!(verify(&with(&endless), &trust), Err(LedgerError::Io(_))));
}

#[test]
fn a_ruined_export_does_not_fill_the_screen() {
    let log = plain_log(100);
    let lines: Vec<String> = export(&log)
        .into_iter()
        .enumerate()
        .map(|(at, line)| if at == 0 { line } else { "x".into() })
        .collect();
    let Err(LedgerError::Export { problems, more }) = verify(&lines, &knows(&log)) else { panic!() };
    assert_eq!((problems.len(), more), (20, 81));
}
