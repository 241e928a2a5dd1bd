//! `countersign card adopt`: would this certificate be accepted for this card?

use std::fmt;

use clap::{Args, ValueHint};
use countersign_protocol::ipc::{CardCheck, CardChecked, Reply, Request};
use serde::Serialize;

use crate::agent;
use crate::args::{CardChoice, Global};
use crate::certificate_source::{Authority, at_the_cards_url, in_file};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::given::Given;
use crate::output::{Report, Tone};

/// See whether a card's keys can be used with a certificate made elsewhere, and what to do if not.
///
/// Nothing is changed on the card, and no PIN is asked. To make them the key of an account:
/// countersign register ACCOUNT --adopt FILE, or --adopt-url.
#[derive(Debug, Args)]
pub(crate) struct Adopt {
    /// The certificate (`gpg --export`); - is standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "url")]
    file: Option<Given>,

    /// Fetch it from the address that the card names.
    #[arg(long, conflicts_with = "file")]
    url: bool,

    #[command(flatten)]
    authority: Authority,

    #[command(flatten)]
    card: CardChoice,
}

impl Adopt {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let (card, certificate) = match &self.file {
            Some(given) => (self.card.card, in_file(global, given)?),
            None => {
                let (card, certificate) = at_the_cards_url(global, &self.card, &self.authority)?;
                (Some(card), certificate)
            }
        };
        match agent::ask(global, &Request::CardCheck(CardCheck { card, certificate }))?.reply {
            Reply::CardChecked(checked) => {
                let accepted = checked.accepted;
                let report = Report::of(&Shown(checked))?;
                Ok(if accepted { report } else { report.ending(Exit::Card, Tone::Attention) })
            }
            other => Err(agent::unexpected(&other)),
        }
    }
}

#[derive(Serialize)]
struct Shown(CardChecked);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(checked) = self;
        let verdict = if checked.accepted { "fits" } else { "does not fit" };
        writeln!(f, "The certificate {} {verdict} the card {}.", checked.certificate.spaced(), checked.card)?;
        for finding in &checked.findings {
            let mark = match (finding.refuses, &finding.fix) {
                (true, _) => "no:",
                (false, Some(_)) => "note:",
                (false, None) => "yes:",
            };
            writeln!(f, "  {mark:<5} {}", finding.text)?;
            if let Some(fix) = &finding.fix {
                writeln!(f, "        {fix}")?;
            }
        }
        if checked.accepted {
            writeln!(f, "Next: make it the key of an account\n  countersign register ACCOUNT --adopt FILE")?;
        }
        Ok(())
    }
}
