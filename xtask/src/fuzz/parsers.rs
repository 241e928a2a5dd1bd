//! Every parser in turn, for a while: the targets of `fuzz/`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{build_packages, folder, wait};
use crate::step::{Stop, shown, step};
use crate::workspace::root;

/// Minutes for each, where nothing else is said.
pub(crate) const MINUTES: u64 = 5;

/// The targets, with what they begin with beside `fuzz/seeds`, and the longest input worth trying, in bytes.
const TARGETS: [(&str, &[&str], usize); 13] = [
    ("envelope", &["envelope/good", "envelope/bad"], 16_384),
    ("inside", &[], 8_192),
    ("refusal", &[], 9_000),
    ("message", &["envelope/good"], 16_384),
    ("statement", &[], 9_000),
    ("certificate", &["envelope/keys"], 66_000),
    ("roster", &[], 16_384),
    ("entry", &[], 17_000),
    ("export", &[], 65_536),
    ("receipt", &[], 17_000),
    ("ipc", &["ipc/good", "ipc/bad"], 70_000),
    ("bundle", &[], 9_000),
    ("settings", &[], 9_000),
];

/// At most this much memory, in MiB: what a server or an agent could not spare for one message.
const MEMORY: u32 = 1024;

/// Longest that one input may take, in seconds, with every check and all counters on.
const LONGEST: u32 = 5;

/// Builds the fuzzer and has it play all targets, or `one`, for so many minutes each, two at a time.
pub(crate) fn run_parsers(minutes: u64, one: Option<&str>) -> Result<(), Stop> {
    let wanted: Vec<_> = TARGETS.iter().filter(|(name, ..)| one.is_none_or(|one| one == *name)).collect();
    if wanted.is_empty() {
        let names = TARGETS.map(|(name, ..)| name).join(", ");
        return Err(Stop::Usage(format!("there is no such parser; there are {names}")));
    }
    let built = step("build every parser with coverage counters", || {
        build_packages(&["--package", "countersign-fuzz"], "countersign-fuzz/libfuzzer")
    })?;
    step(&format!("fuzz: {} parsers, {minutes} minutes each", wanted.len()), || {
        for pair in wanted.chunks(2) {
            let begun: Vec<_> = pair
                .iter()
                .map(|(name, seeds, longest)| {
                    let fuzzer = begin(&built, name, seeds, *longest, minutes)?;
                    Ok(std::thread::spawn(move || wait(name, fuzzer)))
                })
                .collect::<Result<_, Stop>>()?;
            for thread in begun {
                let lost = || Stop::Failed("a fuzzer was lost".to_owned());
                thread.join().unwrap_or_else(|_| Err(lost()))?;
            }
        }
        Ok(())
    })
}

/// Starts one, out of everybody's way.
fn begin(built: &Path, name: &str, seeds: &[&str], longest: usize, minutes: u64) -> Result<Child, Stop> {
    let found = folder()?.join("found").join(name);
    let failed = folder()?.join("failed").join(name);
    let own = root().join("fuzz/seeds").join(name);
    let golden = root().join("protocol/tests/messages");
    let mut folders: Vec<PathBuf> = vec![found.clone()];
    folders.extend(Some(own).filter(|own| own.is_dir()));
    folders.extend(seeds.iter().map(|seeds| golden.join(seeds)));
    for folder in [&found, &failed] {
        std::fs::create_dir_all(folder)
            .map_err(|error| Stop::Failed(format!("{} cannot be made: {error}", folder.display())))?;
    }
    let mut command = Command::new("nice");
    command
        .args(["-n", "19"])
        .arg(built.join("fuzz-parsers"))
        .args(&folders)
        .arg(format!("-artifact_prefix={}/", failed.display()))
        .args([format!("-max_total_time={}", minutes * 60), format!("-max_len={longest}")])
        .args([format!("-rss_limit_mb={MEMORY}"), format!("-timeout={LONGEST}")])
        .args(["-print_final_stats=1", "-report_slow_units=2", "-verbosity=1"])
        .env("COUNTERSIGN_FUZZ_TARGET", name)
        .stderr(Stdio::piped());
    command
        .spawn()
        .map_err(|error| Stop::Failed(format!("`{}` could not be started: {error}", shown(&command))))
}
