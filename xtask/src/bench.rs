//! `cargo xtask bench`: how fast things are, built for release, on real parts.

use std::process::Command;

use crate::step::{Stop, run as run_program, step};
use crate::workspace::{cargo, target};
use crate::{module, packages};

/// Logins through the agent, beside two neighbours on the same card. The bench itself is
/// `tests/src/bin/countersign-bench`; `words` are its own.
pub(crate) fn agent(words: &[&str]) -> Result<(), Stop> {
    packages::demand_root("bench agent")?;
    packages::ensure_for_bench()?;
    step("build for release", || run_program(&mut cargo(&["build", "--release", "--workspace", "--bins"])))?;
    module::check()?;
    step("bench: takes about six minutes", || {
        run_program(Command::new(target()?.join("release/countersign-bench")).arg("agent").args(words))
    })
}

/// What the module costs by itself, beside pam_permit. `words` are the bench's own.
pub(crate) fn pam(words: &[&str]) -> Result<(), Stop> {
    packages::demand_root("bench pam")?;
    packages::ensure()?;
    step("build for release", || run_program(&mut cargo(&["build", "--release", "--workspace", "--bins"])))?;
    module::check()?;
    step("bench: takes about half a minute", || {
        run_program(Command::new(target()?.join("release/countersign-bench")).arg("pam").args(words))
    })
}

/// How many logins a second the server takes, and what each costs it. `words` are the bench's own.
pub(crate) fn server(words: &[&str]) -> Result<(), Stop> {
    step("build for release", || run_program(&mut cargo(&["build", "--release", "--workspace", "--bins"])))?;
    step("bench: takes about ten minutes", || {
        run_program(Command::new(target()?.join("release/countersign-bench")).arg("server").args(words))
    })?;
    if words.is_empty() { ledger() } else { Ok(()) }
}

/// How many requests about documents a second are done, and how long each takes. `words` are the bench's own.
pub(crate) fn jobs(words: &[&str]) -> Result<(), Stop> {
    step("build for release", || run_program(&mut cargo(&["build", "--release", "--workspace", "--bins"])))?;
    step("bench: takes about six minutes", || {
        run_program(Command::new(target()?.join("release/countersign-bench")).arg("jobs").args(words))
    })
}

/// How fast a ledger export is verified.
pub(crate) fn ledger() -> Result<(), Stop> {
    let words = [
        "test",
        "--release",
        "--package",
        "countersign-protocol",
        "--features",
        "envelope",
        "--lib",
        "--",
        "--ignored",
        "--nocapture",
        "verify_speed",
    ];
    step("bench: verifying an export of a ledger", || run_program(&mut cargo(&words)))
}
