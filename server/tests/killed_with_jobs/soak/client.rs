//! One who asks for many things at once and fetches what came of each.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use countersign_protocol::envelope::Sealed;
use countersign_protocol::ids::MessageId;
use countersign_protocol::message::result::{DocumentChanged, DocumentShown};
use countersign_protocol::message::{JobResultReply, JobStanding};
use serde_json::{Value, json};

use super::super::asker::Asker;
use super::{SHARED, Work, shared};
use crate::client::carrier::Carrier;
use crate::documents::opened;
use crate::servers::{Servers, Stubborn, random};

/// Most that wait at once: fewer than an account may have.
const WINDOW: usize = 48;

/// Of so many fetches, one is sent beside another one for the same result.
const RIVALS: u32 = 25;

/// How long something may take that a dead server had in hand, with much else before it.
const PATIENCE: Duration = Duration::from_secs(300);

/// What was asked for and accepted.
struct Waiting {
    job: MessageId,
    operation: &'static str,
    name: String,
    /// Nobody else changes this document: it must be done, and makes this version.
    must_make: Option<u64>,
    since: Instant,
}

/// What came of it.
pub(super) struct Came {
    pub(super) resource: String,
    pub(super) standing: JobStanding,
    pub(super) version: Option<u64>,
}

/// Everything that one was told.
#[derive(Default)]
pub(super) struct Told {
    pub(super) came: BTreeMap<MessageId, Came>,
    /// How often two fetches were sent at once.
    pub(super) raced: u64,
    /// How often it was said that a result was served to another one.
    pub(super) turned_away: u64,
    pub(super) longest: Duration,
}

pub(super) struct Client {
    number: usize,
    asker: Asker,
    servers: Arc<Servers>,
    waiting: VecDeque<Waiting>,
    /// The versions that my own documents are going to have when all is done that waits.
    own: Vec<u64>,
    /// Of the shared documents, as they were read or changed last.
    seen: [u64; SHARED],
    pub(super) told: Told,
}

impl Client {
    pub(super) fn new(number: usize, asker: Asker, servers: Arc<Servers>) -> Self {
        let (waiting, own, seen) = (VecDeque::new(), Vec::new(), [1; SHARED]);
        Self { number, asker, servers, waiting, own, seen, told: Told::default() }
    }

    /// Asks as long as there is something to ask for, and until something came of everything.
    pub(super) fn finish(&mut self, work: &Work) {
        loop {
            self.asker.host.carrier = self.any_server();
            while self.waiting.len() < WINDOW && work.take() {
                self.ask();
            }
            if self.waiting.is_empty() {
                return;
            }
            let before = self.waiting.len();
            for _ in 0..before {
                let Some(one) = self.waiting.pop_front() else { break };
                if let Some(one) = self.fetch(one) {
                    self.waiting.push_back(one);
                } else {
                    work.over.fetch_add(1, Ordering::SeqCst);
                }
            }
            if self.waiting.len() == before {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    fn any_server(&self) -> Arc<dyn Carrier> {
        Arc::new(Stubborn { servers: self.servers.clone(), first: self.servers.any() })
    }

    fn own_name(&self, which: usize) -> String {
        format!("p{}-{which}", self.number)
    }

    /// Something, whatever came of what was asked for before.
    fn ask(&mut self) {
        let number = usize::try_from(random(1_000_000)).unwrap();
        let which = number % SHARED;
        match random(10) {
            0..2 => {
                let name = self.own_name(self.own.len());
                self.own.push(1);
                self.create(name, &json!({"count": 0}));
            }
            2..6 if !self.own.is_empty() => {
                let which = number % self.own.len();
                let over = self.own[which];
                self.own[which] += 1;
                let body = json!({"document": {"count": over}, "over": over});
                self.queue("update", self.own_name(which), &body, Some(over + 1));
            }
            6..8 if !self.changes(&shared(which)) => {
                // Over what I saw last. Another one may have been there before me.
                let over = self.seen[which];
                let body = json!({"document": {"count": over}, "over": over});
                self.queue("update", shared(which), &body, None);
            }
            _ => self.queue("read", shared(which), &Value::Null, None),
        }
    }

    fn changes(&self, name: &str) -> bool {
        self.waiting.iter().any(|one| one.operation == "update" && one.name == name)
    }

    /// A document that nobody else makes.
    pub(super) fn create(&mut self, name: String, body: &Value) {
        self.queue("create", name, body, Some(1));
    }

    fn queue(&mut self, operation: &'static str, name: String, body: &Value, must_make: Option<u64>) {
        let since = Instant::now();
        let job = self.asker.queue(operation, &name, body);
        self.waiting.push_back(Waiting { job, operation, name, must_make, since });
    }

    /// Fetches what came of it, and says that it is here; gives it back if it waits still.
    fn fetch(&mut self, one: Waiting) -> Option<Waiting> {
        let (fetch, reply) = match random(RIVALS) {
            0 => self.race(&one.job),
            _ => self.asker.fetch(&one.job),
        };
        if reply.standing == JobStanding::Queued {
            assert!(one.since.elapsed() < PATIENCE, "nothing comes of {} {}", one.operation, one.name);
            return Some(one);
        }
        self.asker.acknowledge(&one.job, &fetch);
        self.told.longest = self.told.longest.max(one.since.elapsed());
        let version = self.understand(&one, &reply);
        let came = Came { resource: format!("counters/{}", one.name), standing: reply.standing, version };
        assert!(self.told.came.insert(one.job, came).is_none(), "one job twice");
        None
    }

    /// Two different fetches at once: one of them has what came of it, or none.
    fn race(&mut self, job: &MessageId) -> (Sealed, JobResultReply) {
        self.told.raced += 1;
        let fetches = [self.asker.seal_fetch(job), self.asker.seal_fetch(job)];
        let asker = &self.asker;
        let replies = std::thread::scope(|scope| {
            let both = [0, 1].map(|n| {
                scope.spawn({
                    let fetch = &fetches[n];
                    move || asker.send_fetch(job, fetch)
                })
            });
            both.map(|one| one.join().unwrap())
        });
        let turned_away = replies.iter().filter(|reply| reply.standing == JobStanding::Served).count();
        let has_it = replies.iter().filter(|reply| reply.receipt.is_some()).count();
        assert!(has_it <= 1, "a result was served twice");
        assert!(turned_away <= has_it, "it was served to nobody");
        self.told.turned_away += turned_away as u64;
        let both = fetches.into_iter().zip(replies);
        both.max_by_key(|(_, reply)| reply.receipt.is_some()).unwrap()
    }

    /// The version that was made.
    fn understand(&mut self, one: &Waiting, reply: &JobResultReply) -> Option<u64> {
        let Waiting { operation, name, must_make, .. } = one;
        let place = (0..SHARED).find(|number| shared(*number) == *name);
        if reply.standing == JobStanding::Failed {
            assert!(must_make.is_none() && *operation == "update", "{operation} {name}: {}", reply.reason);
            // It is told what is there now.
            let now = reply.reason.split_once("is at version ").and_then(|(_, rest)| rest.split(' ').next());
            self.sees(place, now.unwrap().parse().unwrap());
            return None;
        }
        assert_eq!(reply.standing, JobStanding::Done, "{operation} {name}: {}", reply.reason);
        if *operation == "read" {
            let shown: DocumentShown = opened(&self.asker.person, reply);
            assert_eq!(shown.document.unwrap()["count"], json!(shown.version - 1), "an increment is lost");
            self.sees(place, shown.version);
            return None;
        }
        let changed: DocumentChanged = serde_json::from_value(reply.result.clone().unwrap()).unwrap();
        assert!(must_make.is_none_or(|version| version == changed.version), "{operation} {name}");
        self.sees(place, changed.version);
        Some(changed.version)
    }

    /// How far a shared document is.
    fn sees(&mut self, place: Option<usize>, version: u64) {
        if let Some(place) = place {
            self.seen[place] = self.seen[place].max(version);
        }
    }
}
