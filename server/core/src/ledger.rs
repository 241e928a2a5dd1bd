//! The append-only log, as the server writes it.
//!
//! One write of the store, in this order (the steps' types leave no other):
//!
//! ```text
//! let appended = ledger.append(tx, &entry, evidence)?;   // once for each request in this write
//! let sealed   = ledger.seal(tx)?;                       // signs the new root, once
//! let pending  = ledger.receipt(tx, appended, &sealed)?; // the reply may now be stored, in this same write
//! let proof    = sealed.commit(|| /* commit and fsync */)?;
//! let recorded = pending.committed(&proof)?;             // the reply may now be sent
//! ```
//!
//! [`Recorded`] is the proof that a reply needs. It is made only after a commit that succeeded, or by reading
//! committed state back ([`Ledger::recall`]); a [`Pending`] whose entry the commit did not carry stays without one.
//!
//! Hashes lie in the order of C2SP tiles' storage (`tlog_tiles::stored_hash_index`), so that tiles and checkpoints
//! can be published as they are ([`tile`]).

mod append;
mod error;
mod find;
mod key;
mod outlet;
mod page;
mod recorded;
mod storage;
mod tail;
mod tile;

#[cfg(test)]
mod tests;

pub use append::{Appended, Ledger};
pub use error::LedgerWriteError;
pub use find::Found;
pub(crate) use find::first_at;
pub use key::{NewLedgerKey, generate_key};
pub use outlet::OutletStore;
pub use page::Page;
pub(crate) use page::weight;
pub use recorded::{CommitProof, Head, Pending, Recorded, Sealed};
pub use storage::{LedgerRead, LedgerSnapshot, LedgerTx, StorageFailure, Tip};
pub use tile::{TILE_HEIGHT, tile, tiles_since};
