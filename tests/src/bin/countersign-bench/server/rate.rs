//! Round trips by few clients and by many.

use std::path::Path;

use countersign_server::config::Store;
use countersign_tests::Trouble;
use serde::Serialize;

use super::Plan;
use super::clients;
use super::failed;
use super::postgres::Cluster;
use super::primitives::Primitives;
use super::site::{Running, Site};
use super::slice;
use crate::progress;
use crate::series::Spread;

/// Most requests sent at once. Between these the bare operations are measured: a machine that others share is another one every
/// few seconds.
const SLICE: usize = 5_000;

/// How often each of them is done then.
const BRIEFLY: u32 = 200;

/// Many round trips of one kind.
#[derive(Debug, Serialize)]
pub(crate) struct Rate {
    pub(crate) name: String,
    pub(crate) clients: usize,
    pub(crate) trips: usize,
    /// Replies that were opened and checked.
    pub(crate) checked: usize,
    pub(crate) per_second: f64,
    /// Of each round trip, as its client sees it.
    pub(crate) trip: Spread,
    /// Processor time of the server for each, in microseconds.
    pub(crate) cpu_us: f64,
    /// Processor time of the database's own processes for each, where it has any.
    pub(crate) database_cpu_us: Option<f64>,
    /// Processor time of the clients for each: they run on the same cores.
    pub(crate) clients_cpu_us: f64,
    pub(crate) resident_kib: u64,
    /// What the bare operations under a round trip took meanwhile, in microseconds.
    pub(crate) floor_us: f64,
}

/// On a server with the default policy, by each kind of database.
pub(super) fn measure(disk: &Path, plan: Plan) -> Result<Vec<Rate>, Trouble> {
    let mut rates = by("SQLite", disk, Store::default(), None, plan)?;
    match Cluster::start(disk)? {
        Some(cluster) => rates.extend(by("PostgreSQL", disk, cluster.database()?, Some(&cluster), plan)?),
        None => progress("PostgreSQL is not installed, and left out"),
    }
    Ok(rates)
}

fn by(
    name: &str,
    disk: &Path,
    store: Store,
    cluster: Option<&Cluster>,
    plan: Plan,
) -> Result<Vec<Rate>, Trouble> {
    let site = Site::make(disk, store, plan.accounts)?;
    let running = site.start(None)?;
    progress(&format!("{name}: server {} with {} accounts", running.pid(), plan.accounts));
    let mut meter = Meter { cluster, ..Meter::of(&running) };
    meter.warm_up()?;
    plan.trips.into_iter().map(|(clients, trips)| meter.rate(name, clients, trips)).collect()
}

/// One running server, and how many of its people's logins were sent so far.
pub(super) struct Meter<'a> {
    running: &'a Running<'a>,
    cluster: Option<&'a Cluster>,
    crowd: usize,
    sent: usize,
}

impl<'a> Meter<'a> {
    pub(super) const fn of(running: &'a Running<'a>) -> Self {
        Self { running, cluster: None, crowd: usize::MAX, sent: 0 }
    }

    /// The same for so many of the people only, who log in again and again.
    pub(super) const fn by(self, crowd: usize) -> Self {
        Self { crowd, ..self }
    }

    /// Each person once, or two thousand of them: what is kept in memory is there afterwards.
    pub(super) fn warm_up(&mut self) -> Result<(), Trouble> {
        let many = self.running.site.people.len().min(self.crowd).clamp(200, 2_000);
        self.rate("warm-up", 8, many).map(drop)
    }

    /// Sends so many logins by so many clients.
    pub(super) fn rate(&mut self, name: &str, clients: usize, trips: usize) -> Result<Rate, Trouble> {
        let site = self.running.site;
        let (mut took, mut cpu, mut own, mut database) = (0.0, 0.0, 0.0, 0.0);
        let database_cpu = || self.cluster.map_or(Ok(0.0), Cluster::cpu);
        let (mut each, mut checked, mut resident_kib) = (Vec::with_capacity(trips), 0, 0);
        let mut floors = vec![floor()?];
        while each.len() < trips {
            let many = SLICE.min(trips - each.len());
            let requests = slice::make(site, self.crowd, self.sent, many)?;
            self.sent += many;
            let (before, own_before, database_before) = (self.running.cost()?, own_cpu()?, database_cpu()?);
            let sent = clients::send(self.running.address, &requests, clients)?;
            let (after, own_after) = (self.running.cost()?, own_cpu()?);
            took += sent.took.as_secs_f64();
            cpu += (after.cpu - before.cpu).as_secs_f64();
            own += own_after - own_before;
            database += database_cpu()? - database_before;
            resident_kib = after.resident_kib;
            for (number, reply) in &sent.replies {
                let check = requests.get(*number).and_then(|request| request.check.as_ref());
                check.ok_or_else(|| failed("a reply to nothing"))?.reply(site, reply)?;
            }
            checked += sent.replies.len();
            each.extend(sent.trips);
            floors.push(floor()?);
        }
        let trips = each.len();
        let per = |seconds: f64| seconds * 1e6 / trips as f64;
        let rate = Rate {
            name: name.to_owned(),
            clients,
            trips,
            checked,
            per_second: trips as f64 / took,
            trip: Spread::of(each),
            cpu_us: per(cpu),
            database_cpu_us: self.cluster.map(|_| per(database)),
            clients_cpu_us: per(own),
            resident_kib,
            floor_us: floors.iter().sum::<f64>() / floors.len() as f64,
        };
        let Rate { per_second, cpu_us, trip: Spread { p50, p99 }, .. } = &rate;
        progress(&format!(
            "{name}, {clients} clients: {per_second:.0}/s, {cpu_us:.0} µs of the server's CPU each, p50 {p50:.2} ms, p99 {p99:.2} ms"
        ));
        Ok(rate)
    }
}

fn floor() -> Result<f64, Trouble> {
    Ok(Primitives::measure(BRIEFLY)?.floor_us())
}

/// Processor time of this process, in seconds.
fn own_cpu() -> Result<f64, Trouble> {
    Ok(super::cost::Cost::of(std::process::id())?.cpu.as_secs_f64())
}
