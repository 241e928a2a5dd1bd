//! `countersign card generate`: new keys on a card.

use clap::Args;
use countersign_protocol::ipc::{CardGenerate, Request};

use super::made::{CertificateOut, make};
use crate::args::{CardChoice, Global, UserId};
use crate::commands::algorithm::Algorithm;
use crate::failure::Failure;
use crate::output::Report;

/// Make new keys on a card, in the place of those on it; its PINs stay.
///
/// Keys that are replaced are gone: what was encrypted to them becomes unreadable, and the account they belong to
/// needs its new key registered.
#[derive(Debug, Args)]
pub(crate) struct Generate {
    #[command(flatten)]
    card: CardChoice,

    /// What kind of keys to make.
    #[arg(long, value_enum, default_value_t = Algorithm::Curve25519)]
    algorithm: Algorithm,

    #[command(flatten)]
    user_id: UserId,

    #[command(flatten)]
    out: CertificateOut,
}

impl Generate {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let request = Request::CardGenerate(CardGenerate {
            card: self.card.card,
            algorithm: self.algorithm.word().to_owned(),
            user_id: self.user_id.or(None)?,
        });
        make(global, &request, &self.out)
    }
}
