//! Some entries of a ledger, each with the proof that it is in it: `excerpt.jsonl`, one JSON value a line.
//!
//! ```text
//! {"excerpt":{"v":1,"ledger_key":"countersign/…","checkpoint":"countersign/…\n42\n…","size":42,"filter":{…}}}
//! {"certificate":"…"}
//! {"proven":{"index":12,"entry":{"entry":"…","evidence":{…}},"proof":["…","…"]}}
//! ```
//!
//! It proves each entry that it holds, and never that it holds all that were asked for: that only a whole
//! [export](super::export) shows.

mod offline;
mod verify;
mod write;

use serde::{Deserialize, Serialize};

use super::filter::EntryFilter;
use super::key::LedgerKey;
use crate::binary::Binary;
use crate::ids::Digest;
use crate::message::Version;
use crate::message::result::ExportedEntry;

pub use offline::ExportHashes;
pub use verify::{ExcerptReport, verify_excerpt};
pub use write::ExcerptWriter;

/// Body of `read` on `ledger/entries` that asks for some of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerSearch {
    /// First index looked at.
    pub from: u64,
    /// Which entries are wanted.
    pub filter: EntryFilter,
    /// The checkpoint's size of the pages before this one: proofs are for the same tree. None on the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// Its result: as many of them as fit one reply, each with its proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerExcerpt {
    /// First index looked at.
    pub from: u64,
    /// The first index that was not looked at; none when the tree's end was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// What was found, in order.
    pub entries: Vec<ProvenExport>,
    /// Size of the tree that the proofs are for.
    pub size: u64,
    /// Its checkpoint, on the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// The ledger's verifier key.
    pub ledger_key: String,
    /// Certificates of the accounts whose statements are here (OpenPGP, binary).
    pub certificates: Vec<Binary>,
}

/// One entry, and the audit path from it to the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvenExport {
    /// Its place, counted from 0.
    pub index: u64,
    /// The entry, and what lies beside it.
    pub entry: ExportedEntry,
    /// RFC 6962 inclusion proof in the tree of the excerpt's checkpoint.
    pub proof: Vec<Digest>,
}

/// One line of an excerpt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ExcerptLine {
    /// The first line.
    Excerpt(Box<ExcerptHeader>),
    /// A certificate (OpenPGP, binary) that the entries below name.
    Certificate(Binary),
    /// The next entry.
    Proven(Box<ProvenExport>),
}

/// What an excerpt is an excerpt of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExcerptHeader {
    /// Always 1.
    pub v: Version,
    /// The ledger's key, as the excerpt claims it.
    pub ledger_key: LedgerKey,
    /// The checkpoint that the proofs lead to.
    pub checkpoint: String,
    /// Its size.
    pub size: u64,
    /// What was asked for.
    pub filter: EntryFilter,
}
