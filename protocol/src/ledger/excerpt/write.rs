//! Putting pages of what was found together.

use std::collections::BTreeSet;
use std::io::Write;

use super::{ExcerptHeader, ExcerptLine, LedgerExcerpt, ProvenExport};
use crate::binary::Binary;
use crate::ids::Digest;
use crate::ledger::error::LedgerError;
use crate::ledger::filter::EntryFilter;
use crate::ledger::key::LedgerKey;
use crate::message::Version;

/// Writes an excerpt from the pages that the server yields, or from entries of an export.
pub struct ExcerptWriter<W> {
    out: W,
    key: LedgerKey,
    size: u64,
    next: Option<u64>,
    certificates: BTreeSet<Digest>,
    found: u64,
}

impl<W: Write> ExcerptWriter<W> {
    /// Begins an excerpt of the ledger of this checkpoint.
    ///
    /// # Errors
    /// The checkpoint is not good, or `out` fails.
    pub fn begin(
        out: W,
        key: LedgerKey,
        checkpoint: String,
        filter: EntryFilter,
    ) -> Result<Self, LedgerError> {
        let size = key.checkpoint(&checkpoint)?.size();
        let mut writer = Self { out, key, size, next: Some(0), certificates: BTreeSet::new(), found: 0 };
        let ledger_key = writer.key.clone();
        writer.line(&ExcerptLine::Excerpt(Box::new(ExcerptHeader {
            v: Version,
            ledger_key,
            checkpoint,
            size,
            filter,
        })))?;
        Ok(writer)
    }

    /// Begins with the first page that a server yields.
    ///
    /// # Errors
    /// The page has no checkpoint or not a good one, does not begin at 0, or `out` fails.
    pub fn from_page(out: W, filter: EntryFilter, first: &LedgerExcerpt) -> Result<Self, LedgerError> {
        let checkpoint = first
            .checkpoint
            .clone()
            .ok_or_else(|| LedgerError::Pages("the first one has no checkpoint".to_owned()))?;
        let mut writer = Self::begin(out, first.ledger_key.parse()?, checkpoint, filter)?;
        writer.page(first)?;
        Ok(writer)
    }

    /// Where the next page must begin; `None` when everything was looked at.
    #[must_use]
    pub const fn next(&self) -> Option<u64> {
        self.next
    }

    /// Size of the tree that all pages must be about.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Number of entries so far.
    #[must_use]
    pub const fn found(&self) -> u64 {
        self.found
    }

    /// Adds the page that begins at [`next`](Self::next).
    ///
    /// # Errors
    /// It is another page, or of another tree; or `out` fails.
    pub fn page(&mut self, page: &LedgerExcerpt) -> Result<(), LedgerError> {
        if Some(page.from) != self.next || page.next.is_some_and(|next| next <= page.from) {
            let what = format!("a page from entry {} came instead of one from {:?}", page.from, self.next);
            return Err(LedgerError::Pages(what));
        }
        if page.ledger_key != self.key.as_str() || page.size != self.size {
            return Err(LedgerError::Pages("two pages are of different ledgers".to_owned()));
        }
        for certificate in &page.certificates {
            self.certificate(certificate)?;
        }
        for entry in &page.entries {
            self.entry(entry)?;
        }
        self.next = page.next;
        Ok(())
    }

    /// Adds a certificate, once.
    ///
    /// # Errors
    /// `out` fails.
    pub fn certificate(&mut self, certificate: &Binary) -> Result<(), LedgerError> {
        if self.certificates.insert(Digest::of(&certificate.0)) {
            self.line(&ExcerptLine::Certificate(certificate.clone()))?;
        }
        Ok(())
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// `out` fails.
    pub fn entry(&mut self, entry: &ProvenExport) -> Result<(), LedgerError> {
        self.found += 1;
        self.line(&ExcerptLine::Proven(Box::new(entry.clone())))
    }

    /// Ends the excerpt.
    ///
    /// # Errors
    /// `out` fails.
    pub fn finish(mut self) -> Result<W, LedgerError> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn line(&mut self, line: &ExcerptLine) -> Result<(), LedgerError> {
        serde_json::to_writer(&mut self.out, line).map_err(std::io::Error::from)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }
}
