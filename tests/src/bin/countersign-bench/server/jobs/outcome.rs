//! What came out, to be read and to be pasted.

use std::fmt::Write as _;

use serde::Serialize;

use super::super::primitives::Primitives;
use crate::host::Host;
use crate::series::Spread;

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(super) host: Host,
    pub(super) primitives: Primitives,
    pub(super) lines: Vec<Jobs>,
}

/// Many jobs of one kind.
#[derive(Debug, Serialize)]
pub(super) struct Jobs {
    pub(super) name: String,
    pub(super) workers: usize,
    pub(super) clients: usize,
    pub(super) jobs: usize,
    /// Fetches of one job.
    pub(super) fetches: f64,
    pub(super) per_second: f64,
    /// Processor time of the server for each, in microseconds.
    pub(super) cpu_us: f64,
    /// What the bare operations under a job took meanwhile, in microseconds.
    pub(super) floor_us: f64,
    /// Processor time of the database's own processes for each, where it has any.
    pub(super) database_cpu_us: Option<f64>,
    /// Processor time of the clients for each: they run on the same cores.
    pub(super) clients_cpu_us: f64,
    /// From the request to the acknowledgement.
    pub(super) trip: Spread,
    /// Logins at the same server by as many clients, just before.
    pub(super) login: Login,
}

/// Logins.
#[derive(Debug, Serialize)]
pub(super) struct Login {
    pub(super) per_second: f64,
    /// Processor time of server and clients for each, in microseconds.
    pub(super) both_cpu_us: f64,
    pub(super) trip: Spread,
}

impl Jobs {
    pub(super) fn told(&self) -> String {
        let Self { name, workers, clients, per_second, cpu_us, trip: Spread { p50, p99 }, .. } = self;
        format!(
            "{name}, {workers} workers, {clients} clients: {per_second:.0} jobs/s, {cpu_us:.0} µs of the server's CPU each, p50 \
             {p50:.2} ms, p99 {p99:.2} ms"
        )
    }
}

impl Outcome {
    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|error| error.to_string())
    }

    pub(crate) fn table(&self) -> String {
        let Host { cpu, cores, memory_mib, kernel, debian, load } = &self.host;
        let Primitives { sign_us, verify_us, derive_us } = self.primitives;
        let floor = self.primitives.job_floor_us();
        let mut text = format!(
            "Requests about documents over HTTP, from the request to the result that is opened and acknowledged.\n\
             {cpu}, {cores} cores, {memory_mib} MiB, Linux {kernel}, Debian {debian}, load before: {load}\n\n\
             OpenSSL, every core at once: Ed25519 sign {sign_us:.1} µs, verify {verify_us:.1} µs, X25519 {derive_us:.1} µs.\n\
             A job needs 6 of the first, 7 of the second, 9 2/3 of the third: {floor:.0} µs.\n\n\
             {:<11} {:>7} {:>7} {:>6} {:>7} {:>6} {:>7} {:>6} {:>7} {:>8} {:>8} {:>7} {:>8} {:>9} {:>6}\n",
            "",
            "workers",
            "clients",
            "jobs",
            "fetches",
            "per s",
            "CPU µs",
            "floor",
            "/ floor",
            "database",
            "clients'",
            "p50 ms",
            "p99 ms",
            "logins/s",
            "ratio"
        );
        for line in &self.lines {
            let Jobs { name, workers, clients, jobs, fetches, per_second, cpu_us, floor_us, .. } = line;
            let Jobs { database_cpu_us, clients_cpu_us, trip: Spread { p50, p99 }, login, .. } = line;
            let database = database_cpu_us.map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.0}"));
            let _ = writeln!(
                text,
                "{name:<11} {workers:>7} {clients:>7} {jobs:>6} {fetches:>7.2} {per_second:>6.0} {cpu_us:>7.0} {floor_us:>6.0} \
                 {:>7.2} {database:>8} {clients_cpu_us:>8.0} {p50:>7.2} {p99:>8.2} {:>9.0} {:>6.2}",
                cpu_us / floor_us,
                login.per_second,
                login.per_second / per_second,
            );
        }
        text.push_str("logins/s: by as many clients at the same server just before. ratio: so many logins in the time of one job.\n");
        text
    }
}
