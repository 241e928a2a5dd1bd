//! `countersign`: what a person or an administrator types.
//!
//! It holds no key and no right: it asks the agent, answers the agent's questions from the terminal, and
//! shows what came of it. One file per subcommand in `commands/`; exit codes in `exit.rs`.
#![deny(unsafe_code)]

mod agent;
mod args;
mod authenticator;
mod certificate_source;
mod column;
mod commands;
mod document;
mod exit;
mod failure;
mod files;
mod given;
mod job;
mod libpam;
mod output;
mod pam_setup;
mod since;
mod sys;
mod terminal;
mod web;

use std::process::ExitCode;

use clap::Parser;

use args::Arguments;
use output::Output;

fn main() -> ExitCode {
    let given: Vec<_> = std::env::args_os().collect();
    let arguments = match Arguments::try_parse_from(&given) {
        Ok(arguments) => arguments,
        Err(answer) if !answer.use_stderr() => return Output::human().text(&answer.render()).into(),
        Err(mistake) => {
            let json = given.iter().any(|argument| argument == "--json");
            return Output::new(json).usage(&mistake).into();
        }
    };
    let output = Output::new(arguments.global.json);
    let done = commands::run(&arguments).and_then(|report| output.report(&report).map(|()| report.exit()));
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => output.failure(&failure).into(),
    }
}
