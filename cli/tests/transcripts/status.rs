//! What an administrator sees, word for word: `tests/golden/NAME.txt`.

use std::path::{Path, PathBuf};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ipc::{
    CardReport, CardsReport, JournalEntry, JournalReport, Reply, ReportCounts, RosterLogin, RosterReport,
    RosterUse, ServerReport, StatusReport, TurnReport, UnsettledReport,
};

use crate::program::{Ended, countersign_at};
use crate::scripted_agent::{ScriptedAgent, hear, say};

const HOST: &str = "0123456789ABCDEF0123456789ABCDEF01234567";
const NOW: Timestamp = Timestamp::from_seconds(1_795_375_800);

fn entry(index: u64, seconds: i64, event: &str, service: &str, id: &str) -> JournalEntry {
    JournalEntry {
        index,
        at: NOW.plus(-seconds),
        event: event.to_owned(),
        correlation: Some(id.to_owned()),
        login: Some("ana".to_owned()),
        service: Some(service.to_owned()),
        account: None,
        outcome: None,
        ledger_index: None,
        told: None,
        report: None,
        more: std::collections::BTreeMap::new(),
    }
}

fn card(ident: &str, role: &str, tries: u8, accounts: &[&str]) -> CardReport {
    CardReport {
        reader: "Yubico YubiKey CCID 00 00".to_owned(),
        ident: Some(ident.parse().unwrap()),
        tries: Some(tries),
        signing_key: None,
        role: role.to_owned(),
        accounts: accounts.iter().map(|name| name.parse().unwrap()).collect(),
        problem: None,
    }
}

fn healthy() -> StatusReport {
    let login = |login: &str, accounts: &[&str]| RosterLogin {
        login: login.parse().unwrap(),
        accounts: accounts
            .iter()
            .map(|name| RosterUse { account: name.parse().unwrap(), offline_left: 5 })
            .collect(),
    };
    StatusReport {
        version: "0.1.0".to_owned(),
        at: NOW,
        instance: Some(HOST.parse().unwrap()),
        key_words: Some("abandon-ability-able-about-above-absent".to_owned()),
        state: "active".to_owned(),
        refused: false,
        key_store: Some("card FFFE:00000001".to_owned()),
        session_keys_until: Some(NOW.plus(25_000)),
        key_trouble: None,
        forked: false,
        version_retired: false,
        weaknesses: Vec::new(),
        server: Some(ServerReport {
            url: "https://auth.example:8443".to_owned(),
            fingerprint: HOST.parse().unwrap(),
            last_answer: Some(NOW.plus(-12)),
            clock_offset: Some(0),
            problem: None,
            alarm: None,
        }),
        roster: Some(RosterReport {
            from: NOW.plus(-12),
            until: NOW.plus(86_388),
            count: 2,
            left_out: None,
            logins: vec![login("ana", &["ana"]), login("root", &["olga", "piet"])],
        }),
        cards: Some(CardsReport {
            cards: vec![card("FFFE:00000001", "host", 3, &[]), card("0006:12345678", "user", 3, &["ana"])],
            service_problem: None,
            turns: Vec::new(),
        }),
        decisions: vec![
            JournalEntry { ledger_index: Some(17), ..entry(40, 4000, "login-allowed", "login", "AAAA-AAAA") },
            entry(41, 900, "wrong-pin", "sudo", "7K3M-Q2ZD"),
            entry(42, 890, "login-allowed", "sudo", "BBBB-BBBB"),
        ],
        reports: ReportCounts::default(),
        unsettled: Vec::new(),
        journal: JournalReport { in_memory: false, broken: false, problem: None },
    }
}

fn server_down() -> StatusReport {
    let mut report = healthy();
    let server = report.server.as_mut().unwrap();
    server.problem =
        Some("the server cannot be reached: https://auth.example:8443: connection refused".to_owned());
    server.last_answer = Some(NOW.plus(-7500));
    server.clock_offset = Some(-340);
    report.session_keys_until = Some(NOW.plus(-100));
    report.reports.unsent = 2;
    report.unsettled = vec![UnsettledReport {
        correlation: "7K3M-Q2ZD".parse().unwrap(),
        what: "create account/bob".to_owned(),
        account: "olga".parse().unwrap(),
        sent: NOW.plus(-300),
        untold: false,
    }];
    let cards = report.cards.as_mut().unwrap();
    cards.cards[1].tries = Some(1);
    cards.turns = vec![TurnReport {
        card: "0006:12345678".parse().unwrap(),
        holder: "sudo of ana (terminal pts/3)".to_owned(),
        seconds: 4,
        waiting: 1,
    }];
    report
}

fn not_enrolled() -> StatusReport {
    StatusReport {
        instance: None,
        key_words: None,
        state: "not-enrolled".to_owned(),
        key_store: None,
        session_keys_until: None,
        server: None,
        roster: None,
        decisions: Vec::new(),
        cards: Some(CardsReport {
            cards: Vec::new(),
            service_problem: Some(
                "pcscd does not run, so no card can be seen; start it with: systemctl start pcscd.socket"
                    .to_owned(),
            ),
            turns: Vec::new(),
        }),
        ..healthy()
    }
}

/// As Ana sees it, far from the seat.
fn pending() -> StatusReport {
    let mut report = healthy();
    report.state = "pending".to_owned();
    report.cards = None;
    report.decisions.clear();
    report.roster = None;
    report
}

fn without_its_card() -> StatusReport {
    let mut report = healthy();
    report.session_keys_until = Some(NOW.plus(2400));
    report.key_trouble = Some(format!(
        "The session keys end at {} and could not be replaced: the host's card FFFE:00000001: the card is in no reader",
        NOW.plus(2400)
    ));
    report
}

fn forked() -> StatusReport {
    StatusReport { forked: true, ..healthy() }
}

fn damaged_journal() -> StatusReport {
    let mut report = healthy();
    report.journal.problem = Some(
        "the journal: file is not a database; it was moved to /var/lib/countersign/journal.sqlite.damaged-1795375000 and a new one was begun".to_owned(),
    );
    report.reports = ReportCounts { unsent: 0, refused: 1, disputed: 2 };
    report
}

fn changed_journal() -> StatusReport {
    let mut report = healthy();
    report.journal.broken = true;
    report.journal.problem = Some("the journal was changed or damaged".to_owned());
    report
}

fn refused() -> StatusReport {
    let mut report = StatusReport { refused: true, ..healthy() };
    let problem = "the server refused the message (its log has 7K3M-Q2ZD)";
    report.server.as_mut().unwrap().problem = Some(problem.to_owned());
    report
}

type Sample = (&'static str, i32, fn() -> StatusReport);

const SAMPLES: [Sample; 9] = [
    ("healthy", 0, healthy),
    ("server-down", 10, server_down),
    ("not-enrolled", 10, not_enrolled),
    ("pending", 10, pending),
    ("without-its-card", 10, without_its_card),
    ("forked", 10, forked),
    ("damaged-journal", 10, damaged_journal),
    ("changed-journal", 10, changed_journal),
    ("refused", 10, refused),
];

fn shown(report: StatusReport, words: &[&str]) -> Ended {
    let agent = ScriptedAgent::new(move |stream| {
        hear(stream);
        say(stream, &Reply::Status(Box::new(report)));
    });
    countersign_at(&agent.socket(), words, "")
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("status-{name}.txt"))
}

#[test]
fn every_state_of_a_host_is_told_in_these_words_and_with_this_exit_code() {
    for (name, code, report) in SAMPLES {
        let ended = shown(report(), &["status"]);
        let expected = std::fs::read_to_string(golden(name)).unwrap();
        assert_eq!(ended.out, expected, "{name}");
        assert_eq!((ended.code, ended.err.as_str()), (Some(code), ""), "{name}");
        for line in ended.out.lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
    }
}

#[test]
#[ignore = "writes the golden transcripts anew; read what changed"]
fn write_the_golden_transcripts() {
    for (name, _, report) in SAMPLES {
        std::fs::write(golden(name), shown(report(), &["status"]).out).unwrap();
    }
}

#[test]
fn a_program_reads_what_needs_attention_beside_everything_else() {
    let ended = shown(server_down(), &["status", "--json"]);
    assert_eq!((ended.code, ended.out.lines().count()), (Some(10), 1));
    let value: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let what: Vec<&str> =
        value["attention"].as_array().unwrap().iter().map(|one| one["what"].as_str().unwrap()).collect();
    assert!(what[0].contains("connection refused"), "{what:?}");
    assert_eq!((value["state"].as_str(), value["reports"]["unsent"].as_u64()), (Some("active"), Some(2)));
    let ended = shown(healthy(), &["status", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((ended.code, value["attention"].as_array().unwrap().len()), (Some(0), 0));
}

#[test]
fn nothing_but_a_terminal_is_shown_colours() {
    assert!(!shown(healthy(), &["status"]).out.contains('\u{1b}'));
}
