//! `cargo xtask demo`: a login with a card, from enrolment to ledger, on real parts.

use std::process::Command;

use crate::step::{Stop, run as run_program, step};
use crate::workspace::{cargo, target};
use crate::{module, packages};

/// Installs, builds, and shows it. The demo itself is `tests/src/bin/countersign-demo.rs`.
pub(crate) fn run() -> Result<(), Stop> {
    packages::demand_root("demo")?;
    packages::ensure()?;
    step("build", || run_program(&mut cargo(&["build", "--workspace"])))?;
    module::check()?;
    run_program(&mut Command::new(target()?.join("debug/countersign-demo")))
}
