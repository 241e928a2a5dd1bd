//! `countersign ledger export`: the whole ledger in one file, or some of it with proofs.

use std::fmt;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use countersign_protocol::ipc::{Conversation as _, NoteKind};
use countersign_protocol::ledger::{EntryFilter, ExportWriter, LedgerError, Trust};
use countersign_protocol::message::result::{LedgerPage, LedgerRange};
use serde::Serialize;

use super::filter::Filter;
use super::verify::{Holds, Proves};
use super::{ExportFile, distrusted, excerpt};
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::files::Reserved;
use crate::job::Job;
use crate::output::Report;
use crate::terminal::Terminal;

/// Write the ledger to a file, one JSON value a line, and verify it: the whole, or some entries with their proofs.
///
/// The ledger comes in pages, each a request of its own that your card signs: a long ledger asks for the PIN
/// more than once. Reading is itself recorded. Some entries prove each of themselves, by the ledger's signed
/// checkpoint; that none is missing only the whole ledger proves.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Where to write it: a new file.
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// Take the entries out of this whole export; needs no card, no server and no network.
    #[arg(long, value_name = "EXPORT", value_hint = ValueHint::FilePath)]
    of: Option<PathBuf>,

    #[command(flatten)]
    card: CardChoice,

    #[command(flatten)]
    filter: Filter,
}

impl Export {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let filter = self.filter.entries();
        if filter.wants_all() && self.of.is_none() { self.whole(global) } else { self.some(global, &filter) }
    }

    fn whole(&self, global: &Global) -> Result<Report, Failure> {
        let file = Reserved::private(&self.file, "the export")?;
        let first = self.page(global, 0)?;
        let size = first.size;
        let mut writer =
            ExportWriter::begin(BufWriter::new(file), &first).map_err(|error| self.unwritten(error))?;
        while let Some(next) = writer.next() {
            announce(global, next, size);
            let page = self.page(global, next)?;
            writer.add(&page).map_err(|error| self.unwritten(error))?;
        }
        self.keep(writer.finish().map_err(|error| self.unwritten(error))?)?;
        // What does not hold stays on disk: it is evidence.
        let report = ExportFile::open(&self.file)?.verify(&Trust::default())?;
        Report::of(&Shown { file: &self.file, holds: Holds::from(report) })
    }

    fn some(&self, global: &Global, filter: &EntryFilter) -> Result<Report, Failure> {
        let out = BufWriter::new(Reserved::private(&self.file, "the export")?);
        let failed = |error| self.unwritten(error);
        let out = match &self.of {
            Some(whole) => excerpt::from_export(whole, filter, out, failed)?,
            None => excerpt::from_server(global, &self.card, filter, out, failed)?,
        };
        self.keep(out)?;
        let report = ExportFile::open(&self.file)?.verify_excerpt(&Trust::default())?;
        Report::of(&Shown { file: &self.file, holds: Proves::from(report) })
    }

    fn keep(&self, written: BufWriter<Reserved<'_>>) -> Result<(), Failure> {
        written.into_inner().map_err(|error| self.unwritten(error.into_error().into()))?.keep()
    }

    fn page(&self, global: &Global, from: u64) -> Result<LedgerPage, Failure> {
        let done =
            Job::new("read", "ledger", "entries", &self.card)?.with(&LedgerRange { from })?.run(global)?;
        Ok(done.result)
    }

    fn unwritten(&self, error: LedgerError) -> Failure {
        match error {
            LedgerError::Io(error) => {
                Failure::file(format!("the export {} cannot be written: {error}", self.file.display()))
                    .then("Mend this and export again.")
            }
            other => distrusted(&self.file, other),
        }
    }
}

/// Why the PIN is asked once more.
fn announce(global: &Global, next: u64, size: u64) {
    let note = format!(
        "{next} of {size} entries are here. The next page is another request: it takes the PIN again."
    );
    Terminal::new(global.answers_from_stdin).note(NoteKind::Info, &note);
}

#[derive(Serialize)]
struct Shown<'a, H> {
    file: &'a Path,
    #[serde(flatten)]
    holds: H,
}

impl<H: fmt::Display> fmt::Display for Shown<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The ledger is in {}.", self.file.display())?;
        write!(f, "{}", self.holds)?;
        writeln!(f, "Next: read it with\n  countersign ledger show {}", self.file.display())
    }
}
