//! `countersign key rotate`: other keys on one's card.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::{AccountName, CardIdent, Fingerprint};
use countersign_protocol::ipc::{self, CardGenerate, OneTimeCode, RegisterKey, Reply, Request};
use countersign_protocol::message::result::AccountCreated;
use serde::Serialize;

use crate::agent;
use crate::args::{CardChoice, Global};
use crate::commands::algorithm::Algorithm;
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;
use crate::terminal;

/// Put new keys on your card, and make them your account's in the place of those that are there.
///
/// The old key signs for the new one first. If it breaks off after that, the same command with --code goes on, for an hour.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// Your account.
    account: AccountName,

    /// The card, as `countersign card list` shows it.
    #[arg(long, value_name = "IDENT")]
    card: CardIdent,

    /// What kind of keys to generate.
    #[arg(long, value_enum, default_value_t = Algorithm::Curve25519)]
    algorithm: Algorithm,

    /// Go on with this code, which a rotation that broke off had shown.
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
}

impl Rotate {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let code = match &self.code {
            Some(code) => code.clone(),
            None => self.vouched(global)?,
        };
        self.register(global, &code).map_err(|failure| {
            let next = format!(
                "The old key has signed for a new one, until an hour from then. Go on: countersign key rotate {} --card {} \
                 --code {code}",
                self.account, self.card
            );
            Failure { message: format!("{}\n{next}", failure.message), ..failure }
        })
    }

    /// The old key's signature for a new one, and new keys on the card.
    fn vouched(&self, global: &Global) -> Result<String, Failure> {
        terminal::tell("The key that is on the card signs for the new one first.");
        let choice = CardChoice { card: Some(self.card) };
        let job = Job::new("rotate-key", "account", self.account.as_str(), &choice)?;
        let code = job.run::<AccountCreated>(global)?.result.code;
        terminal::tell(&format!("If this breaks off: countersign key rotate --code {code} …"));
        let generate = CardGenerate {
            card: Some(self.card),
            algorithm: self.algorithm.word().to_owned(),
            user_id: self.account.as_str().to_owned(),
        };
        match agent::ask(global, &Request::CardGenerate(generate))?.reply {
            Reply::CardMade(_) => Ok(code),
            other => Err(agent::unexpected(&other)),
        }
    }

    fn register(&self, global: &Global, code: &str) -> Result<Report, Failure> {
        let request = Request::Register(ipc::Register {
            account: self.account.clone(),
            card: Some(self.card),
            key: RegisterKey::Generate { algorithm: self.algorithm.word().to_owned() },
            code: Some(OneTimeCode::new(code.to_owned().into())),
            method: None,
        });
        match agent::ask(global, &request)?.reply {
            Reply::Registered(registered) => Report::of(&Shown {
                account: registered.account,
                card: registered.card,
                key: registered.certificate,
                key_words: registered.key_words,
                ledger_index: registered.ledger_index,
            }),
            other => Err(agent::unexpected(&other)),
        }
    }
}

#[derive(Serialize)]
struct Shown {
    account: AccountName,
    card: CardIdent,
    key: Fingerprint,
    key_words: String,
    ledger_index: u64,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Card {} has another key of {} now; the one before it is worth nothing.",
            self.card, self.account
        )?;
        writeln!(f, "  certificate {}", self.key.spaced())?;
        writeln!(f, "  key words   {}", self.key_words)?;
        writeln!(f, "  recorded    entry {} of the ledger", self.ledger_index)
    }
}
