//! `cargo xtask lint`: cheapest first.

use std::process::Command;

use crate::step::{Stop, run as run_program, say, step, works};
use crate::workspace::cargo;

/// All checks; every one runs, so that one run shows all that is wrong.
pub(crate) fn run() -> Result<(), Stop> {
    let checks = [
        step("formatting", || checked(cargo(&["fmt", "--all", "--check"]), "fmt", "rustfmt")),
        step("licences, sources, bans", deny),
        step("clippy", || {
            let words = ["clippy", "--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"];
            checked(cargo(&words), "clippy", "clippy")
        }),
    ];
    checks.into_iter().collect()
}

fn checked(mut command: Command, tool: &str, component: &str) -> Result<(), Stop> {
    if !works(&mut cargo(&[tool, "--version"])) {
        return Err(Stop::Failed(format!(
            "cargo {tool} is not installed; run: rustup component add {component}"
        )));
    }
    run_program(&mut command)
}

/// What `deny.toml` says of every dependency. Advisories are left to a job with a network.
fn deny() -> Result<(), Stop> {
    if !works(&mut cargo(&["deny", "--version"])) {
        say("skipped: cargo-deny is not installed; `cargo install --locked cargo-deny` takes some minutes");
        return Ok(());
    }
    run_program(&mut cargo(&["deny", "check", "bans", "licenses", "sources"]))
}
