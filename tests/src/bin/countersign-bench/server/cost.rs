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
    /// Processor time of the living children of a process.
    pub(super) fn of_children(parent: u32) -> Result<Duration, Trouble> {
        let mut sum = Duration::ZERO;
        for entry in std::fs::read_dir("/proc").map_err(failed)?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // One may end while we look.
            let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
            let own = stat
                .rsplit_once(')')
                .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
            if own == Some(parent) {
                sum += Self::of(pid).map_or(Duration::ZERO, |cost| cost.cpu);
            }
        }
        Ok(sum)
    }

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
