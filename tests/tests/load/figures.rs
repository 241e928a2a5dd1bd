//! What the agent takes of the machine.

use std::fmt;
use std::fs;

use countersign_tests::Trouble;

/// Most that an idle agent may hold, in KiB: 15 MiB.
pub(crate) const IDLE: usize = 15 * 1024;

/// At one moment, with nobody logging in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) resident_kib: usize,
    anonymous_kib: usize,
    threads: usize,
    descriptors: usize,
    pub(crate) courier_kib: usize,
}

impl Figures {
    pub(crate) fn of(agent: u32) -> Result<Self, Trouble> {
        let io = |source| Trouble::Io { what: format!("read /proc/{agent}"), source };
        let status = fs::read_to_string(format!("/proc/{agent}/status")).map_err(io)?;
        let descriptors = fs::read_dir(format!("/proc/{agent}/fd")).map_err(io)?.count();
        let children = fs::read_to_string(format!("/proc/{agent}/task/{agent}/children")).unwrap_or_default();
        let of_child = |pid: &str| {
            fs::read_to_string(format!("/proc/{pid}/status")).map_or(0, |status| number(&status, "VmRSS:"))
        };
        Ok(Self {
            resident_kib: number(&status, "VmRSS:"),
            anonymous_kib: number(&status, "RssAnon:"),
            threads: number(&status, "Threads:"),
            descriptors,
            courier_kib: courier(agent).map_or_else(
                || children.split_whitespace().map(of_child).sum(),
                |pid| of_child(&pid.to_string()),
            ),
        })
    }
}

/// The courier may have been started by any of the agent's threads.
fn courier(agent: u32) -> Option<u32> {
    let is_child = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        number(&status, "PPid:") == usize::try_from(agent).unwrap_or(0)
    };
    let processes = fs::read_dir("/proc").ok()?;
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.into_iter().find(is_child)
}

fn number(status: &str, key: &str) -> usize {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resident_kib, anonymous_kib, threads, descriptors, courier_kib } = self;
        write!(
            f,
            "{resident_kib} KiB ({anonymous_kib} anonymous), {threads} threads, {descriptors} descriptors; \
             courier {courier_kib} KiB"
        )
    }
}

/// Middle and last third of the looks, each by what `of` takes from them.
fn thirds(looks: &[Figures], of: fn(&Figures) -> usize) -> (f64, f64) {
    let third = (looks.len() / 3).max(1);
    let mean = |part: &[Figures]| part.iter().map(of).sum::<usize>() as f64 / part.len().max(1) as f64;
    let (before, last) = looks.split_at(looks.len().saturating_sub(third));
    let (_, middle) = before.split_at(before.len().saturating_sub(third));
    (mean(middle), mean(last))
}

/// A name, what is looked at, and the factor and the sum by which it may grow.
type Rule = (&'static str, fn(&Figures) -> usize, f64, f64);

/// What is looked at, and by how much the mean of the last third may lie above that of the middle one. Memory: 2 %, for
/// pages that are touched once. Threads and descriptors: less than one on the average, for one that is just ending.
const RULES: [Rule; 5] = [
    ("resident KiB", |look| look.resident_kib, 1.02, 0.0),
    ("anonymous KiB", |look| look.anonymous_kib, 1.02, 128.0),
    ("threads", |look| look.threads, 1.0, 0.9),
    ("descriptors", |look| look.descriptors, 1.0, 0.9),
    ("courier's KiB", |look| look.courier_kib, 1.02, 128.0),
];

/// What is not flat.
pub(crate) fn leaks(looks: &[Figures]) -> Vec<String> {
    let grown = RULES.iter().filter_map(|(name, of, factor, more)| {
        let (middle, last) = thirds(looks, *of);
        (last > middle * factor + more).then(|| format!("{name} grew from {middle:.1} to {last:.1}"))
    });
    grown.collect()
}

pub(crate) fn summary(looks: &[Figures]) -> String {
    let means = RULES.iter().map(|(name, of, ..)| {
        let (middle, last) = thirds(looks, *of);
        format!("{name} {middle:.1} -> {last:.1}")
    });
    format!("mean of the middle third -> of the last third: {}", means.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(resident_kib: usize, descriptors: usize) -> Figures {
        Figures { resident_kib, anonymous_kib: 2000, threads: 10, descriptors, courier_kib: 7000 }
    }

    #[test]
    fn a_leak_is_found_and_warming_up_is_none() {
        let warming: Vec<Figures> = (0..20).map(|at| look(12_000 + at.min(5) * 300, 13)).collect();
        assert_eq!(leaks(&warming), Vec::<String>::new());
        let leaking: Vec<Figures> = (0..20).map(|at| look(12_000 + at * 300, 13)).collect();
        assert_eq!(leaks(&leaking).len(), 1);
        let one_descriptor_in_a_hundred_logins: Vec<Figures> =
            (0..20).map(|at| look(12_000, 13 + at / 2)).collect();
        assert_eq!(leaks(&one_descriptor_in_a_hundred_logins).len(), 1);
    }
}
