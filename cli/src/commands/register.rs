//! `countersign register`: make a card the key of an account.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use countersign_protocol::binary::Binary;
use countersign_protocol::ids::AccountName;
use countersign_protocol::ipc::{self, RegisterKey, Reply, Request};
use countersign_protocol::{certificate, limits};
use serde::Serialize;

use crate::agent;
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::files;
use crate::output::Report;

/// Make a card the key of an account, with the one-time code from an administrator.
///
/// New keys are generated on the card and both factory PINs are replaced. A card that holds keys already
/// keeps them with --adopt.
#[derive(Debug, Args)]
pub(crate) struct Register {
    /// The account, as the administrator named it.
    account: AccountName,

    #[command(flatten)]
    card: CardChoice,

    /// What kind of keys to generate.
    #[arg(long, value_enum, default_value_t = Algorithm::Curve25519, conflicts_with = "adopt")]
    algorithm: Algorithm,

    /// Keep the card's keys; FILE is their certificate (`gpg --export`).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    adopt: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Algorithm {
    Curve25519,
    NistP256,
    NistP384,
    #[value(name = "rsa2048")]
    Rsa2048,
    #[value(name = "rsa3072")]
    Rsa3072,
    #[value(name = "rsa4096")]
    Rsa4096,
}

impl Algorithm {
    /// The word that the agent knows.
    const fn word(self) -> &'static str {
        match self {
            Self::Curve25519 => "curve25519",
            Self::NistP256 => "nist-p256",
            Self::NistP384 => "nist-p384",
            Self::Rsa2048 => "rsa2048",
            Self::Rsa3072 => "rsa3072",
            Self::Rsa4096 => "rsa4096",
        }
    }
}

impl Register {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let key = match &self.adopt {
            Some(path) => RegisterKey::Adopt { certificate: certificate_in(path)? },
            None => RegisterKey::Generate { algorithm: self.algorithm.word().to_owned() },
        };
        let request =
            Request::Register(ipc::Register { account: self.account.clone(), card: self.card.card, key });
        match agent::ask(global, &request)?.reply {
            Reply::Registered(registered) => Report::of(&Shown(registered)),
            other => Err(agent::unexpected(&other)),
        }
    }
}

/// Reads a certificate and brings it into binary form, so that a wrong file is found before the PIN is asked.
fn certificate_in(path: &std::path::Path) -> Result<Binary, Failure> {
    let bytes = files::read(path, "the certificate", limits::CERTIFICATE)?;
    let unusable = |error: String| {
        Failure::file(format!("{} is not a certificate that can be adopted: {error}", path.display()))
            .then("Export it with `gpg --export FINGERPRINT`, without secret keys.")
    };
    let certificate = certificate::parse(&bytes).map_err(|error| unusable(error.to_string()))?;
    certificate::to_bytes(&certificate).map(Binary).map_err(|error| unusable(error.to_string()))
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
        writeln!(
            f,
            "Next: see whether it opens your login, before anything depends on it:\n  countersign login try"
        )
    }
}
