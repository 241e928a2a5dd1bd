//! What came out, to be read and to be pasted.

use std::fmt::Write as _;

use serde::Serialize;

use super::growth::Step;
use super::primitives::Primitives;
use super::rate::Rate;
use crate::host::Host;

/// What the design wants, on the machine whose bare operations are [`Primitives::DESIGN`]: microseconds of the server's processor
/// time for each, round trips a second, and milliseconds that 99 of 100 take at most by the most clients. Elsewhere it is held to
/// as much more or less as those operations take.
const CPU_US: f64 = 570.0;
const PER_SECOND: f64 = 2_500.0;
const P99_MS: f64 = 20.0;

/// How much more a login may cost beside a thousand times as much: a tree is a level or two deeper, a proof a few hashes longer.
const FLAT: f64 = 1.25;

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) host: Host,
    pub(super) primitives: Primitives,
    pub(crate) rates: Vec<Rate>,
    pub(crate) growth: Vec<Step>,
}

impl Outcome {
    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|error| error.to_string())
    }

    pub(crate) fn table(&self) -> String {
        let Host { cpu, cores, memory_mib, kernel, debian, load } = &self.host;
        let Primitives { sign_us, verify_us, derive_us } = self.primitives;
        let (floor, design) = (self.primitives.floor_us(), Primitives::DESIGN.floor_us());
        let mut text = format!(
            "Signed and encrypted logins over HTTP, each durable in the ledger before its reply is sealed.\n\
             {cpu}, {cores} cores, {memory_mib} MiB, Linux {kernel}, Debian {debian}, load before: {load}\n\n\
             OpenSSL, every core at once: Ed25519 sign {sign_us:.1} µs, verify {verify_us:.1} µs, X25519 {derive_us:.1} µs.\n\
             A round trip needs 2 of the first, 2 of the second, 3 of the third: {floor:.0} µs, and on the design's machine {design:.0}.\n\n"
        );
        self.rates(&mut text);
        self.growth(&mut text);
        text
    }

    fn rates(&self, text: &mut String) {
        if self.rates.is_empty() {
            return;
        }
        head(text, "");
        for rate in &self.rates {
            line(text, &rate.name, rate);
        }
        let met = |met: bool| if met { "met" } else { "MISSED" };
        let _ = writeln!(
            text,
            "By as much as the bare operations took longer than on the design's machine, {CPU_US} µs, {PER_SECOND}/s and {P99_MS} ms are more or less:"
        );
        let many: Vec<&Rate> = self.rates.iter().filter(|rate| rate.clients == 32).collect();
        for rate in many {
            let speed = rate.floor_us / Primitives::DESIGN.floor_us();
            let (cpu, rate_of, p99) = (CPU_US * speed, PER_SECOND / speed, P99_MS * speed);
            let _ = writeln!(
                text,
                "{}, {speed:.2} times: at most {cpu:.0} µs each: {}; at least {rate_of:.0}/s beside the clients: {}; p99 below {p99:.0} ms: {}.",
                rate.name,
                met(rate.cpu_us <= cpu),
                met(rate.per_second >= rate_of),
                met(rate.trip.p99 < p99),
            );
        }
        text.push('\n');
    }

    fn growth(&self, text: &mut String) {
        for of in ["accounts", "first", "policies", "entries"] {
            let steps: Vec<&Step> = self.growth.iter().filter(|step| step.of == of).collect();
            let [first, .., last] = steps.as_slice() else { continue };
            head(text, of);
            for Step { many, rate, .. } in &steps {
                line(text, &many.to_string(), rate);
            }
            let ratio = (last.rate.cpu_us / last.rate.floor_us) / (first.rate.cpu_us / first.rate.floor_us);
            let flat = if ratio <= FLAT { "flat" } else { "NOT FLAT" };
            let _ = writeln!(
                text,
                "{of}: {ratio:.2} times the CPU for each login, in floors, at the last as at the first: {flat}.\n"
            );
        }
    }
}

fn head(text: &mut String, what: &str) {
    let _ = writeln!(
        text,
        "{what:<12} {:>7} {:>7} {:>8} {:>8} {:>9} {:>6} {:>8} {:>9} {:>9} {:>8} {:>9} {:>8}",
        "clients",
        "trips",
        "checked",
        "per s",
        "CPU µs",
        "floor",
        "/ floor",
        "database",
        "clients'",
        "p50 ms",
        "p99 ms",
        "MiB"
    );
}

fn line(text: &mut String, name: &str, rate: &Rate) {
    let Rate {
        clients,
        trips,
        checked,
        per_second,
        trip,
        cpu_us,
        floor_us,
        clients_cpu_us,
        resident_kib,
        ..
    } = rate;
    let database = rate.database_cpu_us.map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.0}"));
    let _ = writeln!(
        text,
        "{name:<12} {clients:>7} {trips:>7} {checked:>8} {per_second:>8.0} {cpu_us:>9.0} {floor_us:>6.0} {:>8.2} {database:>9} \
         {clients_cpu_us:>9.0} {:>8.2} {:>9.2} {:>8.0}",
        cpu_us / floor_us,
        trip.p50,
        trip.p99,
        *resident_kib as f64 / 1024.0,
    );
}
