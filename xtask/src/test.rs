//! `cargo xtask test`: everything that must hold before a change is shared.

use std::process::Command;

use crate::step::{Stop, run as run_program, say, step};
use crate::summary::Summary;
use crate::workspace::{cargo, root, target};
use crate::{lint, module, packages};

/// Installs, builds, lints and tests, and ends with `N passed, N failed`.
pub(crate) fn run() -> Result<(), Stop> {
    packages::demand_root("test")?;
    packages::ensure()?;
    // Tests say more than lints: a lint that fails is remembered, and the tests run all the same.
    let linted = lint::run();
    let built = build();
    let (checked, summary) =
        if built.is_ok() { (module::check(), tests()) } else { (Ok(()), Ok(Summary::default())) };
    let (tested, summary) = match summary {
        Ok(summary) if built.is_ok() => (summary.verdict(), summary),
        Ok(summary) => (Ok(()), summary),
        Err(stop) => (Err(stop), Summary::default()),
    };
    let stops: Vec<Stop> = [linted, built, checked, tested].into_iter().filter_map(Result::err).collect();
    for stop in &stops {
        say(&format!("xtask: {stop}"));
    }
    summary.tell();
    if stops.is_empty() { Ok(()) } else { Err(Stop::Told) }
}

/// All of them, and those of the server once more on PostgreSQL.
fn tests() -> Result<Summary, Stop> {
    let all = step("test", || Summary::of(&mut cargo(&["test", "--workspace", "--no-fail-fast"])))?;
    let again = step("test the server on PostgreSQL", || {
        let mut command = Command::new(target()?.join("debug/countersign-with-postgres"));
        command.args(["cargo", "test", "--workspace", "--test", "server", "--no-fail-fast"]);
        Summary::of(command.current_dir(root()).env("CARGO_TERM_COLOR", "never"))
    })?;
    Ok(all.plus(again))
}

/// All programs that the tests start, and the tests.
fn build() -> Result<(), Stop> {
    step("build", || run_program(&mut cargo(&["build", "--workspace", "--all-targets"])))
}
