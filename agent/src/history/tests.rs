use countersign_protocol::clock::Timestamp;
use countersign_protocol::message::{HostEvent, HostEventKind};
use serde_json::json;

use super::*;
use crate::journal::Which;

const NOON: Timestamp = Timestamp::from_seconds(1_790_000_000);

fn journal() -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.sqlite"), None).unwrap();
    (folder, journal)
}

fn own(login: &str, uid: u32) -> Viewer {
    Viewer::Own { login: Some(login.to_owned()), uid }
}

fn found(journal: &Journal, viewer: &Viewer, ask: &JournalAsk) -> (JournalPage, Vec<JournalEntry>) {
    let reports = journal.reports().unwrap();
    let finder = Finder { viewer, ask, reports: &reports };
    match ask.last {
        Some(last) => finder.last(journal, last),
        None => finder.next(journal),
    }
    .unwrap()
}

fn indexes(found: &[JournalEntry]) -> Vec<u64> {
    found.iter().map(|entry| entry.index).collect()
}

#[test]
fn everybody_sees_their_own_entries_and_root_all() {
    let (_folder, journal) = journal();
    for entry in [
        json!({"event": "login-allowed", "correlation": "AAAA-AAAA", "login": "ana", "service": "sudo"}),
        json!({"event": "login-denied", "correlation": "BBBB-BBBB", "login": "bob", "service": "sudo"}),
        json!({"event": "job", "correlation": "CCCC-CCCC", "uid": 1000, "allowed": true}),
        json!({"event": "job", "correlation": "DDDD-DDDD", "uid": 0, "allowed": false}),
        json!({"event": "journal-begun-anew"}),
        // Somebody else's program that asked about ana.
        json!({"event": "denied-here", "correlation": "EEEE-EEEE", "login": "ana", "uid": 2000}),
    ] {
        journal.write(NOON, &entry).unwrap();
    }
    let ask = JournalAsk::default();
    assert_eq!(indexes(&found(&journal, &Viewer::All, &ask).1), [1, 2, 3, 4, 5, 6]);
    assert_eq!(indexes(&found(&journal, &own("ana", 1000), &ask).1), [1, 3, 6]);
    assert_eq!(indexes(&found(&journal, &own("bob", 2000), &ask).1), [2]);
    let nameless = Viewer::Own { login: None, uid: 3000 };
    assert_eq!(found(&journal, &nameless, &ask).1, []);
    // Nor does asking by id or name show what is not theirs.
    let other = JournalAsk { correlation: Some("BBBB-BBBB".parse().unwrap()), ..JournalAsk::default() };
    assert_eq!(found(&journal, &own("ana", 1000), &other).1, []);
    let other = JournalAsk { login: Some("bob".parse().unwrap()), ..JournalAsk::default() };
    assert_eq!(found(&journal, &own("ana", 1000), &other).1, []);
}

#[test]
fn an_id_finds_its_entries_by_either_side_and_nothing_that_only_mentions_it() {
    let (_folder, journal) = journal();
    for entry in [
        json!({"event": "denied-here", "correlation": "7K3M-Q2ZD", "login": "ana"}),
        json!({"event": "denied-here", "correlation": "AAAA-AAAA", "told": "ask about 7K3M-Q2ZD"}),
        json!({"event": "request-settled", "correlation": "BBBB-BBBB", "ledger_correlation": "7K3M-Q2ZD",
               "outcome": "allowed", "ledger_index": 17}),
    ] {
        journal.write(NOON, &entry).unwrap();
    }
    let ask = JournalAsk { correlation: Some("7K3M-Q2ZD".parse().unwrap()), ..JournalAsk::default() };
    let (_, found) = found(&journal, &Viewer::All, &ask);
    assert_eq!(indexes(&found), [1, 3]);
    assert_eq!((found[1].outcome.as_deref(), found[1].ledger_index), (Some("allowed"), Some(17)));
}

#[test]
fn pages_continue_each_other_and_the_last_ones_come_in_order() {
    let (_folder, journal) = journal();
    let long = "x".repeat(20_000);
    for n in 0..100_u32 {
        let at = NOON.plus(i64::from(n));
        journal.write(at, &json!({"event": "job", "correlation": "AAAA-AAAA", "told": long})).unwrap();
    }
    let (mut ask, mut all, mut pages) = (JournalAsk::default(), Vec::new(), 0);
    loop {
        let (page, entries) = found(&journal, &Viewer::All, &ask);
        assert!(serde_json::to_vec(&entries).unwrap().len() <= limits::IPC_BODY);
        all.extend(indexes(&entries));
        (ask.after, pages) = (Some(page.upto), pages + 1);
        if !page.more {
            break;
        }
    }
    assert_eq!(all, (1..=100).collect::<Vec<u64>>());
    assert!(pages >= 3, "{pages}");
    let last = JournalAsk { last: Some(3), ..JournalAsk::default() };
    let (page, entries) = found(&journal, &Viewer::All, &last);
    assert_eq!((page.upto, indexes(&entries)), (100, vec![98, 99, 100]));
    let since = JournalAsk { since: Some(NOON.plus(98)), ..JournalAsk::default() };
    assert_eq!(indexes(&found(&journal, &Viewer::All, &since).1), [99, 100]);
}

#[test]
fn an_event_says_that_the_ledger_does_not_have_it_until_it_does() {
    let (_folder, journal) = journal();
    let event = HostEvent {
        event: HostEventKind::WrongPin,
        at: NOON,
        correlation: "7K3M-Q2ZD".parse().unwrap(),
        login: Some("ana".parse().unwrap()),
        account: None,
        service: None,
        card: None,
        told: "Wrong PIN.".to_owned(),
    };
    journal.report(&event).unwrap();
    let state = || found(&journal, &Viewer::All, &JournalAsk::default()).1[0].report;
    assert_eq!(state(), Some(ReportState::Unsent));
    let unsent = journal.oldest_unsent(Which::All).unwrap().unwrap();
    journal.park(unsent.id).unwrap();
    assert_eq!(state(), Some(ReportState::Refused));
    journal.confirm(unsent.id).unwrap();
    assert_eq!(state(), None);
}
