//! `countersign recover`: another card for an account whose cards are lost.

mod begin;
mod finish;
mod new_code;
mod paper;
mod withdraw;

pub(crate) use paper::Paper;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Recover {
    Begin(begin::Begin),
    Finish(finish::Finish),
    Withdraw(withdraw::Withdraw),
    NewCode(new_code::NewCode),
}

impl Recover {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        match self {
            Self::Begin(begin) => begin.run(global),
            Self::Finish(finish) => finish.run(global),
            Self::Withdraw(withdraw) => withdraw.run(global),
            Self::NewCode(new_code) => new_code.run(global),
        }
    }
}
