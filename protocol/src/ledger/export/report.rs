//! What an export is measured against, and what it showed.

use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::ledger::key::LedgerKey;

/// What is known about the ledger from elsewhere. The more, the more an export can prove.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The ledger's key, from an enrolment or from its administrator. Without it an export only proves that it
    /// agrees with itself.
    pub key: Option<LedgerKey>,
    /// Size and root of a checkpoint seen earlier: the export must continue it.
    pub seen: Option<(u64, Digest)>,
}

/// A whole export that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ExportReport {
    /// The key that signed the checkpoint.
    pub ledger_key: LedgerKey,
    /// Was that key known beforehand? If not, it must be compared by eye.
    pub key_was_known: bool,
    /// Number of entries.
    pub size: u64,
    /// Root over them, as signed.
    pub root: Digest,
    /// Statements whose signature was checked against the account's certificate.
    pub statements: u64,
    /// Statements that no certificate was accepted for: kept as what was claimed.
    pub unattributed: u64,
    /// Entries whose evidence was erased. The entries themselves are intact.
    pub erased: u64,
    /// Requests that other people had to approve, and did: each with the signatures of so many distinct people for exactly it.
    pub approved: u64,
    /// Time of the first and the last entry.
    pub span: Option<(Timestamp, Timestamp)>,
}
