//! Does a database hold? Its whole ledger, as anybody with an export would check it, and its tables beside it.

use std::io::{BufReader, BufWriter, Write};

use countersign_protocol::binary::Binary;
use countersign_protocol::ledger::{Entry, ExportReport, ExportWriter, LedgerError, Trust, verify_export};
use countersign_protocol::message::result::LedgerPage;
use countersign_protocol::random::SystemRandom;
use countersign_server_core::audit::{Auditor, Finding};
use countersign_server_core::ledger::LedgerWriteError;
use countersign_server_core::stop::Failure;
use countersign_server_core::store::{Store, StoreError};

use crate::open::Keys;

/// Bytes of JSON read at once.
const ROOM: usize = 4 * 1024 * 1024;

/// It does not hold.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    /// Its ledger.
    #[error("the ledger does not hold: {0}")]
    Ledger(#[from] LedgerError),
    /// Reading it.
    #[error("the ledger cannot be read: {0}")]
    Unreadable(#[from] LedgerWriteError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Comparing.
    #[error("the tables cannot be compared with the ledger: {0}")]
    Audit(Box<Failure>),
    /// Its tables.
    #[error("{}", told(.0))]
    Tables(Vec<Finding>),
}

/// Rows that are named.
const NAMED: usize = 20;

/// Which rows are not what the ledger says, for a person.
#[must_use]
pub fn told(findings: &[Finding]) -> String {
    let rows = findings.iter().take(NAMED).map(|Finding { row, what }| format!("{row}: {what}"));
    let more = findings.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| format!("and {more} more"));
    let rows: Vec<String> = rows.chain(more).collect();
    format!("the tables are not what the ledger says:\n  {}", rows.join("\n  "))
}

/// A database whose ledger holds.
#[must_use]
pub struct Proof {
    /// What its ledger proved.
    pub report: ExportReport,
    /// Rows that are not what the ledger says.
    pub findings: Vec<Finding>,
}

impl Proof {
    /// What the ledger proved, if every row is what it says.
    ///
    /// # Errors
    /// [`Unproven::Tables`].
    pub fn of_all(self) -> Result<ExportReport, Unproven> {
        if self.findings.is_empty() { Ok(self.report) } else { Err(Unproven::Tables(self.findings)) }
    }
}

/// Checks every entry, every statement, the root against the last signed checkpoint, and every row that decides
/// something.
///
/// # Errors
/// [`Unproven`]: the ledger does not hold.
pub fn whole(store: &dyn Store, keys: &Keys) -> Result<Proof, Unproven> {
    let trust = Trust { key: Some(keys.ledger.key().clone()), seen: None };
    let (reader, writer) = std::io::pipe().map_err(LedgerError::from)?;
    let report = std::thread::scope(|scope| {
        let written = scope.spawn(move || write(store, keys, writer));
        let report = verify_export(BufReader::with_capacity(1 << 20, reader), &trust);
        match written.join() {
            // A reader that stopped reading is why writing failed.
            Ok(Err(Unproven::Ledger(LedgerError::Io(_)))) | Ok(Ok(())) => Ok(report?),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(LedgerError::Io(std::io::Error::other("the writer died")).into()),
        }
    })?;
    let auditor = Auditor { store, pepper: &keys.pepper, ledger: &keys.ledger, random: &SystemRandom };
    let findings = auditor.look().map_err(|failure| Unproven::Audit(Box::new(failure)))?;
    Ok(Proof { report, findings })
}

/// The whole ledger as an export.
fn write(store: &dyn Store, keys: &Keys, out: impl Write) -> Result<(), Unproven> {
    let tx = store.begin()?;
    let page = |from| -> Result<LedgerPage, Unproven> {
        let page = keys.ledger.page(&*tx, from, ROOM)?;
        let mut certificates = Vec::new();
        for exported in page.entries.iter().filter(|exported| exported.evidence.is_some()) {
            let key = Entry::from_bytes(&exported.entry.0).ok().and_then(|entry| entry.key);
            let certificate = key.map(|key| tx.account_certificate(&key)).transpose()?.flatten();
            certificates.extend(certificate.map(Binary));
        }
        Ok(LedgerPage {
            from: page.from,
            entries: page.entries,
            checkpoint: page.checkpoint,
            size: page.size,
            ledger_key: keys.ledger.key().to_string(),
            certificates,
        })
    };
    let mut writer = ExportWriter::begin(BufWriter::with_capacity(1 << 20, out), &page(0)?)?;
    while let Some(next) = writer.next() {
        writer.add(&page(next)?)?;
    }
    let _out = writer.finish()?;
    Ok(())
}
