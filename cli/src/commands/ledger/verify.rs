//! `countersign ledger verify`: does an export hold? Needs no agent, no server, no network.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{EntryFilter, ExcerptReport, ExportReport, LedgerKey, Trust};
use serde::Serialize;

use super::ExportFile;
use crate::failure::Failure;
use crate::output::Report;

/// Check a whole export: that nothing in it was changed, left out or reordered, and every signature.
///
/// Of some entries each is checked by its own proof. Needs no agent, no server and no network.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The export.
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// The ledger's key, as you know it from elsewhere: the whole line, from `countersign/` on.
    #[arg(long, value_name = "KEY")]
    key: Option<LedgerKey>,

    /// An earlier export that this one must continue.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    continues: Option<PathBuf>,
}

impl Verify {
    pub(crate) fn run(&self) -> Result<Report, Failure> {
        let mut trust = Trust { key: self.key.clone(), seen: None };
        if let Some(path) = &self.continues {
            let earlier = ExportFile::open(path)?.verify(&trust)?;
            trust.key = Some(earlier.ledger_key);
            trust.seen = Some((earlier.size, earlier.root));
        }
        let mut file = ExportFile::open(&self.file)?;
        if file.is_excerpt()? {
            if self.continues.is_some() {
                return Err(Failure::usage("some entries of a ledger continue nothing")
                    .then("Compare two whole exports."));
            }
            return Report::of(&Proves::from(file.verify_excerpt(&trust)?));
        }
        let report = file.verify(&trust)?;
        let mut holds = Holds::from(report);
        holds.key_was_known = self.key.is_some();
        holds.continues = trust.seen.map(|(size, _)| size);
        Report::of(&holds)
    }
}

/// What an export proved.
#[derive(Serialize)]
pub(super) struct Holds {
    pub(super) holds: bool,
    pub(super) entries: u64,
    pub(super) root: Digest,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    pub(super) statements: u64,
    pub(super) unattributed: u64,
    pub(super) erased: u64,
    /// Requests that others had to approve, and whose signatures are there.
    #[serde(skip_serializing_if = "is_none")]
    pub(super) approved: u64,
    pub(super) ledger_key: LedgerKey,
    pub(super) key_was_known: bool,
    /// Number of entries of the earlier export that this one continues.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) continues: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

impl From<ExportReport> for Holds {
    fn from(report: ExportReport) -> Self {
        Self {
            holds: true,
            entries: report.size,
            root: report.root,
            first: report.span.map(|(first, _)| first),
            last: report.span.map(|(_, last)| last),
            statements: report.statements,
            unattributed: report.unattributed,
            erased: report.erased,
            approved: report.approved,
            ledger_key: report.ledger_key,
            key_was_known: report.key_was_known,
            continues: None,
        }
    }
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The ledger holds: nothing in it was changed, left out or reordered.")?;
        write!(f, "  entries     {}", self.entries)?;
        if let (Some(first), Some(last)) = (self.first, self.last) {
            write!(f, ", from {first} to {last}")?;
        }
        writeln!(f, "\n  statements  {} signed by people's cards, every signature good", self.statements)?;
        if self.unattributed > 0 {
            writeln!(f, "  claimed     {} statements that no key was accepted for", self.unattributed)?;
        }
        if self.erased > 0 {
            writeln!(f, "  erased      {} statements, their entries intact", self.erased)?;
        }
        if self.approved > 0 {
            writeln!(
                f,
                "  approved    {} requests by other people, each with their signatures for exactly it",
                self.approved
            )?;
        }
        if let Some(size) = self.continues {
            writeln!(f, "  continues   the earlier export of {size} entries")?;
        }
        writeln!(f, "  root        {}", self.root)?;
        writeln!(f, "  ledger key  {}", self.ledger_key)?;
        if self.key_was_known {
            return Ok(());
        }
        writeln!(
            f,
            "The key stands in the export itself. Compare it with what you know of your server, or give it with --key."
        )
    }
}

/// What an excerpt proved.
#[derive(Serialize)]
pub(super) struct Proves {
    /// `false`: that all which are wanted are here is not proven.
    complete: bool,
    proven: u64,
    entries: u64,
    filter: EntryFilter,
    root: Digest,
    statements: u64,
    erased: u64,
    ledger_key: LedgerKey,
    key_was_known: bool,
}

impl From<ExcerptReport> for Proves {
    fn from(report: ExcerptReport) -> Self {
        Self {
            complete: false,
            proven: report.proven,
            entries: report.size,
            filter: report.filter,
            root: report.root,
            statements: report.statements,
            erased: report.erased,
            ledger_key: report.ledger_key,
            key_was_known: report.key_was_known,
        }
    }
}

impl fmt::Display for Proves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Each entry here stands in the ledger, unchanged and at its place.")?;
        writeln!(f, "  entries     {} of {}", self.proven, self.entries)?;
        writeln!(f, "  asked for   {}", self.filter)?;
        writeln!(
            f,
            "  statements  {}, every signature good by the certificate that its entry names",
            self.statements
        )?;
        if self.erased > 0 {
            writeln!(f, "  erased      {} statements, their entries intact", self.erased)?;
        }
        writeln!(f, "  root        {}", self.root)?;
        writeln!(f, "  ledger key  {}", self.ledger_key)?;
        writeln!(
            f,
            "That no entry is missing, and whose the certificates were, is not proven: only the whole ledger shows that."
        )?;
        if self.key_was_known {
            return Ok(());
        }
        writeln!(
            f,
            "The key stands in the file itself. Compare it with what you know of your server, or give it with --key."
        )
    }
}
