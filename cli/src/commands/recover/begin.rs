//! `countersign recover begin`: the code on paper, and a new card.

use std::fmt;

use clap::{Args, ValueHint};
use countersign_protocol::ids::AccountName;
use countersign_protocol::ipc::{self, RegisterKey, Reply, Request};
use countersign_protocol::message::{RecoveryBegun, RegistrationMethod};
use serde::Serialize;

use crate::agent;
use crate::args::{CardChoice, Global};
use crate::certificate_source::in_file;
use crate::commands::algorithm::Algorithm;
use crate::failure::{Failure, LocalKind};
use crate::given::Given;
use crate::output::Report;

/// Ask that a new card become the only one of your account, with the recovery code from your paper.
///
/// The code is used up by this. Nothing changes before two administrators have signed for it and a day has passed; until
/// then the account's own card, or any administrator, can end it.
#[derive(Debug, Args)]
pub(crate) struct Begin {
    /// Your account.
    account: AccountName,

    #[command(flatten)]
    card: CardChoice,

    /// What kind of keys to generate on the new card.
    #[arg(long, value_enum, default_value_t = Algorithm::Curve25519, conflicts_with = "adopt")]
    algorithm: Algorithm,

    /// Keep the new card's keys; FILE is their certificate (`gpg --export`); - is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    adopt: Option<Given>,
}

impl Begin {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let key = match &self.adopt {
            Some(given) => RegisterKey::Adopt { certificate: in_file(global, given)? },
            None => RegisterKey::Generate { algorithm: self.algorithm.word().to_owned() },
        };
        let request = Request::Register(ipc::Register {
            account: self.account.clone(),
            card: self.card.card,
            key,
            code: None,
            method: Some(RegistrationMethod::Recovery),
        });
        let registered = match agent::ask(global, &request)?.reply {
            Reply::Registered(registered) => registered,
            other => return Err(agent::unexpected(&other)),
        };
        let begun = registered.recovery.clone().ok_or_else(|| {
            Failure::local(LocalKind::AgentProtocol, "the server began another thing than a recovery")
        })?;
        Report::of(&Shown { registered, begun })
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    registered: ipc::Registered,
    #[serde(skip)]
    begun: RecoveryBegun,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registered, begun } = self;
        writeln!(f, "The recovery of {} is begun.", registered.account)?;
        writeln!(f, "  recovery    {}", begun.id)?;
        writeln!(f, "  new key     {}", registered.certificate.spaced())?;
        writeln!(f, "  key words   {}", registered.key_words)?;
        writeln!(f, "  not before  {}", begun.not_before)?;
        writeln!(f, "  recorded    entry {} of the ledger", registered.ledger_index)?;
        writeln!(
            f,
            "Next: {} administrators, whom you read these lines to by another way than mail, sign for it:\n  \
             countersign admin recovery approve {} {} {}\nThen, with the new card, until {}:\n  countersign recover finish {}",
            begun.approvals, begun.id, registered.account, registered.certificate, begun.expires, begun.id
        )
    }
}
