//! `cargo xtask test`: everything that must hold before a change is shared.

use crate::step::{Stop, run as run_program, say, step};
use crate::summary::Summary;
use crate::workspace::cargo;
use crate::{lint, module, packages};

/// Installs, builds, lints and tests, and ends with `N passed, N failed`.
pub(crate) fn run() -> Result<(), Stop> {
    packages::demand_root("test")?;
    packages::ensure()?;
    // Tests say more than lints: a lint that fails is remembered, and the tests run all the same.
    let linted = lint::run();
    let built = build();
    let (checked, summary) = if built.is_ok() {
        (module::check(), step("test", || Summary::of(cargo(&["test", "--workspace", "--no-fail-fast"]))))
    } else {
        (Ok(()), Ok(Summary::default()))
    };
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

/// All programs that the tests start, and the tests.
fn build() -> Result<(), Stop> {
    step("build", || run_program(&mut cargo(&["build", "--workspace", "--all-targets"])))
}
