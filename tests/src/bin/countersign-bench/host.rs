//! What the bench ran on.

use serde::Serialize;

/// One machine, as far as figures depend on it.
#[derive(Debug, Serialize)]
pub(crate) struct Host {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    pub(crate) debian: String,
    /// Of the last minute, before the bench began: above 0, something else was at work.
    pub(crate) load: String,
}

/// Read from `/proc` and `/etc`.
pub(crate) fn describe() -> Host {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |path: &str, name: &str| {
        read(path)
            .lines()
            .find_map(|line| {
                line.strip_prefix(name)?.trim_start().strip_prefix(':').map(str::trim).map(str::to_owned)
            })
            .unwrap_or_else(|| "unknown".to_owned())
    };
    let memory = field("/proc/meminfo", "MemTotal");
    let memory: u64 = memory.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
    Host {
        cpu: field("/proc/cpuinfo", "model name"),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        memory_mib: memory / 1024,
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        debian: read("/etc/debian_version").trim().to_owned(),
        load: read("/proc/loadavg").split_whitespace().next().unwrap_or("unknown").to_owned(),
    }
}
