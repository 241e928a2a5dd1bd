//! The append-only log of everything the server did, and how anyone checks it.
//!
//! An [`Entry`] is one leaf of a Merkle tree (RFC 6962 hashing). The server signs the root after each write
//! as a checkpoint (C2SP `tlog-checkpoint`, a C2SP signed note), and every reply brings a
//! [`Receipt`](crate::message::Receipt): the entry, the checkpoint, and the audit path between them.
//!
//! | who | calls | to learn |
//! |---|---|---|
//! | agent, command line | [`check_receipt`], [`ProvenEntry::answers`] | this very request was decided and recorded |
//! | agent at check-in | [`LedgerKey::checkpoint`], [`check_consistency`] | the log continues the one seen before |
//! | anyone with an export | [`verify_export`] | nothing in it was changed, left out or reordered |
//! | anyone with an excerpt | [`verify_excerpt`] | each entry in it stands in the log |
//!
//! What a person signed lies beside the log as salted evidence that an entry names by digest; it can be erased
//! without breaking the log.

mod checkpoint;
mod entry;
mod error;
mod excerpt;
mod export;
mod filter;
mod key;
mod receipt;
mod tree;

#[cfg(test)]
mod tests;

pub use checkpoint::{Checkpoint, LARGEST, check_consistency};
pub use entry::{Check, Entry, EntryKind, Outcome, UnknownWord, detail};
pub use error::{LedgerError, LineProblem};
pub use excerpt::{
    ExcerptHeader, ExcerptLine, ExcerptReport, ExcerptWriter, ExportHashes, LedgerExcerpt, LedgerSearch,
    ProvenExport, verify_excerpt,
};
pub use export::{
    ExportHeader, ExportLine, ExportLines, ExportReport, ExportWriter, JsonLines, Trust, verify_export,
};
pub use filter::{EntryFilter, HostDigits, ResourcePart};
pub use key::LedgerKey;
pub use receipt::{ProvenEntry, check_receipt};
pub use tree::Frontier;
