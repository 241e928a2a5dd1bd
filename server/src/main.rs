//! `countersign-server`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;
use countersign_server::commands::Arguments;

fn main() -> ExitCode {
    match Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("countersign-server: {error}");
            error.exit_code()
        }
    }
}
