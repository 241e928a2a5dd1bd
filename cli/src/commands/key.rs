//! `countersign key`: the keys on one's own card.

mod revoke_certificate;
mod rotate;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    Rotate(rotate::Rotate),
    RevokeCertificate(revoke_certificate::RevokeCertificate),
}

impl Key {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        match self {
            Self::Rotate(rotate) => rotate.run(global),
            Self::RevokeCertificate(revoke) => revoke.run(global),
        }
    }
}
