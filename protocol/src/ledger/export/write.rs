//! Putting pages of a ledger together.

use std::collections::BTreeSet;
use std::io::Write;

use super::{ExportHeader, ExportLine};
use crate::ids::Digest;
use crate::ledger::error::LedgerError;
use crate::ledger::key::LedgerKey;
use crate::message::Version;
use crate::message::result::LedgerPage;

/// Writes an export from the pages that `read` on `ledger/entries` yields.
///
/// Reading is itself recorded, so a ledger is always longer after a page than before it. The export is of the
/// ledger as it was at the first page; what the following pages hold beyond that is left out.
pub struct ExportWriter<W> {
    out: W,
    key: LedgerKey,
    size: u64,
    next: u64,
    certificates: BTreeSet<Digest>,
}

impl<W: Write> ExportWriter<W> {
    /// Begins with the page from entry 0.
    ///
    /// # Errors
    /// The page's key or checkpoint is not good, the page does not begin at 0, or `out` fails.
    pub fn begin(out: W, first: &LedgerPage) -> Result<Self, LedgerError> {
        let key: LedgerKey = first.ledger_key.parse()?;
        let size = key.checkpoint(&first.checkpoint)?.size();
        let mut writer = Self { out, key, size, next: 0, certificates: BTreeSet::new() };
        writer.line(&ExportLine::Header(Box::new(ExportHeader {
            v: Version,
            ledger_key: writer.key.clone(),
            checkpoint: first.checkpoint.clone(),
            size,
            from: 0,
        })))?;
        writer.add(first)?;
        Ok(writer)
    }

    /// Where the next page must begin; `None` when everything is there.
    #[must_use]
    pub const fn next(&self) -> Option<u64> {
        if self.next < self.size { Some(self.next) } else { None }
    }

    /// Adds the page that begins at [`next`](Self::next).
    ///
    /// # Errors
    /// It is another page, an empty one, or of another ledger; or `out` fails.
    pub fn add(&mut self, page: &LedgerPage) -> Result<(), LedgerError> {
        if page.from != self.next {
            let what = format!("a page from entry {} came instead of one from {}", page.from, self.next);
            return Err(LedgerError::Pages(what));
        }
        if page.ledger_key != self.key.as_str() {
            return Err(LedgerError::Pages("the ledger's key changed between two pages".to_owned()));
        }
        if page.entries.is_empty() {
            return Err(LedgerError::Pages(format!("the page from entry {} is empty", page.from)));
        }
        for certificate in &page.certificates {
            if self.certificates.insert(Digest::of(&certificate.0)) {
                self.line(&ExportLine::Certificate(certificate.clone()))?;
            }
        }
        for entry in &page.entries {
            if self.next < self.size {
                self.line(&ExportLine::Entry(entry.clone()))?;
                self.next += 1;
            }
        }
        Ok(())
    }

    /// Ends the export.
    ///
    /// # Errors
    /// Pages are missing, or `out` fails.
    pub fn finish(mut self) -> Result<W, LedgerError> {
        if let Some(next) = self.next() {
            let what = format!("the entries from {next} to {} are missing", self.size - 1);
            return Err(LedgerError::Pages(what));
        }
        self.out.flush()?;
        Ok(self.out)
    }

    fn line(&mut self, line: &ExportLine) -> Result<(), LedgerError> {
        serde_json::to_writer(&mut self.out, line).map_err(std::io::Error::from)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }
}
