//! SIGKILL after any write while a document is made, changed and read, and what came of each is fetched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use countersign_protocol::ids::MessageId;
use countersign_protocol::ledger::{Entry, EntryKind, Outcome};
use countersign_protocol::message::result::{DocumentChanged, DocumentShown};
use countersign_protocol::message::{JobResultReply, JobStanding};
use countersign_server::data::DataFolder;
use countersign_server::open;
use countersign_server::proof;
use countersign_server::store::CrashPoint;
use countersign_server_core::store::Store;
use serde_json::{Value, json};

use super::{Asker, Office};
use crate::database::{self, Intruder};
use crate::documents::opened;
use crate::fixture::entries;
use crate::killed_between_writes::{Stubborn, audit};
use crate::program::init;

/// How long a job may take.
const PATIENCE: Duration = Duration::from_secs(30);

struct Scene {
    carrier: Arc<Stubborn>,
    data: DataFolder,
    /// To look at it beside the server.
    store: Arc<dyn Store>,
    ana: Asker,
}

impl Scene {
    fn new() -> Self {
        let made = init();
        made.configure("[limits]\nstrangers_per_minute = 1000000\nhosts_per_second = 1000000\n");
        let data = DataFolder::at(made.data.clone());
        let carrier = Arc::new(Stubborn::new(made));
        carrier.start(None);
        let office = Office::open(&carrier.made, carrier.clone());
        let ana = office.asker(&carrier.made, "ana");
        let store = database::of(&data).open(CrashPoint::never()).unwrap();
        Self { carrier, data, store, ana }
    }

    /// What a dead server had in hand is anybody's after some time, which is over at once.
    fn end_claims(&self) {
        Intruder::in_folder(&self.data)
            .run("UPDATE jobs SET claimed_until = 0 WHERE claimed_until IS NOT NULL");
    }

    /// Until something came of it, and the ledger says so: from then on only who asks has the server write.
    fn wait(&self, job: &MessageId) {
        let begun = Instant::now();
        if self.carrier.lost.load(Ordering::SeqCst) > 0 {
            self.end_claims();
        }
        loop {
            let found = self.store.view().unwrap().job(job).unwrap().unwrap();
            if found.standing != JobStanding::Queued && found.recorded {
                return;
            }
            if self.carrier.is_dead() {
                self.carrier.lost.fetch_add(1, Ordering::SeqCst);
                self.end_claims();
                self.carrier.follow();
            }
            assert!(begun.elapsed() < PATIENCE, "nothing comes of a job: {found:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// From the request to its result, which is acknowledged.
    fn run(&self, operation: &str, name: &str, body: &Value) -> (MessageId, JobResultReply) {
        let job = self.ana.queue(operation, name, body);
        self.wait(&job);
        let fetch = self.ana.seal_fetch(&job);
        let reply = self.ana.send_fetch(&job, &fetch);
        self.ana.acknowledge(&job, &fetch);
        (job, reply)
    }

    /// Makes, changes and reads a document at a server that dies after the `n`-th write. True if it died.
    fn died_after(&self, n: u64) -> bool {
        audit(&self.data);
        let before = entries(&self.data).len();
        self.carrier.lost.store(0, Ordering::SeqCst);
        self.carrier.start(Some(n));

        let name = format!("of-{n}");
        let (created, made) = self.run("create", &name, &json!({"count": 0}));
        let (updated, changed) = self.run("update", &name, &json!({"document": {"count": 1}, "over": 1}));
        let (read, shown) = self.run("read", &name, &Value::Null);
        for (reply, version) in [(made, 1), (changed, 2)] {
            assert_eq!(reply.standing, JobStanding::Done, "write {n}: {}", reply.reason);
            let changed: DocumentChanged = serde_json::from_value(reply.result.unwrap()).unwrap();
            assert_eq!(changed.version, version, "write {n}");
        }
        let shown: DocumentShown = opened(&self.ana.person, &shown);
        assert_eq!((shown.version, shown.document.unwrap()["count"].clone()), (2, json!(1)), "write {n}");

        let lost = self.carrier.lost.load(Ordering::SeqCst);
        assert!(lost <= 1, "write {n}: it died {lost} times");
        // Whoever asks once more is told that it was served.
        for job in [created, updated, read] {
            let (_, again) = self.ana.fetch(&job);
            assert_eq!(again.standing, JobStanding::Served, "write {n}");
        }
        self.said_once(n, &entries(&self.data)[before..], &[created, updated, read]);
        lost > 0
    }

    /// Of each job the ledger says once that it was accepted, done and served, and that somebody asked once more.
    fn said_once(&self, n: u64, new: &[Entry], jobs: &[MessageId]) {
        let mut said: BTreeMap<(String, &str), usize> = BTreeMap::new();
        for entry in new {
            let kind = match (entry.kind, entry.decision) {
                (EntryKind::Job, Outcome::Allowed) => "accepted",
                (EntryKind::JobDone, Outcome::Allowed) => "done",
                (EntryKind::JobResult, Outcome::Allowed) => "served",
                (EntryKind::Alarm, Outcome::Denied) => "alarm",
                other => panic!("write {n}: {other:?}: {}", entry.reason),
            };
            let about = entry.detail.get("job").cloned().unwrap_or_default();
            *said.entry((about, kind)).or_default() += 1;
        }
        assert_eq!(said.remove(&(String::new(), "accepted")), Some(jobs.len()), "write {n}");
        for job in jobs {
            for kind in ["done", "served", "alarm"] {
                assert_eq!(said.remove(&(job.to_string(), kind)), Some(1), "write {n}: {kind}");
            }
        }
        assert!(said.is_empty(), "write {n}: {said:?}");
    }
}

#[test]
fn server_killed_after_any_write_of_a_job_does_it_once_serves_it_once_and_loses_none() {
    let scene = Scene::new();
    let mut writes = 0;
    while scene.died_after(writes + 1) {
        writes += 1;
        assert!(writes < 300, "it does not end");
    }
    // Three jobs of which each is accepted, claimed, done, written down, fetched and acknowledged.
    assert!(writes > 60, "only {writes} writes were seen");
    let keys = open::keys(&scene.data).unwrap();
    let proven = proof::whole(&*scene.store, &keys).unwrap().of_all().unwrap();
    assert_eq!(proven.unattributed, 0);
    println!("a server died after each of {writes} writes");
    for n in 1..=writes + 1 {
        let view = scene.store.view().unwrap();
        let (collection, name) = ("counters".parse().unwrap(), format!("of-{n}").parse().unwrap());
        let document = view.document(&collection, &name).unwrap().unwrap();
        assert_eq!((document.version, document.body.as_deref()), (2, Some(r#"{"count":1}"#)));
    }
}
