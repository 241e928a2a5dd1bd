//! `cargo xtask soak jobs`: many jobs by several at once, while servers are killed at any moment. Each that was accepted is done
//! once, what came of it is served once, and none is lost.

mod client;
mod ledger;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use countersign_server::data::DataFolder;
use serde_json::json;

use self::client::{Client, Told};
use super::Office;
use crate::database;
use crate::program::init;
use crate::servers::{Servers, Stubborn, random};

/// How many ask at once, each at a host of their own.
const CLIENTS: usize = 8;

/// Documents that all of them count in.
const SHARED: usize = 6;

/// How often it is said how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

/// How many are to be asked for still, and how many are over.
struct Work {
    left: AtomicU64,
    over: AtomicU64,
}

impl Work {
    /// Whether there is one more to ask for, which is whoever's asks.
    fn take(&self) -> bool {
        let one = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        one.is_ok()
    }
}

fn shared(number: usize) -> String {
    format!("shared-{number}")
}

#[test]
#[ignore = "takes minutes: cargo xtask soak jobs"]
#[expect(clippy::disallowed_methods, reason = "how `cargo xtask soak` says how many")]
fn servers_killed_at_any_moment_do_each_job_once_serve_it_once_and_lose_none() {
    let jobs: u64 = std::env::var("COUNTERSIGN_SOAK_JOBS").unwrap().parse().unwrap();
    let (database, many) = if database::is_postgres() { ("PostgreSQL", 2) } else { ("SQLite", 1) };
    let made = init();
    made.configure("[limits]\nstrangers_per_minute = 1000000\nhosts_per_second = 1000000\n");
    let folder = DataFolder::at(made.data.clone());
    let servers = Arc::new(Servers::start(made, many));
    let carrier = Arc::new(Stubborn { servers: servers.clone(), first: 0 });
    let office = Office::open(&servers.made, carrier);
    let askers = (0..CLIENTS).map(|number| office.asker(&servers.made, &format!("p{number}")));
    let mut clients: Vec<Client> =
        askers.enumerate().map(|(number, asker)| Client::new(number, asker, servers.clone())).collect();
    for number in 0..SHARED {
        clients[0].create(shared(number), &json!({"count": 0}));
    }
    clients[0].finish(&Work { left: AtomicU64::new(0), over: AtomicU64::new(0) });

    let (work, begun) = (Work { left: AtomicU64::new(jobs), over: AtomicU64::new(0) }, Instant::now());
    let mut killed = 0;
    let told: Vec<Told> = std::thread::scope(|scope| {
        let working: Vec<_> = clients
            .into_iter()
            .map(|mut client| {
                let work = &work;
                scope.spawn(move || {
                    client.finish(work);
                    client.told
                })
            })
            .collect();
        let mut next = PROGRESS;
        while working.iter().any(|one| !one.is_finished()) {
            std::thread::sleep(Duration::from_millis(u64::from(300 + random(4000))));
            servers.restart(servers.any());
            killed += 1;
            if begun.elapsed() > next {
                let over = work.over.load(Ordering::SeqCst);
                println!("{database}: {over} of {jobs} jobs are over, a server was killed {killed} times");
                next = begun.elapsed() + PROGRESS;
            }
        }
        working.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let took = begun.elapsed();
    servers.end();

    let said = ledger::check(&folder, &told, jobs + SHARED as u64);
    println!(
        "{database}, {many} servers, {:.0} s: {jobs} jobs accepted, done once and served once, {} of them made a version, \
         {} were told why not; {} increments of {SHARED} shared documents; two fetches at once {} times; {} entries; a server \
         killed {killed} times, bytes sent again {} times; the longest wait for an answer was {:?}, for what came of a job {:?}",
        took.as_secs_f64(),
        said.versions,
        said.failed,
        said.shared,
        told.iter().map(|one| one.raced).sum::<u64>(),
        said.entries,
        servers.again.load(Ordering::SeqCst),
        servers.longest.lock().unwrap(),
        told.iter().map(|one| one.longest).max().unwrap_or_default(),
    );
}
