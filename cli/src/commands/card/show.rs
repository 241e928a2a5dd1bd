//! `countersign card show`: everything about one card.

use std::fmt;

use clap::Args;
use countersign_protocol::ipc::{CardDetails, CardKey, CardShow, Reply, Request};
use serde::Serialize;

use crate::agent;
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::output::Report;

/// Show everything about a card that can be read without a PIN.
///
/// No PIN is asked, and none is tried. Root may name this host's own card, too.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    card: CardChoice,
}

impl Show {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        Report::of(&Shown(details(global, &self.card)?))
    }
}

/// Asks the agent about a card.
pub(super) fn details(global: &Global, card: &CardChoice) -> Result<CardDetails, Failure> {
    let request = Request::CardShow(CardShow { card: card.card });
    match agent::ask(global, &request)?.reply {
        Reply::CardDetails(details) => Ok(details),
        other => Err(agent::unexpected(&other)),
    }
}

#[derive(Serialize)]
struct Shown(CardDetails);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(card) = self;
        writeln!(f, "{}{}", card.name, if card.role == "host" { ", this host's own card" } else { "" })?;
        writeln!(f, "  number      {}", card.card)?;
        writeln!(f, "  reader      {}", card.reader)?;
        write!(f, "  maker       {}, OpenPGP card {}", card.maker, card.specification)?;
        match &card.firmware {
            Some(version) => writeln!(f, ", firmware {version}")?,
            None => writeln!(f)?,
        }
        if let Some(name) = &card.cardholder {
            writeln!(f, "  holder      {name}")?;
        }
        if let Some(url) = &card.url {
            writeln!(f, "  certificate {url}")?;
        }
        let names: Vec<&str> = card.accounts.iter().map(|account| account.as_str()).collect();
        writeln!(
            f,
            "  opens here  {}",
            if names.is_empty() { "no account".to_owned() } else { names.join(", ") }
        )?;
        writeln!(f, "Keys")?;
        for key in &card.keys {
            write_key(f, key)?;
        }
        if let Some(count) = card.signatures {
            writeln!(f, "  signatures made so far: {count}")?;
        }
        writeln!(f, "PINs")?;
        let tries = card.tries;
        writeln!(
            f,
            "  tries left  PIN {}, admin PIN {}{}",
            tries.user,
            tries.admin,
            reset_code(tries.reset_code)
        )?;
        writeln!(f, "  asked       {}", asked(card.pin_for_each_signature))?;
        writeln!(f, "  sent as     {}", if card.hashed_pins { "hashes (KDF)" } else { "typed" })?;
        if !card.warnings.is_empty() {
            writeln!(f, "Warnings")?;
        }
        for warning in &card.warnings {
            writeln!(f, "  {warning}")?;
        }
        Ok(())
    }
}

fn reset_code(tries: u8) -> String {
    if tries == 0 { "; no resetting code".to_owned() } else { format!(", resetting code {tries}") }
}

const fn asked(for_each: bool) -> &'static str {
    if for_each { "for each signature" } else { "once, until the card is pulled or reset" }
}

fn write_key(f: &mut fmt::Formatter<'_>, key: &CardKey) -> fmt::Result {
    let slot = key.slot.to_string();
    let Some(fingerprint) = &key.fingerprint else {
        return writeln!(f, "  {slot:<14} none");
    };
    writeln!(f, "  {slot:<14} {}", fingerprint.spaced())?;
    write!(f, "  {:<14} {}", "", key.algorithm)?;
    if let Some(created) = key.created {
        write!(f, ", of {created}")?;
    }
    match key.made_on_card {
        Some(true) => write!(f, ", made on the card")?,
        Some(false) => write!(f, ", brought to the card")?,
        None => {}
    }
    match key.touch {
        Some(policy) => writeln!(f, ", touch {policy}"),
        None => writeln!(f),
    }
}
