//! Runs a program beside a new PostgreSQL: `countersign-with-postgres PROGRAM [ARGUMENT …]`. The program finds its address
//! in `COUNTERSIGN_TEST_POSTGRES`, and may crash it: then it is started again. Used by `cargo xtask test`.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::{Command, ExitCode};
use std::time::Duration;

use countersign_tests::Postgres;

/// How often it is looked after.
const PAUSE: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else { return fail(&"which program?") };
    let mut postgres = match Postgres::start() {
        Ok(postgres) => postgres,
        Err(trouble) => return fail(&trouble),
    };
    let address = postgres.address();
    let child = Command::new(&program).args(words).env("COUNTERSIGN_TEST_POSTGRES", address).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return fail(&format!("{}: {error}", program.display())),
    };
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return ExitCode::SUCCESS,
            Ok(Some(_)) => return ExitCode::FAILURE,
            Ok(None) => {}
            Err(error) => return fail(&error),
        }
        // The program may crash it.
        if let Err(trouble) = postgres.start_if_it_ended() {
            return fail(&trouble);
        }
        std::thread::sleep(PAUSE);
    }
}

fn fail(why: &dyn std::fmt::Display) -> ExitCode {
    // Nobody watches, nothing to do about it.
    let _ = writeln!(std::io::stderr(), "countersign-with-postgres: {why}");
    ExitCode::FAILURE
}
