//! Servers on one database that are killed and started again, and whoever sends until there is an answer.

use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use countersign_protocol::random::{SystemRandom, array};

use crate::client::carrier::{Answer, Carrier, Http, Lost};
use crate::program::{Made, Program};

/// How long bytes are sent again before it counts as an outage.
const PATIENCE: Duration = Duration::from_secs(90);

/// Of which one or the other may be down.
pub(crate) struct Servers {
    pub(crate) made: Made,
    programs: Vec<Mutex<Option<Program>>>,
    ports: Vec<AtomicU16>,
    /// How often bytes were sent again.
    pub(crate) again: AtomicU32,
    /// How long somebody waited for an answer.
    pub(crate) longest: Mutex<Duration>,
}

pub(crate) fn random(below: u32) -> u32 {
    u32::from_le_bytes(array::<4>(&SystemRandom).unwrap()) % below
}

impl Servers {
    /// So many.
    pub(crate) fn start(made: Made, many: usize) -> Self {
        let this = Self {
            made,
            programs: (0..many).map(|_| Mutex::new(None)).collect(),
            ports: (0..many).map(|_| AtomicU16::new(0)).collect(),
            again: AtomicU32::new(0),
            longest: Mutex::new(Duration::ZERO),
        };
        (0..many).for_each(|which| this.restart(which));
        this
    }

    /// How many.
    pub(crate) fn many(&self) -> usize {
        self.programs.len()
    }

    /// One of them.
    pub(crate) fn any(&self) -> usize {
        usize::try_from(random(u32::try_from(self.many()).unwrap())).unwrap()
    }

    /// Kills all.
    pub(crate) fn end(&self) {
        for program in &self.programs {
            drop(program.lock().unwrap().take());
        }
    }

    /// Kills one, if it runs, and starts another in its place.
    pub(crate) fn restart(&self, which: usize) {
        let mut program = self.programs[which].lock().unwrap();
        drop(program.take());
        // While the database is away none starts.
        let begun = Instant::now();
        let started = loop {
            match Program::try_start(&self.made.config) {
                Some(started) => break started,
                None => assert!(begun.elapsed() < PATIENCE, "no server starts"),
            }
            std::thread::sleep(Duration::from_millis(200));
        };
        self.ports[which].store(started.port, Ordering::SeqCst);
        *program = Some(started);
    }
}

/// Sends to one of them, and the same bytes again to the next one until there is an answer.
pub(crate) struct Stubborn {
    pub(crate) servers: Arc<Servers>,
    pub(crate) first: usize,
}

impl Carrier for Stubborn {
    fn carry(&self, bytes: &[u8]) -> Result<Answer, Lost> {
        let begun = Instant::now();
        for n in 0.. {
            let port = self.servers.ports[(self.first + n) % self.servers.many()].load(Ordering::SeqCst);
            match (Http { port }).carry(bytes) {
                Ok(answer) if ![429, 503].contains(&answer.status) => {
                    let mut longest = self.servers.longest.lock().unwrap();
                    *longest = (*longest).max(begun.elapsed());
                    return Ok(answer);
                }
                _ if begun.elapsed() > PATIENCE => break,
                _ => self.servers.again.fetch_add(1, Ordering::SeqCst),
            };
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(Lost)
    }
}
