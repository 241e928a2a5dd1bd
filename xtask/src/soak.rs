//! `cargo xtask soak`: what takes too long for every change, for whoever wants to know before a release.

use std::process::Command;

use crate::step::{Stop, run as run_program, step};
use crate::workspace::{cargo, root, target};
use crate::{fuzz, module, packages};

/// Installs, builds, and plays `matrix`, which may be followed by the name of one family, `load`, or `fuzz`, which may
/// be followed by how many million scripts, or by `parsers`, minutes and one of them, or
/// `servers`, by how many minutes, or `jobs`, by how many.
pub(crate) fn run(words: &[&str]) -> Result<(), Stop> {
    match words {
        ["matrix"] => matrix(None),
        ["matrix", family] => matrix(Some(family)),
        ["load"] => load(),
        ["servers"] => servers(5),
        ["servers", minutes] => match minutes.parse() {
            Ok(minutes @ 1..=600) => servers(minutes),
            _ => Err(Stop::Usage(format!("`{minutes}` minutes: a number from 1 to 600 is wanted"))),
        },
        ["jobs"] => jobs(10_000),
        ["jobs", many] => match many.parse() {
            Ok(many @ 1..=10_000_000) => jobs(many),
            _ => Err(Stop::Usage(format!("`{many}` jobs: a number from 1 to 10000000 is wanted"))),
        },
        ["fuzz"] => fuzz::run_both(fuzz::MILLIONS).and_then(|()| fuzz::run_parsers(fuzz::MINUTES, None)),
        ["fuzz", "parsers"] => fuzz::run_parsers(fuzz::MINUTES, None),
        ["fuzz", "parsers", minutes, which @ ..] if which.len() < 2 => match minutes.parse() {
            Ok(minutes @ 1..=10_000) => fuzz::run_parsers(minutes, which.first().copied()),
            _ => {
                Err(Stop::Usage(format!("`{minutes}` minutes for each: a number from 1 to 10000 is wanted")))
            }
        },
        ["fuzz", millions] => match millions.parse() {
            Ok(millions @ 1..=10_000) => fuzz::run_both(millions),
            _ => {
                Err(Stop::Usage(format!("`{millions}` million scripts: a number from 1 to 10000 is wanted")))
            }
        },
        [] => Err(Stop::Usage("which soak: matrix, load, servers, jobs, fuzz?".to_owned())),
        [other, ..] => Err(Stop::Usage(format!("there is no soak `{other}`"))),
    }
}

/// Every fault at every moment of a login: `tests/tests/fault_matrix`.
fn matrix(family: Option<&str>) -> Result<(), Stop> {
    prepare(&["build", "--workspace"])?;
    step("fault matrix", || {
        let mut test = test(&["--test", "fault_matrix"]);
        if let Some(family) = family {
            test.env("COUNTERSIGN_SOAK_FAMILY", family);
        }
        run_program(&mut test)
    })
}

/// A thousand logins by eight programs at once, and what the agent takes of the machine: `tests/tests/load`.
fn load() -> Result<(), Stop> {
    prepare(&["build", "--release", "--workspace"])?;
    step("load: takes about ten minutes", || run_program(&mut test(&["--release", "--test", "load"])))
}

/// Two servers on one PostgreSQL, killed while they work: `server/tests/two_servers.rs`.
fn servers(minutes: u64) -> Result<(), Stop> {
    prepare(&["build", "--workspace", "--bins"])?;
    step(&format!("two servers on one database: takes {minutes} minutes and a little"), || {
        let mut command = Command::new(target()?.join("debug/countersign-with-postgres"));
        command
            .args(["cargo", "test", "--workspace", "--test", "server", "two_servers::"])
            .args(["--", "--ignored", "--nocapture"])
            .current_dir(root())
            .env("COUNTERSIGN_SOAK_MINUTES", minutes.to_string());
        run_program(&mut command)
    })
}

/// Jobs on one server with SQLite, then on two with PostgreSQL, killed while they work: `server/tests/killed_with_jobs/soak.rs`.
fn jobs(many: u32) -> Result<(), Stop> {
    const TEST: [&str; 8] = [
        "test",
        "--workspace",
        "--test",
        "server",
        "killed_with_jobs::soak::",
        "--",
        "--ignored",
        "--nocapture",
    ];
    prepare(&["build", "--workspace", "--bins"])?;
    let many = many.to_string();
    step(&format!("{many} jobs on SQLite: 10000 take about four minutes"), || {
        run_program(cargo(&TEST).env("COUNTERSIGN_SOAK_JOBS", &many))
    })?;
    step(&format!("{many} jobs on PostgreSQL: 10000 take about four minutes"), || {
        let mut command = Command::new(target()?.join("debug/countersign-with-postgres"));
        command.arg("cargo").args(TEST).current_dir(root()).env("COUNTERSIGN_SOAK_JOBS", &many);
        run_program(&mut command)
    })
}

/// One of the end-to-end tests that are left out of `cargo xtask test`.
fn test(words: &[&str]) -> Command {
    let words = [&["test", "--workspace"], words, &["--", "--ignored", "--nocapture"]].concat();
    cargo(&words)
}

fn prepare(build: &[&str]) -> Result<(), Stop> {
    packages::demand_root("soak")?;
    packages::ensure()?;
    step("build", || run_program(&mut cargo(build)))?;
    module::check()
}
