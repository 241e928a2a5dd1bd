//! Some entries, each with its proof.

use super::log::{HOST, Log, NOON, Person, anas_log, plain_log};
use crate::ids::Digest;
use crate::ledger::{
    Entry, EntryFilter, EntryKind, ExcerptReport, ExcerptWriter, ExportHashes, LedgerError, Outcome,
    ProvenExport, Trust, detail, verify_excerpt,
};

fn filter(json: &str) -> EntryFilter {
    serde_json::from_str(json).unwrap()
}

/// What `export --of` does with the entries of a whole export.
fn excerpt(log: &Log, filter: &EntryFilter) -> Vec<String> {
    let mut hashes = ExportHashes::default();
    for exported in &log.entries {
        hashes.push(&exported.entry.0).unwrap();
    }
    let mut writer =
        ExcerptWriter::begin(Vec::new(), log.key.clone(), log.checkpoint(log.size()), filter.clone())
            .unwrap();
    for certificate in &log.certificates {
        writer.certificate(certificate).unwrap();
        writer.certificate(certificate).unwrap();
    }
    for (index, exported) in (0..).zip(&log.entries) {
        if filter.wants(&Entry::from_bytes(&exported.entry.0).unwrap()) {
            let proof = hashes.prove(index).unwrap();
            writer.entry(&ProvenExport { index, entry: exported.clone(), proof }).unwrap();
        }
    }
    String::from_utf8(writer.finish().unwrap()).unwrap().lines().map(str::to_owned).collect()
}

fn verify(lines: &[String], log: &Log) -> Result<ExcerptReport, LedgerError> {
    let trust = Trust { key: Some(log.key.clone()), seen: None };
    verify_excerpt(lines.join("\n").as_bytes(), &trust)
}

#[track_caller]
fn finds(lines: &[String], log: &Log, expected: &str) {
    match verify(lines, log) {
        Err(LedgerError::Export { problems, .. }) => {
            assert!(problems[0].what.contains(expected), "{problems:?} is not {expected}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_entry_of_an_excerpt_is_proven_against_the_checkpoint() {
    let log = anas_log(&Person::new());
    let lines = excerpt(&log, &filter(r#"{"account":"ana"}"#));
    let report = verify(&lines, &log).unwrap();
    assert_eq!((report.proven, report.size, report.statements, report.erased), (2, 4, 2, 0));
    assert_eq!(report.root, log.root(4));
    assert!(report.key_was_known);
    // A header, a certificate, two entries.
    assert_eq!(lines.len(), 4);
    assert_eq!(verify(&excerpt(&log, &EntryFilter::default()), &log).unwrap().proven, 4);
}

#[test]
fn an_entry_that_is_not_in_the_ledger_is_noticed_in_an_excerpt() {
    let (log, other) = (anas_log(&Person::new()), anas_log(&Person::new()));
    let all = EntryFilter::default();
    let (ours, theirs) = (excerpt(&log, &all), excerpt(&other, &all));
    for at in 3..6 {
        let mut lines = ours.clone();
        lines[at].clone_from(&theirs[at]);
        finds(&lines, &log, "is not in the ledger");
    }
    // At another place.
    let mut lines = ours.clone();
    lines[3] = lines[3].replace("\"index\":1", "\"index\":0");
    finds(&lines, &log, "behind a later one, or twice");
    let mut lines = ours.clone();
    lines[5] = lines[5].replace("\"index\":3", "\"index\":7");
    finds(&lines, &log, "is not in the ledger");
    let mut lines = ours.clone();
    lines.swap(4, 5);
    finds(&lines, &log, "behind a later one");
    finds(&theirs, &log, "of the ledger of another server");
    finds(&ours[1..], &log, "not the header");
}

#[test]
fn an_excerpt_holds_nothing_that_was_not_asked_for() {
    let log = anas_log(&Person::new());
    let mut lines = excerpt(&log, &EntryFilter::default());
    lines[0] = excerpt(&log, &filter(r#"{"kind":"job"}"#))[0].clone();
    finds(&lines, &log, "not what the excerpt says to be about");
}

#[test]
fn evidence_in_an_excerpt_is_what_the_entry_names_or_erased() {
    let mut log = anas_log(&Person::new());
    log.entries[2].evidence.as_mut().unwrap().salt.0[0] ^= 1;
    finds(&excerpt(&log, &EntryFilter::default()), &log, "the evidence was altered");
    log.entries[2].evidence = None;
    let report = verify(&excerpt(&log, &EntryFilter::default()), &log).unwrap();
    assert_eq!((report.statements, report.erased), (1, 1));
    log.certificates.clear();
    finds(&excerpt(&log, &EntryFilter::default()), &log, "is not in the excerpt");
}

#[test]
fn a_filter_wants_exactly_what_it_says() {
    let mut entry =
        Entry::new(EntryKind::Job, NOON, "7K3M-Q2ZD".parse().unwrap(), Outcome::Denied, "You may not.");
    entry.account = Some("ana".parse().unwrap());
    entry.instance = Some(HOST.parse().unwrap());
    entry.application = Some("countersign".parse().unwrap());
    entry.operation = Some("suspend".parse().unwrap());
    entry.resource = Some("account/bea".parse().unwrap());
    entry.detail.insert(detail::OF_ACCOUNT.into(), "cleo".into());
    for (wanted, json) in [
        (true, "{}"),
        (true, r#"{"account":"ana"}"#),
        (true, r#"{"account":"bea"}"#),
        (true, r#"{"account":"cleo"}"#),
        (false, r#"{"account":"dora"}"#),
        (true, r#"{"host":"01234567"}"#),
        (false, r#"{"host":"11234567"}"#),
        (true, r#"{"application":"countersign"}"#),
        (false, r#"{"application":"count"}"#),
        (true, r#"{"operation":"suspend"}"#),
        (false, r#"{"operation":"resume"}"#),
        (true, r#"{"resource":"account"}"#),
        (true, r#"{"resource":"account/bea"}"#),
        (false, r#"{"resource":"account/b"}"#),
        (false, r#"{"resource":"acc"}"#),
        (true, r#"{"decision":"denied"}"#),
        (false, r#"{"decision":"allowed"}"#),
        (true, r#"{"kind":"job"}"#),
        (false, r#"{"kind":"alarm"}"#),
        (true, r#"{"correlation":"7K3M-Q2ZD"}"#),
        (false, r#"{"correlation":"7K3M-Q2ZE"}"#),
        (true, r#"{"account":"ana","decision":"denied"}"#),
        (false, r#"{"account":"ana","decision":"allowed"}"#),
    ] {
        assert_eq!(filter(json).wants(&entry), wanted, "{json}");
    }
    let span = |since, until| EntryFilter {
        since: Some(NOON.plus(since)),
        until: Some(NOON.plus(until)),
        ..EntryFilter::default()
    };
    assert!(span(0, 1).wants(&entry) && !span(1, 2).wants(&entry) && !span(-1, 0).wants(&entry));
    for bad in [r#"{"host":"1234567"}"#, r#"{"resource":"a/b/c"}"#, r#"{"kind":"Job"}"#, r#"{"who":"ana"}"#] {
        assert!(serde_json::from_str::<EntryFilter>(bad).is_err(), "{bad}");
    }
}

#[test]
fn every_kind_of_entry_has_the_word_that_the_log_has_for_it() {
    // All that can be read.
    let unknown = serde_json::from_value::<EntryKind>("?".into()).unwrap_err().to_string();
    let words: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
    assert_eq!(words, EntryKind::ALL.map(EntryKind::as_str));
    for word in words {
        let kind: EntryKind = serde_json::from_value(word.into()).unwrap();
        assert_eq!(word.parse(), Ok(kind));
    }
    assert!("Job".parse::<EntryKind>().unwrap_err().to_string().contains("key-update"));
}

#[test]
fn proofs_out_of_an_export_are_those_of_its_server() {
    let log = plain_log(13);
    let mut hashes = ExportHashes::default();
    for exported in &log.entries {
        hashes.push(&exported.entry.0).unwrap();
    }
    for index in 0..13 {
        assert_eq!(hashes.prove(index).unwrap(), log.receipt(index).proof);
    }
    assert!(matches!(hashes.prove(13), Err(LedgerError::NotIncluded { .. })));
    assert_ne!(hashes.prove(3).unwrap(), Vec::<Digest>::new());
}
