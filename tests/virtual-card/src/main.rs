//! An OpenPGP card as a program.
//!
//! The card is Nitrokey's own firmware (`opcard`). It is plugged into a real `pcscd` through the vpcd
//! driver of vsmartcard, and a Unix socket lets a test pull it, touch it, make it fail at a chosen
//! command, and count what it was asked. See [`control`] for the language of that socket.
#![forbid(unsafe_code)]

mod apdu;
mod args;
mod bench;
mod chip;
mod control;
mod faults;
mod firmware;
mod slot;
mod touchpad;
mod vpcd;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;

use crate::args::Args;
use crate::bench::Bench;

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("countersign-virtual-card: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Trouble> {
    let bench = Arc::new(Bench::new(!args.absent));
    let _control = match &args.control {
        Some(path) => {
            Some(control::listen(path, args.ident(), Arc::clone(&bench)).map_err(Trouble::Control)?)
        }
        None => None,
    };
    let storage = firmware::Storage::open(args.state.as_deref()).map_err(Trouble::State)?;
    firmware::with_chip(storage, args.options(), &bench, |chip| slot::run(&args.vpcd, &bench, chip));
    Ok(())
}

/// Why the card could not start.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(
        "cannot listen on the control socket: {0}; check that its folder exists and nothing else uses it"
    )]
    Control(std::io::Error),
    #[error("cannot open the card's state folder: {0}; give another folder with --state, or --memory")]
    State(std::io::Error),
}
