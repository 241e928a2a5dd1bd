//! `countersign ledger export`: the whole ledger in one file.

use std::fmt;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use countersign_protocol::ipc::{Conversation as _, NoteKind};
use countersign_protocol::ledger::{ExportWriter, LedgerError, Trust};
use countersign_protocol::message::result::{LedgerPage, LedgerRange};
use serde::Serialize;

use super::verify::Holds;
use super::{ExportFile, distrusted};
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::files::Reserved;
use crate::job::Job;
use crate::output::Report;
use crate::terminal::Terminal;

/// Write the whole ledger to a file, and verify it.
///
/// The ledger comes in pages, each a request of its own that your card signs: a long ledger asks for the PIN
/// more than once. Reading is itself recorded.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Where to write it: a new file.
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,

    #[command(flatten)]
    card: CardChoice,
}

impl Export {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
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
        let file = writer.finish().map_err(|error| self.unwritten(error))?;
        let file = file.into_inner().map_err(|error| self.unwritten(error.into_error().into()))?;
        file.keep()?;
        // What does not hold stays on disk: it is evidence.
        let report = ExportFile::open(&self.file)?.verify(&Trust::default())?;
        Report::of(&Shown { file: &self.file, holds: report.into() })
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
struct Shown<'a> {
    file: &'a Path,
    #[serde(flatten)]
    holds: Holds,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The ledger is in {}.", self.file.display())?;
        write!(f, "{}", self.holds)?;
        writeln!(f, "Next: read it with\n  countersign ledger show {}", self.file.display())
    }
}
