//! Looking for a secret in the memory of a running program, as whoever reads a core file, a swap device or
//! `/proc/PID/mem` would.

mod forms;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use crate::trouble::{Attempt as _, Trouble};
use crate::waiting::wait_until;
use forms::{Needles, PIECE};

/// Where a piece of a secret lay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The mapping: `[heap]`, `[stack]`, a file, or nothing for anonymous memory.
    pub mapping: String,
    /// The address.
    pub at: u64,
    /// In which form: `as it is`, `UTF-16`, `hexadecimal` …
    pub form: &'static str,
    /// What is around it, printable bytes as they are.
    pub around: String,
}

/// What was looked at.
#[derive(Clone, Debug)]
pub struct Search {
    /// Every piece that was found.
    pub traces: Vec<Trace>,
    /// How many bytes of memory were read.
    pub bytes: u64,
}

impl Search {
    /// The traces, one a line, for a test's message.
    #[must_use]
    pub fn told(&self) -> String {
        let lines = self
            .traces
            .iter()
            .map(|trace| format!("{:#x} in {:?}, {}: {}", trace.at, trace.mapping, trace.form, trace.around));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Looks through all memory of a program that holds anything: heap, stacks, data, and what was mapped, locked
/// and swapped included. A secret has at least eight bytes, and is found also where only eight of it are left.
///
/// # Errors
/// If the program is gone, this is not root, or the secret is too short to be told from chance.
pub fn search(pid: u32, secret: &[u8]) -> Result<Search, Trouble> {
    let needles = needles(secret)?;
    let file = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        File::open(&path).attempt(|| format!("open {path}"))
    };
    let maps =
        std::fs::read_to_string(format!("/proc/{pid}/maps")).attempt(|| format!("read the maps of {pid}"))?;
    let (memory, pages) = (file("mem")?, file("pagemap")?);
    let mut search = Search { traces: Vec::new(), bytes: 0 };
    for mapping in maps.lines().filter_map(Mapping::parse).filter(Mapping::may_hold_secrets) {
        for run in mapping.held(&pages)? {
            let mut bytes = vec![0; usize::try_from(run.end - run.start).unwrap_or(0)];
            // A mapping may go while it is looked at; what is gone holds nothing.
            if memory.read_exact_at(&mut bytes, run.start).is_err() {
                continue;
            }
            search.bytes += run.end - run.start;
            let mut before: Option<(usize, &str)> = None;
            needles.find(&bytes, |at, form| {
                // Pieces that overlap are one trace.
                let begins = before.is_none_or(|(last, same)| same != form || at - last > PIECE);
                before = Some((at, form));
                if begins {
                    let (mapping, around) = (mapping.name.clone(), around(&bytes, at));
                    search.traces.push(Trace { mapping, at: run.start + at as u64, form, around });
                }
            });
        }
    }
    Ok(search)
}

/// The forms in which a secret lies in a file or a log; see [`search`].
///
/// # Errors
/// The secret is too short to be told from chance.
pub fn forms_in(bytes: &[u8], secret: &[u8]) -> Result<Vec<&'static str>, Trouble> {
    let mut found = Vec::new();
    needles(secret)?.find(bytes, |_, form| found.push(form));
    found.dedup();
    Ok(found)
}

/// Searches until nothing is found: what a thread is just about to wipe is no trace yet.
///
/// # Errors
/// [`Trouble::Timeout`] with the traces that stayed for `limit`.
pub fn wait_until_nothing_is_found(pid: u32, secret: &[u8], limit: Duration) -> Result<Search, Trouble> {
    let mut last = None;
    let clean = wait_until(&format!("process {pid} to forget a secret"), limit, || {
        let found = search(pid, secret)?;
        if found.traces.is_empty() {
            return Ok(Some(found));
        }
        last = Some(found);
        std::thread::sleep(Duration::from_millis(200));
        Ok(None)
    });
    clean.map_err(|trouble| match trouble {
        Trouble::Timeout { what, limit, .. } => {
            let detail = last.map(|search| format!("; it lies at\n{}", search.told())).unwrap_or_default();
            Trouble::Timeout { what, limit, detail }
        }
        other => other,
    })
}

fn needles(secret: &[u8]) -> Result<Needles, Trouble> {
    if secret.len() < PIECE {
        return Err(Trouble::Machine(format!("a secret to search for has at least {PIECE} bytes")));
    }
    Ok(Needles::of(secret))
}

const PAGE: u64 = 4096;

/// One line of `/proc/PID/maps` (proc(5)).
struct Mapping {
    start: u64,
    end: u64,
    permissions: String,
    name: String,
}

/// Neighbouring pages that hold something.
struct Run {
    start: u64,
    end: u64,
}

impl Mapping {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let permissions = words.next()?.to_owned();
        let name = words.nth(3).unwrap_or_default().to_owned();
        let address = |hex| u64::from_str_radix(hex, 16).ok();
        Some(Self { start: address(start)?, end: address(end)?, permissions, name })
    }

    /// Everything a program could have written to: what is read-only may have been writable before.
    fn may_hold_secrets(&self) -> bool {
        let of_the_kernel = ["[vvar]", "[vdso]", "[vsyscall]", "[vvar_vclock]"].contains(&self.name.as_str());
        self.permissions.starts_with('r') && !of_the_kernel
    }

    /// The pages that are in memory (bit 63 of `/proc/PID/pagemap`) or on the swap device (bit 62): reading one
    /// that was never touched would give it memory. Bit 61 says that a page is a file's.
    fn held(&self, pages: &File) -> Result<Vec<Run>, Trouble> {
        let count = usize::try_from((self.end - self.start) / PAGE).unwrap_or(0);
        let mut entries = vec![0; count * 8];
        pages
            .read_exact_at(&mut entries, self.start / PAGE * 8)
            .attempt(|| format!("read the page map of {}", self.name))?;
        let mut runs: Vec<Run> = Vec::new();
        for (number, entry) in (0_u64..).zip(entries.chunks_exact(8)) {
            let entry = entry.try_into().map_or(0, u64::from_le_bytes);
            let (there, of_a_file) = (entry >> 62 != 0, entry >> 61 & 1 == 1);
            // A page of a file that this program cannot write to holds what the file holds.
            if !there || of_a_file && !self.permissions.contains('w') {
                continue;
            }
            let start = self.start + number * PAGE;
            match runs.last_mut() {
                Some(run) if run.end == start => run.end += PAGE,
                _ => runs.push(Run { start, end: start + PAGE }),
            }
        }
        Ok(runs)
    }
}

fn around(bytes: &[u8], at: usize) -> String {
    let part = bytes.get(at.saturating_sub(32)..bytes.len().min(at + 64)).unwrap_or_default();
    part.iter().map(|byte| std::ascii::escape_default(*byte).to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret, never whole in this process but where a test puts it.
    fn secret() -> Vec<u8> {
        b"\x9c\x9d\x8a\x9a\x8b\xd2\x99\x90\x8d\xd2\x8b\x97\x96\x8c\xd2\x8b\x9a\x8c\x8b"
            .iter()
            .map(|byte| !byte)
            .collect()
    }

    fn program(script: &str) -> std::process::Child {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        command.spawn().unwrap()
    }

    #[test]
    fn a_secret_in_another_programs_memory_is_found_and_none_is_where_none_is() {
        use std::io::{Read as _, Write as _};
        let mut child = program("echo yes; IFS= read -r line; echo yes; IFS= read -r end");
        let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        output.read_exact(&mut [0; 4]).unwrap();
        let found = search(child.id(), &secret()).unwrap();
        assert!(found.traces.is_empty() && found.bytes > 30_000, "{found:?}");
        input.write_all(&secret()).unwrap();
        input.write_all(b"\n").unwrap();
        output.read_exact(&mut [0; 4]).unwrap();
        let found = search(child.id(), &secret()).unwrap();
        assert!(found.traces.iter().any(|trace| trace.form == "as it is"), "{}", found.told());
        drop(input);
        child.wait().unwrap();
    }
}
