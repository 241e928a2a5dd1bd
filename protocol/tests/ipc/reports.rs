//! How things stand, for the golden folder.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ipc::{
    CardReport, CardsReport, JournalEntry, JournalReport, Reply, ReportCounts, ReportState, RosterLogin,
    RosterReport, RosterUse, ServerReport, StatusReport, TurnReport, UnsettledReport,
};

const FINGERPRINT: &str = "0123456789ABCDEF0123456789ABCDEF01234567";
const CARD: &str = "0006:12345678";
const REFERENCE: &str = "7K3M-Q2ZD";
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

pub(crate) fn status_not_enrolled() -> Reply {
    Reply::Status(Box::new(StatusReport {
        version: "0.1.0".into(),
        at: NOW,
        instance: None,
        key_words: None,
        state: "not-enrolled".into(),
        refused: false,
        key_store: None,
        session_keys_until: None,
        key_trouble: None,
        forked: false,
        version_retired: false,
        weaknesses: Vec::new(),
        server: None,
        roster: None,
        cards: None,
        decisions: Vec::new(),
        reports: ReportCounts::default(),
        unsettled: Vec::new(),
        journal: JournalReport { in_memory: false, broken: false, problem: None },
    }))
}

pub(crate) fn status_active(card: CardReport) -> Reply {
    let login = RosterLogin {
        login: "ana".parse().unwrap(),
        accounts: vec![RosterUse { account: "ana".parse().unwrap(), offline_left: 5 }],
    };
    let bob = RosterLogin { login: "bob".parse().unwrap(), accounts: Vec::new() };
    Reply::Status(Box::new(StatusReport {
        version: "0.1.0".into(),
        at: NOW,
        instance: Some(FINGERPRINT.parse().unwrap()),
        key_words: Some("abandon ability able about above absent".into()),
        state: "active".into(),
        refused: true,
        key_store: Some("file, readable by root only".into()),
        session_keys_until: Some(NOW.plus(3600)),
        key_trouble: Some("the host's card is in no reader".into()),
        forked: true,
        version_retired: false,
        weaknesses: vec!["memory cannot be locked (ENOMEM): secrets may reach the swap device".into()],
        server: Some(ServerReport {
            url: "https://auth.example:8443".into(),
            fingerprint: FINGERPRINT.parse().unwrap(),
            last_answer: Some(NOW.plus(-12)),
            clock_offset: Some(-2),
            problem: Some("the server cannot be reached: connection refused".into()),
            alarm: Some("the ledger does not continue".into()),
        }),
        roster: Some(RosterReport {
            from: NOW.plus(-60),
            until: NOW.plus(86_340),
            count: 2,
            left_out: None,
            logins: vec![login, bob],
        }),
        cards: Some(CardsReport {
            turns: vec![TurnReport {
                card: CARD.parse().unwrap(),
                holder: "sudo of ana (terminal pts/3)".into(),
                seconds: 4,
                waiting: 1,
            }],
            cards: vec![card],
            service_problem: Some("pcscd does not run".into()),
        }),
        decisions: vec![entry()],
        reports: ReportCounts { unsent: 3, refused: 1, disputed: 2 },
        unsettled: vec![UnsettledReport {
            correlation: REFERENCE.parse().unwrap(),
            what: "create account/bob".into(),
            account: "olga".parse().unwrap(),
            sent: NOW.plus(-30),
            untold: true,
        }],
        journal: JournalReport { in_memory: true, broken: false, problem: Some("the disk is full".into()) },
    }))
}

pub(crate) fn entry() -> JournalEntry {
    JournalEntry {
        index: 41,
        at: NOW,
        event: "wrong-pin".into(),
        correlation: Some(REFERENCE.into()),
        login: Some("ana".into()),
        service: Some("sudo".into()),
        account: Some("ana".into()),
        outcome: Some("denied".into()),
        ledger_index: Some(17),
        told: Some("Wrong PIN. 2 tries left.".into()),
        report: Some(ReportState::Unsent),
        more: [("card".to_owned(), CARD.to_owned())].into(),
    }
}
