//! Inclusion proofs out of a whole export, without its server.

use tlog_tiles::{Hash, HashReader, prove_record, stored_hashes};

use crate::ids::Digest;
use crate::ledger::error::LedgerError;

/// All hashes of the tree of an export: 64 bytes for each entry.
#[derive(Default)]
pub struct ExportHashes {
    size: u64,
    hashes: Vec<Hash>,
}

impl ExportHashes {
    /// Adds the leaf with these bytes.
    ///
    /// # Errors
    /// [`LedgerError::Pages`]: never, for leaves in order.
    pub fn push(&mut self, leaf: &[u8]) -> Result<(), LedgerError> {
        let more =
            stored_hashes(self.size, leaf, self).map_err(|error| LedgerError::Pages(error.to_string()))?;
        self.hashes.extend(more);
        self.size += 1;
        Ok(())
    }

    /// The proof that the leaf `index` is in the tree of all leaves so far.
    ///
    /// # Errors
    /// There is no such leaf.
    pub fn prove(&self, index: u64) -> Result<Vec<Digest>, LedgerError> {
        let absent = |_| LedgerError::NotIncluded { index, size: self.size };
        let proof = prove_record(self.size, index, self).map_err(absent)?;
        Ok(proof.iter().map(|hash| Digest::from_bytes(hash.0)).collect())
    }
}

impl HashReader for ExportHashes {
    fn read_hashes(&self, positions: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let at = |position: &u64| usize::try_from(*position).ok().and_then(|place| self.hashes.get(place));
        let found: Option<Vec<Hash>> = positions.iter().map(|position| at(position).copied()).collect();
        found.ok_or_else(|| tlog_tiles::Error::InvalidInput("no such hash".to_owned()))
    }
}
