//! Telling what a request changed.

use std::fmt;

use serde::Serialize;

use crate::failure::Failure;
use crate::job::{Done, Recorded};
use crate::output::Report;

/// What a person reads of a change, beside where it is recorded.
pub(crate) struct Words {
    /// What is so now.
    pub(crate) said: String,
    /// More of whom it is about: a label and a text.
    pub(crate) more: Option<(&'static str, String)>,
    /// What can be done next.
    pub(crate) next: Option<String>,
}

/// The report of a change: what `words` make of it, or the fields of the result and of its record, side by side.
///
/// # Errors
/// It cannot be written as JSON.
pub(crate) fn report<T: Serialize>(done: Done<T>, words: fn(&T) -> Words) -> Result<Report, Failure> {
    Report::of(&Change { words: words(&done.result), changed: done.result, recorded: done.recorded })
}

#[derive(Serialize)]
struct Change<T> {
    #[serde(flatten)]
    changed: T,
    #[serde(flatten)]
    recorded: Recorded,
    #[serde(skip)]
    words: Words,
}

impl<T> fmt::Display for Change<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Words { said, more, next } = &self.words;
        writeln!(f, "{said}")?;
        if let Some((label, text)) = more {
            writeln!(f, "  {label} {text}")?;
        }
        writeln!(f, "  recorded    entry {} of the ledger", self.recorded.ledger_index)?;
        next.iter().try_for_each(|next| writeln!(f, "{next}"))
    }
}
