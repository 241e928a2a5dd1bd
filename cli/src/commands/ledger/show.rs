//! `countersign ledger show`: an export as a person reads it.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use countersign_protocol::ledger::{Entry, ExportLine, Trust};
use serde::Serialize;

use super::listing::Listed;
use super::{ExportFile, changed};
use crate::failure::Failure;
use crate::output::Report;

/// List the entries of an export, after checking that it holds.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The export.
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// Only what was asked by or is about this account.
    #[arg(long, value_name = "NAME")]
    account: Option<countersign_protocol::ids::AccountName>,

    /// Only the last entries, this many.
    #[arg(long, value_name = "NUMBER")]
    last: Option<usize>,
}

impl Show {
    pub(crate) fn run(&self) -> Result<Report, Failure> {
        let mut file = ExportFile::open(&self.file)?;
        let report = file.verify(&Trust::default())?;
        let mut entries = Vec::new();
        let mut index = 0;
        file.each_line(|line, content| {
            if let ExportLine::Entry(exported) = content {
                let entry = Entry::from_bytes(&exported.entry.0)
                    .map_err(|error| changed(&self.file, line, &error.to_string()))?;
                let wanted = self.account.is_none() || self.account == entry.account;
                if wanted {
                    entries.push(Listed::new(index, entry, exported.evidence.as_ref()));
                }
                index += 1;
            }
            Ok(())
        })?;
        let surplus = self.last.map_or(0, |last| entries.len().saturating_sub(last));
        entries.drain(..surplus);
        Report::of(&Shown { size: report.size, entries })
    }
}

#[derive(Serialize)]
struct Shown {
    size: u64,
    entries: Vec<Listed>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            write!(f, "{entry}")?;
        }
        writeln!(f, "{} of {} entries. The export holds.", self.entries.len(), self.size)
    }
}
