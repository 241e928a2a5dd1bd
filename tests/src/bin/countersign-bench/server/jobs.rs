//! Requests about documents: from the request that is sent to its result that is opened and acknowledged.
//!
//! | file | what |
//! |---|---|
//! | `jobs/stage.rs` | a server in this process, over HTTP, with as many workers as are wanted |
//! | `jobs/slice.rs` | requests made beforehand |
//! | `jobs/asker.rs` | who sends them, and fetches as an agent does |
//! | `jobs/outcome.rs` | the table, and the same as JSON |

mod asker;
mod outcome;
mod slice;
mod stage;

use std::path::Path;

use countersign_server::config::Store;
use countersign_tests::Trouble;

use self::outcome::{Jobs, Outcome};
use self::stage::Stage;
use super::postgres::Cluster;
use super::primitives::Primitives;
use super::site::Site;
use super::{DISK, failed, seed};
use crate::progress;
use crate::series::Spread;

/// People, each with documents of their own.
const PEOPLE: usize = 64;

/// Most jobs that are sent at once: a message is good for two minutes.
const SLICE: usize = 3_000;

/// How often each bare operation is done between these.
const BRIEFLY: u32 = 200;

/// Workers, clients and jobs.
const FULL: [(usize, usize, usize); 4] = [(1, 1, 1_500), (4, 1, 1_500), (1, 32, 12_000), (4, 32, 12_000)];
const FEW: [(usize, usize, usize); 4] = [(1, 1, 150), (4, 1, 150), (1, 32, 1_200), (4, 32, 1_200)];

/// On each kind of database, by one worker and by several.
pub(crate) fn measure(few: bool) -> Result<Outcome, Trouble> {
    let plan = if few { FEW } else { FULL };
    let disk = Path::new(DISK);
    let host = crate::host::describe();
    let primitives = Primitives::measure(2_000)?;
    let mut lines = Vec::new();
    let cluster = Cluster::start(disk)?;
    if cluster.is_none() {
        progress("PostgreSQL is not installed, and left out");
    }
    for (workers, clients, jobs) in plan {
        lines.push(one("SQLite", disk, Store::default(), None, (workers, clients, jobs))?);
    }
    if let Some(cluster) = &cluster {
        for (workers, clients, jobs) in plan {
            let store = cluster.database()?;
            lines.push(one("PostgreSQL", disk, store, Some(cluster), (workers, clients, jobs))?);
        }
    }
    Ok(Outcome { host, primitives, lines })
}

/// Logins first, then jobs, at one server.
fn one(
    name: &str,
    disk: &Path,
    store: Store,
    cluster: Option<&Cluster>,
    (workers, clients, jobs): (usize, usize, usize),
) -> Result<Jobs, Trouble> {
    let site = Site::make(disk, store, PEOPLE)?;
    let collection = slice::COLLECTION.parse().map_err(failed)?;
    let now = countersign_protocol::clock::Clock::now(&countersign_protocol::clock::SystemClock);
    seed::collection(&*site.open_store()?, &site.ledger()?, &collection, &site.people, now)?;
    let stage = Stage::set(&site, workers)?;
    let login = stage.logins(&site, clients, jobs / 3)?;
    let (mut sum, mut floors) = (asker::Sent::default(), vec![floor()?]);
    let (mut server_cpu, mut database_cpu) = (0.0, 0.0);
    let database = || cluster.map_or(Ok(0.0), Cluster::cpu);
    while sum.trips.len() < jobs {
        let many = SLICE.min(jobs - sum.trips.len());
        let slice = slice::make(&site, sum.trips.len(), many, clients)?;
        let (before, database_before) = (stage::own_cpu()?, database()?);
        let sent = asker::send(&site, &slice)?;
        server_cpu += stage::own_cpu()? - before - sent.cpu;
        database_cpu += database()? - database_before;
        sum.add(sent);
        floors.push(floor()?);
    }
    let per = |seconds: f64| seconds * 1e6 / sum.trips.len() as f64;
    let line = Jobs {
        name: name.to_owned(),
        workers,
        clients,
        jobs: sum.trips.len(),
        fetches: sum.fetches as f64 / sum.trips.len() as f64,
        per_second: sum.trips.len() as f64 / sum.took,
        cpu_us: per(server_cpu),
        floor_us: floors.iter().sum::<f64>() / floors.len() as f64,
        database_cpu_us: cluster.map(|_| per(database_cpu)),
        clients_cpu_us: per(sum.cpu),
        trip: Spread::of(sum.trips),
        login,
    };
    progress(&line.told());
    Ok(line)
}

fn floor() -> Result<f64, Trouble> {
    Ok(Primitives::measure(BRIEFLY)?.job_floor_us())
}
