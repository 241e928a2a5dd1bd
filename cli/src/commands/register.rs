//! `countersign register`: make a card the key of an account, and another one to keep somewhere else.

mod alone;
mod second;

use std::fmt;

use clap::{Args, ValueHint};
use countersign_protocol::ids::{AccountName, CardIdent};
use countersign_protocol::ipc::{self, OneTimeCode, RegisterKey, Reply, Request};
use serde::Serialize;

use self::alone::Alone;
use crate::agent;
use crate::args::{CardChoice, Global};
use crate::certificate_source::{Authority, at_the_cards_url, in_file};
use crate::commands::algorithm::Algorithm;
use crate::commands::emergency_code::Paper;
use crate::commands::recover;
use crate::failure::Failure;
use crate::given::Given;
use crate::output::{Output, Report};
use crate::terminal;

/// Make a card the key of an account, with the one-time code from an administrator, or alone.
///
/// Without an administrator, where the server allows it: --email or --sms sends a code to you; with --totp your
/// authenticator program makes the codes, and the account may do nothing until an administrator gives it a role.
///
/// New keys are generated on the card and both factory PINs are replaced. A card that holds keys already
/// keeps them with --adopt or --adopt-url. With --second the card that the account has vouches for another
/// one, which needs no administrator; keep it somewhere else.
#[derive(Debug, Args)]
pub(crate) struct Register {
    /// The account: as the administrator named it, or as you wish it to be named.
    account: AccountName,

    /// Register a second card, with the account's own card in place of a code.
    #[arg(long)]
    second: bool,

    #[command(flatten)]
    alone: Alone,

    #[command(flatten)]
    card: CardChoice,

    /// What kind of keys to generate.
    #[arg(long, value_enum, default_value_t = Algorithm::Curve25519, conflicts_with_all = ["adopt", "adopt_url"])]
    algorithm: Algorithm,

    /// Keep the card's keys; FILE is their certificate (`gpg --export`); - is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    adopt: Option<Given>,

    /// Keep the card's keys; fetch their certificate from the address that the card names.
    #[arg(long, conflicts_with = "adopt")]
    adopt_url: bool,

    #[command(flatten)]
    authority: Authority,
}

impl Register {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        if self.second {
            return second::register(self, global, None);
        }
        let registered = self.ask(global, &self.card, None)?;
        let first = registered.card;
        let next = self.alone.next(&self.account);
        let report = Report::of(&Shown { registered, next })?;
        if !second::can_be_offered(global) {
            return Ok(report);
        }
        // Before anything else is asked: the code in it must be written down.
        Output::human().report(&report)?;
        if !second::is_wanted() {
            return Report::of(&self.later());
        }
        let second = second::register(&self.with_new_keys(), global, Some(first));
        if second.is_err() {
            terminal::tell(&format!("Card {first} is registered all the same, and works. {}", self.later()));
        }
        second
    }

    /// The same for another card. What was said of the first one's keys is said of no other.
    fn with_new_keys(&self) -> Self {
        Self {
            account: self.account.clone(),
            second: true,
            alone: Alone::default(),
            card: CardChoice { card: None },
            algorithm: self.algorithm,
            adopt: None,
            adopt_url: false,
            authority: Authority::default(),
        }
    }

    fn later(&self) -> Later {
        Later { account: self.account.clone() }
    }

    /// Has the agent register this card, with this code or one that the person types.
    fn ask(
        &self,
        global: &Global,
        choice: &CardChoice,
        code: Option<OneTimeCode>,
    ) -> Result<ipc::Registered, Failure> {
        let (card, key) = match &self.adopt {
            Some(given) => (choice.card, RegisterKey::Adopt { certificate: in_file(global, given)? }),
            None if self.adopt_url => {
                let (card, certificate) = at_the_cards_url(global, choice, &self.authority)?;
                (Some(card), RegisterKey::Adopt { certificate })
            }
            None => (choice.card, RegisterKey::Generate { algorithm: self.algorithm.word().to_owned() }),
        };
        let method = self.alone.method();
        let request =
            Request::Register(ipc::Register { account: self.account.clone(), card, key, code, method });
        match agent::ask(global, &request)?.reply {
            Reply::Registered(registered) => Ok(registered),
            other => Err(agent::unexpected(&other)),
        }
    }
}

/// Nobody wanted a second card now.
#[derive(Serialize)]
struct Later {
    account: AccountName,
}

impl fmt::Display for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "For a second card, whenever you like: countersign register {} --second", self.account)
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    registered: ipc::Registered,
    #[serde(skip)]
    next: Option<String>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registered, next } = self;
        writeln!(f, "Card {} is the key of {} now.", registered.card, registered.account)?;
        recorded(f, registered)?;
        if let Some(code) = &registered.emergency_code {
            writeln!(f, "{}", Paper(code))?;
        }
        if let Some(code) = &registered.recovery_code {
            writeln!(f, "{}", recover::Paper(code))?;
        }
        if let Some(next) = next {
            return writeln!(f, "{next}");
        }
        writeln!(
            f,
            "Next: see whether it opens your login, before anything depends on it:\n  countersign login try"
        )
    }
}

fn recorded(f: &mut fmt::Formatter<'_>, registered: &ipc::Registered) -> fmt::Result {
    writeln!(f, "  certificate {}", registered.certificate.spaced())?;
    writeln!(f, "  key words   {}", registered.key_words)?;
    writeln!(f, "  recorded    entry {} of the ledger", registered.ledger_index)
}

/// Of a second card.
#[derive(Serialize)]
struct ShownSecond {
    #[serde(flatten)]
    registered: ipc::Registered,
    first: Option<CardIdent>,
}

impl fmt::Display for ShownSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registered, first } = self;
        writeln!(f, "Card {} is a key of {}, too.", registered.card, registered.account)?;
        recorded(f, registered)?;
        let first = first.map_or_else(|| "the first card".to_owned(), |first| format!("card {first}"));
        writeln!(
            f,
            "Either opens your logins. Keep one where the other is not. If {first} is lost, an administrator ends it by \
             its number, and this one goes on: write both numbers down."
        )
    }
}
