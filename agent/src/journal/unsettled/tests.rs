use std::time::Instant;

use countersign_protocol::message::HostEventKind;
use countersign_protocol::random::SystemRandom;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

fn job(operation: &str) -> SentJob {
    let id = MessageId::new(&SystemRandom).unwrap();
    SentJob {
        instance: Some("AB".repeat(20).parse().unwrap()),
        id,
        digest: Digest::of(b"message"),
        time: NOW,
        statement: Digest::of(id.as_bytes()),
        operation: operation.parse().unwrap(),
        resource: "session/AAAA".parse().unwrap(),
        login: Some("ana".parse().unwrap()),
        service: Some("sudo".parse().unwrap()),
        account: "ana".parse().unwrap(),
        correlation: "7K3M-Q2ZD".parse().unwrap(),
        uid: 1000,
    }
}

fn event() -> HostEvent {
    HostEvent {
        event: HostEventKind::NeverOpened,
        at: NOW,
        correlation: "7K3M-Q2ZD".parse().unwrap(),
        login: None,
        account: None,
        service: None,
        card: None,
        told: "never opened".to_owned(),
    }
}

fn stages(journal: &Journal) -> Vec<Stage> {
    journal.unsettled().unwrap().iter().map(|row| row.stage).collect()
}

#[test]
fn a_request_that_was_sent_is_known_to_the_next_agent_and_gone_once_it_is_settled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let (login, create) = (job("open-session"), job("create"));
    {
        let journal = Journal::open(&path, None).unwrap();
        journal.job_sent(&login).unwrap();
        journal.job_sent(&create).unwrap();
        // As a killed process leaves it: nothing is closed.
        std::mem::forget(journal);
    }
    let journal = Journal::open(&path, None).unwrap();
    let open: Vec<SentJob> = journal.unsettled().unwrap().into_iter().map(|row| row.job).collect();
    assert_eq!(open, [login.clone(), create.clone()]);
    journal.settle(&create.id, NOW, &"it was done", None).unwrap();
    journal.settle(&login.id, NOW, &"it was allowed", Some(&event())).unwrap();
    assert_eq!(journal.unsettled().unwrap(), []);
    assert_eq!((journal.verify().unwrap(), journal.unsent().unwrap()), (3, 1));
}

#[test]
fn a_login_is_handed_over_in_two_steps_and_decided_here_only_while_nothing_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.sqlite"), None).unwrap();
    let (first, second) = (job("open-session"), job("open-session"));
    journal.job_sent(&first).unwrap();
    journal.job_sent(&second).unwrap();
    journal.hand_over(&first.id, 17, NOW, &"allowed").unwrap();
    let decided_here =
        |job: &SentJob| journal.in_one_step(|tx| super::decided_here(tx, &job.statement)).unwrap();
    decided_here(&first);
    decided_here(&second);
    assert_eq!(stages(&journal), [Stage::HandingOver { ledger_index: 17 }, Stage::DecidedHere]);
    journal.handed_over(&first.id).unwrap();
    assert_eq!((stages(&journal), journal.verify().unwrap()), (vec![Stage::DecidedHere], 1));
}

#[test]
fn an_entry_that_cannot_be_written_leaves_its_request_open() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.sqlite"), None).unwrap();
    let sent = job("open-session");
    journal.job_sent(&sent).unwrap();
    journal.lock().execute_batch("DROP TABLE outbox").unwrap();
    assert!(journal.settle(&sent.id, NOW, &"allowed", Some(&event())).is_err());
    assert_eq!((stages(&journal), journal.verify().unwrap()), (vec![Stage::Sent], 0));
    let synchronous = "PRAGMA synchronous";
    let full: i64 = journal.lock().query_row(synchronous, [], |row| row.get(0)).unwrap();
    assert_eq!(full, 2, "every other entry waits for the disk");
}

#[test]
fn a_host_cut_off_for_long_forgets_the_oldest_requests() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.sqlite"), None).unwrap();
    let all: Vec<SentJob> = (0..MOST + 5).map(|_| job("open-session")).collect();
    for job in &all {
        journal.job_sent(job).unwrap();
    }
    let open = journal.unsettled().unwrap();
    assert_eq!(open.len(), 1000);
    assert_eq!((&open[0].job, &open[999].job), (&all[5], &all[1004]));
    journal.lock().execute("UPDATE unsettled SET job = '{' WHERE id = ?1", [all[5].id.as_bytes()]).unwrap();
    assert_eq!(journal.unsettled().unwrap().len(), 999, "one that cannot be read holds up no other");
}

#[test]
#[ignore = "measures the disk below the target folder: cargo test -p countersign-agent what_a_request_costs -- --ignored --nocapture"]
fn what_a_request_costs_before_it_is_sent() {
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let journal = Journal::open(&folder.path().join("journal.sqlite"), None).unwrap();
    for operation in ["open-session", "create"] {
        let mut times: Vec<_> = (0..300)
            .map(|_| {
                let job = job(operation);
                let begun = Instant::now();
                journal.job_sent(&job).unwrap();
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        println!("{operation}: p50 {:?}, p99 {:?}", times[150], times[297]);
    }
}
