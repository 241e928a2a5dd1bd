//! What happened on a host, as people read it.

use std::collections::BTreeMap;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ipc::{JournalChecked, JournalEntry, JournalPage, Reply, ReportState};

use crate::program::countersign_at;
use crate::scripted_agent::{ScriptedAgent, hear, say, say_beside};

const NOON: Timestamp = Timestamp::from_seconds(1_795_348_800);

fn entry(index: u64, event: &str) -> JournalEntry {
    JournalEntry {
        index,
        at: NOON.plus(i64::try_from(index).unwrap()),
        event: event.to_owned(),
        correlation: Some("7K3M-Q2ZD".to_owned()),
        login: Some("ana".to_owned()),
        service: Some("sudo".to_owned()),
        account: Some("ana".to_owned()),
        outcome: None,
        ledger_index: None,
        told: None,
        report: None,
        more: BTreeMap::new(),
    }
}

/// A login whose answer was lost.
fn story() -> Vec<JournalEntry> {
    vec![
        JournalEntry {
            told: Some(
                "The server cannot be reached: connection refused. Check the network and that the server runs, then try again."
                    .to_owned(),
            ),
            report: Some(ReportState::Unsent),
            more: [("card".to_owned(), "0006:12345678".to_owned())].into(),
            ..entry(41, "no-answer")
        },
        JournalEntry {
            outcome: Some("never-happened".to_owned()),
            ledger_index: Some(18),
            told: Some("It never reached the server, and is refused from now on.".to_owned()),
            ..entry(52, "request-settled")
        },
    ]
}

/// An agent that hands out these pages, and what it was asked.
fn agent(pages: Vec<Vec<JournalEntry>>) -> ScriptedAgent<Vec<String>> {
    let count = pages.len();
    ScriptedAgent::taking(count, move |call, stream| {
        let asked = hear(stream).1;
        let upto = pages[call].last().map_or(0, |entry| entry.index);
        say(stream, &Reply::Journal(JournalPage { upto, more: call + 1 < count }));
        say_beside(stream, &pages[call]);
        asked
    })
}

#[test]
fn an_id_from_a_failed_login_tells_its_story() {
    let agent = agent(vec![story()]);
    let ended = countersign_at(&agent.socket(), &["journal", "--correlation", "7K3M-Q2ZD"], "");
    let expected = "\
7K3M-Q2ZD is a login as ana through sudo. It never reached the server, and never
will.

2026-11-22 12:00:41 UTC  no answer
  told        The server cannot be reached: connection refused. Check the
              network and that the server runs, then try again.
  account     ana
  card        0006:12345678
  ledger      not in the server's ledger yet

2026-11-22 12:00:52 UTC  settled: never happened
  told        It never reached the server, and is refused from now on.
  account     ana
  ledger      entry 18
";
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), expected));
    let asked = r#"{"request":"journal","correlation":"7K3M-Q2ZD"}"#;
    assert_eq!(agent.end(), [asked]);
}

#[test]
fn an_id_that_is_not_here_says_where_else_to_look() {
    let agent = agent(vec![Vec::new()]);
    countersign_at(&agent.socket(), &["journal", "--correlation", "7K3M-Q2ZD"], "")
        .refused(1, &["nothing under 7K3M-Q2ZD", "journalctl"]);
}

#[test]
fn the_listing_puts_the_newest_last_and_asks_for_every_page() {
    let mut job = entry(3, "job");
    (job.login, job.service, job.outcome) = (None, None, Some("denied".to_owned()));
    job.more = [("operation", "create"), ("resource", "account/bob")]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into();
    let agent = agent(vec![vec![entry(1, "login-allowed")], vec![entry(2, "wrong-pin"), job]]);
    let ended = countersign_at(&agent.socket(), &["journal", "--since", "2026-11-22", "--login", "ana"], "");
    let expected = "\
2026-11-22 12:00:01  login allowed           ana, sudo               7K3M-Q2ZD
2026-11-22 12:00:02  wrong pin               ana, sudo               7K3M-Q2ZD
2026-11-22 12:00:03  request denied          create account/bob      7K3M-Q2ZD
";
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), expected));
    let asked = agent.end();
    assert_eq!(asked[0], r#"{"request":"journal","since":"2026-11-22T00:00:00Z","login":"ana"}"#);
    assert_eq!(asked[1], r#"{"request":"journal","after":1,"since":"2026-11-22T00:00:00Z","login":"ana"}"#);
}

#[test]
fn without_a_time_only_the_last_entries_are_asked_for() {
    let agent = agent(vec![Vec::new()]);
    let ended = countersign_at(&agent.socket(), &["journal"], "");
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "Nothing.\n"));
    assert_eq!(agent.end(), [r#"{"request":"journal","last":40}"#]);
}

#[test]
fn a_program_reads_the_entries_as_they_are() {
    let agent = agent(vec![story()]);
    let ended = countersign_at(&agent.socket(), &["journal", "--json"], "");
    let value: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(value["entries"][1]["outcome"], "never-happened");
    assert_eq!(value["entries"][0]["more"]["card"], "0006:12345678");
}

#[test]
fn a_changed_journal_ends_with_9_and_a_whole_one_with_0() {
    let check = |problem: Option<&str>| {
        let checked = JournalChecked { entries: 41, problem: problem.map(str::to_owned) };
        let agent = ScriptedAgent::new(move |stream| {
            let asked = hear(stream).1;
            say(stream, &Reply::JournalChecked(checked));
            asked
        });
        let ended = countersign_at(&agent.socket(), &["journal", "--verify"], "");
        assert_eq!(agent.end(), r#"{"request":"check-journal"}"#);
        ended
    };
    let whole = check(None);
    assert_eq!(whole.code, Some(0));
    assert!(whole.out.contains("41 entries"), "{whole:?}");
    check(Some("the journal: entry 17 was changed or removed"))
        .refused(9, &["entry 17", "ledger", "journal.sqlite", "systemctl start countersignd"]);
}

#[test]
fn words_that_contradict_each_other_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = folder.path().join("user.sock");
    for words in [
        &["journal", "--correlation", "7K3M-Q2ZD", "--last", "3"][..],
        &["journal", "--verify", "--follow"],
        &["journal", "--since", "yesterday"],
        &["journal", "--correlation", "7K3M"],
    ] {
        assert_eq!(countersign_at(&nobody, words, "").code, Some(2), "{words:?}");
    }
}
