//! `countersign register`: make a card the key of an account.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use countersign_protocol::ids::AccountName;
use countersign_protocol::ipc::{self, RegisterKey, Reply, Request};
use serde::Serialize;

use crate::agent;
use crate::args::{CardChoice, Global};
use crate::certificate_source::{Authority, at_the_cards_url, in_file};
use crate::commands::algorithm::Algorithm;
use crate::commands::emergency_code::Paper;
use crate::failure::Failure;
use crate::output::Report;

/// Make a card the key of an account, with the one-time code from an administrator.
///
/// New keys are generated on the card and both factory PINs are replaced. A card that holds keys already
/// keeps them with --adopt or --adopt-url.
#[derive(Debug, Args)]
pub(crate) struct Register {
    /// The account, as the administrator named it.
    account: AccountName,

    #[command(flatten)]
    card: CardChoice,

    /// What kind of keys to generate.
    #[arg(long, value_enum, default_value_t = Algorithm::Curve25519, conflicts_with_all = ["adopt", "adopt_url"])]
    algorithm: Algorithm,

    /// Keep the card's keys; FILE is their certificate (`gpg --export`).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    adopt: Option<PathBuf>,

    /// Keep the card's keys; fetch their certificate from the address that the card names.
    #[arg(long, conflicts_with = "adopt")]
    adopt_url: bool,

    #[command(flatten)]
    authority: Authority,
}

impl Register {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let (card, key) = match &self.adopt {
            Some(path) => (self.card.card, RegisterKey::Adopt { certificate: in_file(path)? }),
            None if self.adopt_url => {
                let (card, certificate) = at_the_cards_url(global, &self.card, &self.authority)?;
                (Some(card), RegisterKey::Adopt { certificate })
            }
            None => (self.card.card, RegisterKey::Generate { algorithm: self.algorithm.word().to_owned() }),
        };
        let request = Request::Register(ipc::Register { account: self.account.clone(), card, key });
        match agent::ask(global, &request)?.reply {
            Reply::Registered(registered) => Report::of(&Shown(registered)),
            other => Err(agent::unexpected(&other)),
        }
    }
}

#[derive(Serialize)]
struct Shown(ipc::Registered);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(registered) = self;
        writeln!(f, "Card {} is the key of {} now.", registered.card, registered.account)?;
        writeln!(f, "  certificate {}", registered.certificate.spaced())?;
        writeln!(f, "  key words   {}", registered.key_words)?;
        writeln!(f, "  recorded    entry {} of the ledger", registered.ledger_index)?;
        if let Some(code) = &registered.emergency_code {
            writeln!(f, "{}", Paper(code))?;
        }
        writeln!(
            f,
            "Next: see whether it opens your login, before anything depends on it:\n  countersign login try"
        )
    }
}
