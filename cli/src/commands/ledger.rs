//! `countersign ledger`: the server's record, taken along and checked anywhere.

mod evidence;
mod excerpt;
mod export;
mod filter;
mod listing;
mod show;
mod verify;

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use std::path::Path;

use clap::Subcommand;
use countersign_protocol::ledger::{
    ExcerptLine, ExcerptReport, ExportLine, ExportReport, JsonLines, LedgerError, ProvenExport, Trust,
    verify_excerpt, verify_export,
};

use serde::de::DeserializeOwned;

use crate::args::Global;
use crate::failure::{Failure, LocalKind};
use crate::output::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Ledger {
    Export(Box<export::Export>),
    Verify(Box<verify::Verify>),
    Show(Box<show::Show>),
    Evidence(evidence::TakeEvidence),
}

impl Ledger {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        match self {
            Self::Export(export) => export.run(global),
            Self::Verify(verify) => verify.run(),
            Self::Show(show) => show.run(global),
            Self::Evidence(evidence) => evidence.run(),
        }
    }
}

/// An export on disk.
struct ExportFile<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> ExportFile<'a> {
    fn open(path: &'a Path) -> Result<Self, Failure> {
        match File::open(path) {
            Ok(file) => Ok(Self { path, file }),
            Err(error) => Err(unreadable(path, &error)),
        }
    }

    /// Checks the whole file.
    fn verify(&mut self, trust: &Trust) -> Result<ExportReport, Failure> {
        verify_export(self.rewound()?, trust).map_err(|error| distrusted(self.path, error))
    }

    /// Whether it holds some entries with their proofs, and not the whole ledger.
    fn is_excerpt(&mut self) -> Result<bool, Failure> {
        let mut begin = Vec::new();
        let path = self.path;
        self.rewound()?.take(64).read_to_end(&mut begin).map_err(|error| unreadable(path, &error))?;
        Ok(begin.starts_with(b"{\"excerpt\""))
    }

    /// Checks each entry of an excerpt.
    fn verify_excerpt(&mut self, trust: &Trust) -> Result<ExcerptReport, Failure> {
        verify_excerpt(self.rewound()?, trust).map_err(|error| distrusted(self.path, error))
    }

    /// Gives each entry of an excerpt that was verified to `take`, with its line's number.
    fn each_proven(
        &mut self,
        mut take: impl FnMut(u64, ProvenExport) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.each(|line, content| match content {
            ExcerptLine::Proven(proven) => take(line, *proven),
            ExcerptLine::Excerpt(_) | ExcerptLine::Certificate(_) => Ok(()),
        })
    }

    /// Gives each line of a whole export that was verified to `take`, with its number.
    fn each_line(&mut self, take: impl FnMut(u64, ExportLine) -> Result<(), Failure>) -> Result<(), Failure> {
        self.each(take)
    }

    fn each<L: DeserializeOwned>(
        &mut self,
        mut take: impl FnMut(u64, L) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let path = self.path;
        let mut lines = JsonLines::<_, L>::new(self.rewound()?);
        while let Some(line) = lines.next_line().map_err(|error| distrusted(path, error))? {
            let number = lines.number();
            let line = line.map_err(|why| changed(path, number, &why))?;
            take(number, line)?;
        }
        Ok(())
    }

    fn rewound(&mut self) -> Result<BufReader<&File>, Failure> {
        self.file.rewind().map_err(|error| unreadable(self.path, &error))?;
        Ok(BufReader::new(&self.file))
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::file(format!("the export {} cannot be read: {error}", path.display()))
        .then("An export is one file, made by `countersign ledger export`.")
}

/// What a failed verification means for whoever asked for it.
fn distrusted(path: &Path, error: LedgerError) -> Failure {
    match error {
        LedgerError::Io(error) => unreadable(path, &error),
        other => Failure::local(LocalKind::LedgerUntrusted, format!("{}: {other}", path.display())).then(
            "Keep this file. Export again: if that one holds, this file was damaged or altered after it was made; \
             if not, the server's history was.",
        ),
    }
}

/// A file that was one thing while it was verified and is another now.
fn changed(path: &Path, line: u64, why: &str) -> Failure {
    let message = format!("{} changed while it was read; line {line}: {why}", path.display());
    Failure::local(LocalKind::LedgerUntrusted, message).then("Copy it to a folder of your own first.")
}
