//! `cargo xtask soak fuzz`: agents and people made of random bytes, against the PAM module and against its client
//! alone; and whatever bytes, for every parser. Coverage-guided by libFuzzer, with the stable compiler.

mod parsers;

pub(crate) use parsers::{MINUTES, run_parsers};

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::packages;
use crate::step::{Stop, output, run, say, shown, step};
use crate::workspace::{cargo, root, target};

/// Scripts in all, in millions, where nothing else is said.
pub(crate) const MILLIONS: u64 = 12;

/// Of these, one in this many goes through libpam and a socket, which takes twenty times as long.
const THROUGH_LIBPAM: u64 = 12;

/// Longest script, in bytes. Frames over the limit need no long script: their length is a number in the header.
const LONGEST: usize = 4_096;

/// What libFuzzer needs in every crate; what `cargo fuzz` passes, in so far as the stable compiler knows it.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Clink-arg=-rdynamic";

/// Builds both fuzzers and has them play this many million scripts.
pub(crate) fn run_both(millions: u64) -> Result<(), Stop> {
    packages::demand_root("soak fuzz")?;
    packages::ensure()?;
    let built = step("build with coverage counters", build)?;
    let all = millions * 1_000_000;
    let through_libpam = all / THROUGH_LIBPAM;
    step(&format!("fuzz: {millions} million scripts"), || {
        let module = fuzzer(&built, "module", through_libpam)?;
        let frames = fuzzer(&built, "frames", all - through_libpam)?;
        // Both at once: each has a thread that reads what it says, or it would stand still.
        let frames = std::thread::spawn(move || wait("frames", frames));
        let ended = wait("module", module);
        let lost = || Stop::Failed("the fuzzer of frames was lost".to_owned());
        frames.join().unwrap_or_else(|_| Err(lost())).and(ended)
    })
}

/// The folder with the fuzzers and the module.
fn build() -> Result<PathBuf, Stop> {
    build_packages(
        &["--package", "countersign-pam", "--package", "countersign-pam-fuzz"],
        "countersign-pam-fuzz/libfuzzer",
    )
}

/// The folder with what these packages build to, with coverage counters in every crate.
fn build_packages(packages: &[&str], feature: &str) -> Result<PathBuf, Stop> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Stop::Failed("`rustc -vV` names no host".to_owned()))?;
    let folder = folder()?;
    // With a target named, the counters stay out of build scripts.
    let words = ["build", "--profile", "fuzz", "--target", host];
    let words = [&words, packages, &["--features", feature, "--target-dir"]].concat();
    run(cargo(&words).arg(&folder).env("RUSTFLAGS", COVERAGE))?;
    Ok(folder.join(host).join("fuzz"))
}

fn folder() -> Result<PathBuf, Stop> {
    Ok(target()?.join("fuzz"))
}

/// Starts one: what it finds worth keeping stays for the next run, beside the scripts in the repository.
fn fuzzer(built: &Path, name: &str, scripts: u64) -> Result<Child, Stop> {
    let found = folder()?.join("found").join(name);
    let failed = folder()?.join("failed").join(name);
    for folder in [&found, &failed] {
        std::fs::create_dir_all(folder)
            .map_err(|error| Stop::Failed(format!("{} cannot be made: {error}", folder.display())))?;
    }
    let sources = root().join("pam-module/fuzz");
    // Each refused login is a line in the log of the system: not millions of them.
    let quietly =
        "[ ! -e /dev/log ] || mount --bind /dev/null \"$(readlink -f /dev/log)\"; exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", quietly])
        .arg(built.join(format!("fuzz-{name}")))
        .args([&found, &sources.join("seeds").join(name)])
        .arg(format!("-dict={}", sources.join("dictionary").display()))
        .arg(format!("-artifact_prefix={}/", failed.display()))
        .args([format!("-runs={scripts}"), format!("-max_len={LONGEST}")])
        .args(["-print_final_stats=1", "-timeout=20", "-report_slow_units=5", "-verbosity=1"])
        .env("COUNTERSIGN_FUZZ_MODULE", built.join("libpam_countersign.so"))
        .stderr(Stdio::piped());
    say(&format!("   {name}: {scripts} scripts"));
    command
        .spawn()
        .map_err(|error| Stop::Failed(format!("`{}` could not be started: {error}", shown(&command))))
}

fn wait(name: &str, mut fuzzer: Child) -> Result<(), Stop> {
    if let Some(words) = fuzzer.stderr.take() {
        pass_on(name, words);
    }
    match fuzzer.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Stop::Failed(format!(
            "the fuzzer of {name} ended with {status}; the script that did it is named above"
        ))),
        Err(error) => Err(Stop::Failed(format!("the fuzzer of {name} was lost: {error}"))),
    }
}

/// What libFuzzer says, without the thousands of lines about each script that it keeps.
fn pass_on(name: &str, words: ChildStderr) {
    let mut in_dictionary = false;
    // What is not text is not said.
    for line in BufReader::new(words).lines().map_while(Result::ok) {
        if line.starts_with("######") {
            in_dictionary = !in_dictionary;
            continue;
        }
        let is_progress =
            !line.starts_with('#') || ["INITED", "pulse", "DONE"].iter().any(|word| line.contains(word));
        if is_progress && !in_dictionary && !line.contains("NEW_FUNC") {
            say(&format!("   {name}: {line}"));
        }
    }
}
