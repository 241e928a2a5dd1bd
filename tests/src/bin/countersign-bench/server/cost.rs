//! What a process used, as the kernel counts it.

use std::time::Duration;

use countersign_tests::Trouble;

use super::failed;

/// The kernel's unit in `/proc/PID/stat`: hundredths of a second, on every Linux there is.
const TICK: Duration = Duration::from_millis(10);

/// Of one process since it was started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Processor time, in programs and in the kernel.
    pub(super) cpu: Duration,
    /// Resident memory now.
    pub(super) resident_kib: u64,
}

impl Cost {
    pub(super) fn of(pid: u32) -> Result<Self, Trouble> {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).map_err(failed);
        let stat = read("stat")?;
        // The name in brackets may hold anything; what counts begins behind the last one.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = |field: usize| fields.get(field).and_then(|ticks| ticks.parse::<u32>().ok());
        let (user, system) = ticks(11).zip(ticks(12)).ok_or_else(|| failed("no times in /proc"))?;
        let resident = read("status")?
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
            .unwrap_or(0);
        Ok(Self { cpu: TICK * (user + system), resident_kib: resident })
    }
}
