//! Some entries with their proofs: from the server, page by page, or out of a whole export.

use std::io::Write;
use std::path::Path;

use countersign_protocol::ipc::{Conversation as _, NoteKind};
use countersign_protocol::ledger::{Entry, LedgerKey};
use countersign_protocol::ledger::{
    EntryFilter, ExcerptWriter, ExportHashes, ExportLine, LedgerError, LedgerExcerpt, LedgerSearch,
    ProvenExport, Trust,
};

use super::{ExportFile, changed, distrusted};
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::terminal::Terminal;

/// Asks the server for the entries that are wanted, and writes them with their proofs.
pub(super) fn from_server<W: Write>(
    global: &Global,
    card: &CardChoice,
    filter: &EntryFilter,
    out: W,
    failed: impl Fn(LedgerError) -> Failure,
) -> Result<W, Failure> {
    let first = page(global, card, filter, 0, None)?;
    let mut writer = ExcerptWriter::from_page(out, filter.clone(), &first).map_err(&failed)?;
    while let Some(next) = writer.next() {
        let note = format!(
            "{next} of {} entries were looked at, {} found. The next page is another request: it takes the PIN again.",
            writer.size(),
            writer.found()
        );
        Terminal::new(global.answers_from_stdin).note(NoteKind::Info, &note);
        let page = page(global, card, filter, next, Some(writer.size()))?;
        writer.page(&page).map_err(&failed)?;
    }
    writer.finish().map_err(&failed)
}

fn page(
    global: &Global,
    card: &CardChoice,
    filter: &EntryFilter,
    from: u64,
    size: Option<u64>,
) -> Result<LedgerExcerpt, Failure> {
    let search = LedgerSearch { from, filter: filter.clone(), size };
    Ok(Job::new("read", "ledger", "entries", card)?.with(&search)?.run(global)?.result)
}

/// Takes the entries that are wanted out of a whole export, after checking that it holds.
pub(super) fn from_export<W: Write>(
    path: &Path,
    filter: &EntryFilter,
    out: W,
    failed: impl Fn(LedgerError) -> Failure,
) -> Result<W, Failure> {
    let mut file = ExportFile::open(path)?;
    let _holds = file.verify(&Trust::default())?;
    let (mut hashes, mut head) = (ExportHashes::default(), None);
    file.each_line(|_, content| {
        match content {
            ExportLine::Header(header) => head = Some((header.ledger_key, header.checkpoint)),
            ExportLine::Entry(exported) => {
                hashes.push(&exported.entry.0).map_err(|error| distrusted(path, error))?;
            }
            ExportLine::Certificate(_) => {}
        }
        Ok(())
    })?;
    let (key, checkpoint): (LedgerKey, String) =
        head.ok_or_else(|| changed(path, 1, "its header is gone"))?;
    let mut writer = ExcerptWriter::begin(out, key, checkpoint, filter.clone()).map_err(&failed)?;
    let mut index = 0;
    file.each_line(|line, content| {
        match content {
            ExportLine::Header(_) => {}
            // All of them: whose they are is known only later, and they are small.
            ExportLine::Certificate(bytes) => writer.certificate(&bytes).map_err(&failed)?,
            ExportLine::Entry(exported) => {
                let entry = Entry::from_bytes(&exported.entry.0)
                    .map_err(|error| changed(path, line, &error.to_string()))?;
                if filter.wants(&entry) {
                    let proof =
                        hashes.prove(index).map_err(|error| changed(path, line, &error.to_string()))?;
                    writer.entry(&ProvenExport { index, entry: exported, proof }).map_err(&failed)?;
                }
                index += 1;
            }
        }
        Ok(())
    })?;
    writer.finish().map_err(&failed)
}
