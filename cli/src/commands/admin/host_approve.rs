//! `countersign admin host approve`: let a pending host work.

use std::fmt;

use clap::Args;
use countersign_protocol::message::result::InstanceApproved;
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::{Job, Recorded};
use crate::output::Report;

/// Let a pending host work, named by the key words that it shows itself.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// The six key words, as one argument with dashes or as six.
    ///
    /// Have them read to you by somebody who stands at the host: its name proves nothing.
    #[arg(value_name = "KEY-WORDS", required = true)]
    key_words: Vec<String>,

    #[command(flatten)]
    card: CardChoice,
}

/// How many words name a host.
const WORDS: usize = 6;

impl Approve {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let words = self.words()?;
        let done = Job::new("approve", "instance", &words, &self.card)?.run(global)?;
        Report::of(&Shown { key_words: words, approved: done.result, recorded: done.recorded })
    }

    /// As the server spells them: lower case, with dashes between.
    fn words(&self) -> Result<String, Failure> {
        let joined = self.key_words.join("-").to_lowercase();
        let words: Vec<&str> =
            joined.split(|c: char| c == '-' || c.is_whitespace()).filter(|word| !word.is_empty()).collect();
        if words.len() != WORDS || !words.iter().all(|word| word.chars().all(|c| c.is_ascii_lowercase())) {
            return Err(Failure::usage(format!("a host is named by {WORDS} words, this is: {joined}"))
                .then("`countersign status` on that host shows them."));
        }
        Ok(words.join("-"))
    }
}

#[derive(Serialize)]
struct Shown {
    key_words: String,
    #[serde(flatten)]
    approved: InstanceApproved,
    #[serde(flatten)]
    recorded: Recorded,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The host {} may work now.", self.key_words)?;
        writeln!(f, "  instance    {}", self.approved.instance.spaced())?;
        writeln!(f, "  calls itself {} (claimed, not proven)", self.approved.claimed_hostname)?;
        writeln!(f, "  recorded    entry {} of the ledger", self.recorded.ledger_index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(given: &[&str]) -> Result<String, Failure> {
        let key_words = given.iter().map(|word| (*word).to_owned()).collect();
        Approve { key_words, card: CardChoice { card: None } }.words()
    }

    #[test]
    fn key_words_are_taken_as_people_type_them() {
        for given in [
            &["abandon-ability-able-about-above-absent"][..],
            &["abandon", "ability", "able", "about", "above", "absent"],
            &["Abandon Ability able about above absent "],
        ] {
            assert_eq!(words(given).unwrap(), "abandon-ability-able-about-above-absent");
        }
    }

    #[test]
    fn a_host_name_is_not_taken_for_key_words() {
        for given in [&["web1.example.org"][..], &["web-1-a-b-c-d"], &["one-two-three-four-five"]] {
            assert!(words(given).is_err(), "{given:?}");
        }
    }
}
