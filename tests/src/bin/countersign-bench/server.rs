//! How fast the server is: logins over HTTP, from a sealed request to a sealed reply whose receipt is on the disk.
//!
//! | file | what |
//! |---|---|
//! | `server/keys.rs` | hosts and people whose keys are in software |
//! | `server/seed.rs` | their rows, and entries of the ledger, straight into the store |
//! | `server/site.rs` | a server's folder, and its process |
//! | `server/slice.rs` | requests made beforehand, and what their replies are held to |
//! | `server/clients.rs` | who sends them |
//! | `server/postgres.rs` | a PostgreSQL server of its own |
//! | `server/cost.rs` | processor time and memory of the process |
//! | `server/primitives.rs` | OpenSSL's bare operations, for comparison |
//! | `server/rate.rs` | round trips by 1, 8 and 32 clients |
//! | `server/growth.rs` | the same with more accounts, policies and entries |
//! | `server/outcome.rs` | the table, and the same as JSON |
//! | `server/jobs.rs` | requests about documents, from the request to its result |

mod clients;
mod cost;
mod growth;
mod jobs;
mod keys;
mod outcome;
mod postgres;
mod primitives;
mod rate;
mod seed;
mod site;
mod slice;

use std::path::Path;

use countersign_tests::Trouble;

use crate::host;
use outcome::Outcome;
use primitives::Primitives;

/// A folder on a real disk, on every Debian.
const DISK: &str = "/var/tmp";

/// How much of everything.
#[derive(Clone, Copy)]
struct Plan {
    /// Round trips by 1, 8 and 32 clients.
    trips: [(usize, usize); 3],
    /// Round trips of each step of growth.
    each: usize,
    /// Accounts where nothing else is said.
    accounts: usize,
    steps_accounts: [usize; 3],
    steps_policies: [usize; 3],
    steps_entries: [u64; 3],
}

impl Plan {
    const FULL: Self = Self {
        trips: [(1, 5_000), (8, 20_000), (32, 20_000)],
        each: 10_000,
        accounts: 1_000,
        steps_accounts: [100, 10_000, 100_000],
        steps_policies: [10, 100, 1_000],
        steps_entries: [1_000, 100_000, 1_000_000],
    };
    const FEW: Self = Self {
        trips: [(1, 500), (8, 2_000), (32, 2_000)],
        each: 1_000,
        accounts: 100,
        steps_accounts: [100, 1_000, 3_000],
        steps_policies: [10, 100, 1_000],
        steps_entries: [1_000, 3_000, 10_000],
    };
}

/// Measures all of it, or the one part that is named: `rate` or `growth`.
pub(crate) fn measure(few: bool, part: Option<&str>) -> Result<Outcome, Trouble> {
    let plan = if few { Plan::FEW } else { Plan::FULL };
    let wanted = |name| part.is_none_or(|part| part == name);
    let disk = Path::new(DISK);
    let host = host::describe();
    let primitives = Primitives::measure(2_000)?;
    let rates = if wanted("rate") { rate::measure(disk, plan)? } else { Vec::new() };
    let growth = if wanted("growth") { growth::measure(disk, plan)? } else { Vec::new() };
    Ok(Outcome { host, primitives, rates, growth })
}

pub(crate) use jobs::measure as measure_jobs;

/// `make(0)`, `make(1)` … `make(many - 1)`, in that order, by as many threads as there are cores.
fn on_all_cores<T: Send>(
    many: usize,
    make: &(dyn Fn(usize) -> Result<T, Trouble> + Sync),
) -> Result<Vec<T>, Trouble> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let share = many.div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                let range = worker * share..many.min((worker + 1) * share);
                scope.spawn(move || range.map(make).collect::<Result<Vec<T>, Trouble>>())
            })
            .collect();
        let mut all = Vec::with_capacity(many);
        for worker in workers {
            all.extend(worker.join().map_err(|_| failed("a thread died"))??);
        }
        Ok(all)
    })
}

fn failed(what: impl std::fmt::Display) -> Trouble {
    Trouble::Bench(what.to_string())
}
