//! A whole ledger in one file, `ledger.jsonl`: one JSON value a line, to be checked by anyone, anywhere.
//!
//! ```text
//! {"header":{"v":1,"ledger_key":"countersign/…","checkpoint":"countersign/…\n42\n…","size":42,"from":0}}
//! {"certificate":"…"}
//! {"entry":{"entry":"…","evidence":{"salt":"…","signed":{"statement":"…","signature":"…"}}}}
//! ```
//!
//! Bytes are base64. A certificate stands before the first entry whose statement it signed.

mod approvals;
mod report;
mod verify;
mod write;

use std::io::{BufRead, Read as _};
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::LedgerError;
use super::key::LedgerKey;
use crate::binary::Binary;
use crate::message::Version;
use crate::message::result::ExportedEntry;

pub use report::{ExportReport, Trust};
pub use verify::verify_export;
pub(super) use verify::{agrees, check_evidence};
pub use write::ExportWriter;

/// One line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ExportLine {
    /// The first line.
    Header(Box<ExportHeader>),
    /// A certificate (OpenPGP, binary) that the entries below name.
    Certificate(Binary),
    /// The next entry.
    Entry(ExportedEntry),
}

/// What an export is an export of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportHeader {
    /// Always 1.
    pub v: Version,
    /// The ledger's key, as the export claims it.
    pub ledger_key: LedgerKey,
    /// The checkpoint over all entries here.
    pub checkpoint: String,
    /// Its size.
    pub size: u64,
    /// Index of the first entry: 0 in a whole export.
    pub from: u64,
}

/// Longest line: a certificate of [`crate::limits::CERTIFICATE`] in base64 is the longest honest one.
const LINE: u64 = 128 * 1024;

/// Reads an export line by line. What comes is syntax and nothing more; only [`verify_export`] says what it is worth.
pub type ExportLines<R> = JsonLines<R, ExportLine>;

/// Reads one JSON value of a line after the other.
pub struct JsonLines<R, L> {
    reader: R,
    buffer: Vec<u8>,
    line: u64,
    of: PhantomData<L>,
}

impl<R: BufRead, L: DeserializeOwned> JsonLines<R, L> {
    /// From the first line on.
    pub const fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), line: 0, of: PhantomData }
    }

    /// The number of the line that came last, from 1.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.line
    }

    /// The next line: `None` at the end, `Some(Err(why))` for one that is no such line.
    ///
    /// # Errors
    /// [`LedgerError::Io`]: reading failed, or a line is too long to go on.
    pub fn next_line(&mut self) -> Result<Option<Result<L, String>>, LedgerError> {
        self.buffer.clear();
        let length = (&mut self.reader).take(LINE + 1).read_until(b'\n', &mut self.buffer)?;
        if length == 0 {
            return Ok(None);
        }
        self.line += 1;
        if !self.buffer.ends_with(b"\n") && u64::try_from(length).unwrap_or(u64::MAX) > LINE {
            let what = format!("line {} is longer than any line of an export", self.line);
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, what).into());
        }
        Ok(Some(serde_json::from_slice(&self.buffer).map_err(|error| error.to_string())))
    }
}
