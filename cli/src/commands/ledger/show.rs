//! `countersign ledger show`: entries as a person reads them.

use std::fmt;
use std::io::Cursor;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use countersign_protocol::ledger::{
    Entry, EntryFilter, ExcerptLine, ExportLine, JsonLines, LedgerError, Trust, verify_excerpt,
};
use countersign_protocol::message::result::ExportedEntry;
use serde::Serialize;

use super::filter::Filter;
use super::listing::Listed;
use super::{ExportFile, changed, excerpt};
use crate::args::{CardChoice, Global};
use crate::failure::{Failure, LocalKind};
use crate::output::Report;

/// List entries: of an export, after checking that it holds, or of the server's ledger.
///
/// Without a file the server is asked, by a request that your card signs, and each entry that comes is checked
/// against the ledger's signed checkpoint.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The export.
    #[arg(value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,

    /// Only the last entries, this many.
    #[arg(long, value_name = "NUMBER")]
    last: Option<usize>,

    /// One JSON value a line for each entry, for other programs.
    #[arg(long)]
    json_lines: bool,

    #[command(flatten)]
    card: CardChoice,

    #[command(flatten)]
    filter: Filter,
}

impl Show {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let filter = self.filter.entries();
        let mut shown = match &self.file {
            Some(path) => of_file(ExportFile::open(path)?, &filter)?,
            None => self.of_server(global, &filter)?,
        };
        let surplus = self.last.map_or(0, |last| shown.entries.len().saturating_sub(last));
        shown.entries.drain(..surplus);
        if self.json_lines { Report::of(&Lines(shown.entries)) } else { Report::of(&shown) }
    }

    fn of_server(&self, global: &Global, filter: &EntryFilter) -> Result<Shown, Failure> {
        let failed = |error: LedgerError| {
            Failure::local(LocalKind::LedgerUntrusted, format!("what the server sent: {error}"))
                .then("Ask again. If it stays like this, tell an administrator.")
        };
        let came = excerpt::from_server(global, &self.card, filter, Vec::new(), failed)?;
        let report = verify_excerpt(came.as_slice(), &Trust::default()).map_err(failed)?;
        let mut lines = JsonLines::<_, ExcerptLine>::new(Cursor::new(came));
        let mut entries = Vec::new();
        while let Some(line) = lines.next_line().map_err(failed)? {
            if let Ok(ExcerptLine::Proven(proven)) = line {
                let entry = Entry::from_bytes(&proven.entry.entry.0).map_err(failed)?;
                entries.push(Listed::new(proven.index, entry, proven.entry.evidence.as_ref()));
            }
        }
        Ok(Shown { size: report.size, whole: false, entries })
    }
}

fn of_file(mut file: ExportFile<'_>, filter: &EntryFilter) -> Result<Shown, Failure> {
    let path = file.path;
    let mut entries = Vec::new();
    let mut list = |line: u64, index: u64, exported: &ExportedEntry| {
        let entry =
            Entry::from_bytes(&exported.entry.0).map_err(|error| changed(path, line, &error.to_string()))?;
        if filter.wants(&entry) {
            entries.push(Listed::new(index, entry, exported.evidence.as_ref()));
        }
        Ok(())
    };
    if file.is_excerpt()? {
        let size = file.verify_excerpt(&Trust::default())?.size;
        file.each_proven(|line, proven| list(line, proven.index, &proven.entry))?;
        return Ok(Shown { size, whole: false, entries });
    }
    let size = file.verify(&Trust::default())?.size;
    let mut index = 0;
    file.each_line(|line, content| {
        if let ExportLine::Entry(exported) = content {
            list(line, index, &exported)?;
            index += 1;
        }
        Ok(())
    })?;
    Ok(Shown { size, whole: true, entries })
}

#[derive(Serialize)]
struct Shown {
    size: u64,
    /// Whether all of the ledger was there to be checked.
    whole: bool,
    entries: Vec<Listed>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            write!(f, "{entry}")?;
        }
        let here = self.entries.len();
        match self.whole {
            true => writeln!(f, "{here} of {} entries. The export holds.", self.size),
            false => writeln!(
                f,
                "{here} of {} entries. Each of them stands in the ledger; whether others were left out only the whole \
                 ledger shows.",
                self.size
            ),
        }
    }
}

/// One JSON value a line, of plain letters alone.
#[derive(Serialize)]
#[serde(transparent)]
struct Lines(Vec<Listed>);

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.0 {
            let json = serde_json::to_string(entry).map_err(|_| fmt::Error)?;
            for c in json.chars() {
                let mut units = [0; 2];
                match c.is_ascii() && c != '\u{7f}' {
                    true => write!(f, "{c}")?,
                    // What could reorder a line or command a terminal stays a number.
                    false => {
                        c.encode_utf16(&mut units).iter().try_for_each(|unit| write!(f, "\\u{unit:04x}"))?
                    }
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
