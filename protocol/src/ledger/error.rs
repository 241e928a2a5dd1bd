//! What can be wrong with a log.

use crate::ids::InvalidId;

/// A receipt, a checkpoint or an export does not prove what it should.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Not a ledger key.
    #[error("not a ledger key of a Countersign server: {0}. Copy the whole line, from `countersign/` on")]
    Key(String),
    /// The name inside the key is not a server's.
    #[error("the ledger key names no server: {0}")]
    KeyName(InvalidId),
    /// Not an entry.
    #[error("not a ledger entry: {0}")]
    Entry(String),
    /// Not a checkpoint that this key signed.
    #[error("the checkpoint is not one of this ledger: {0}")]
    Checkpoint(String),
    /// The audit path does not lead to the root.
    #[error("entry {index} is not in the ledger that the checkpoint of size {size} describes")]
    NotIncluded {
        /// The place the receipt claims.
        index: u64,
        /// The checkpoint's size.
        size: u64,
    },
    /// A good receipt, for something else.
    #[error("the receipt belongs to another request: {0}")]
    AnotherRequest(&'static str),
    /// The log became shorter.
    #[error(
        "the ledger shrank from {seen} to {now} entries: the server was rolled back or its history was rewritten; tell an administrator before trusting it"
    )]
    RolledBack {
        /// Size seen before.
        seen: u64,
        /// Size offered now.
        now: u64,
    },
    /// The log does not continue the one seen before.
    #[error(
        "the ledger of size {now} does not continue the one of size {seen} seen before: its history was rewritten; tell an administrator before trusting it"
    )]
    Rewritten {
        /// Size seen before.
        seen: u64,
        /// Size offered now.
        now: u64,
    },
    /// An export does not hold.
    #[error("{}", listed(problems, *more))]
    Export {
        /// What is wrong, in the order of the lines.
        problems: Vec<LineProblem>,
        /// How many problems were not listed.
        more: u64,
    },
    /// Reading or writing an export failed.
    #[error("the export could not be read or written: {0}")]
    Io(#[from] std::io::Error),
    /// Pages of a ledger do not fit together.
    #[error("the pages of the ledger do not fit together: {0}; start the export again")]
    Pages(String),
}

/// One thing wrong with an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineProblem {
    /// The line, counted from 1.
    pub line: u64,
    /// What it means, in words.
    pub what: String,
}

fn listed(problems: &[LineProblem], more: u64) -> String {
    let mut text = "the export does not hold:".to_owned();
    for LineProblem { line, what } in problems {
        text.push_str(&format!("\n  line {line}: {what}"));
    }
    if more > 0 {
        text.push_str(&format!("\n  and {more} more"));
    }
    text
}
