//! The root over a stream of leaves, in memory of the size of one audit path.

use tlog_tiles::{EMPTY_HASH, Hash, node_hash, record_hash};

use crate::ids::Digest;

/// The right edge of a growing RFC 6962 tree: one complete subtree for each bit that is set in its size.
#[derive(Debug, Clone, Default)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete subtrees, the largest first.
    edge: Vec<Hash>,
}

impl Frontier {
    /// The empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, edge: Vec::new() }
    }

    /// A tree that is there already: the roots of its complete subtrees, the largest first. None if they are not as many
    /// as a tree of this size has.
    #[must_use]
    pub fn resumed(size: u64, edge: &[Digest]) -> Option<Self> {
        let fits = u32::try_from(edge.len()).is_ok_and(|roots| roots == size.count_ones());
        fits.then(|| Self { size, edge: edge.iter().map(|hash| Hash(*hash.as_bytes())).collect() })
    }

    /// Adds the leaf with these bytes.
    pub fn push(&mut self, leaf: &[u8]) {
        let mut hash = record_hash(leaf);
        // Each trailing one-bit of the old size is a complete subtree that this leaf doubles.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.edge.pop() {
                hash = node_hash(left, hash);
            }
        }
        self.edge.push(hash);
        self.size += 1;
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Root over all leaves so far.
    #[must_use]
    pub fn root(&self) -> Digest {
        let root = self.edge.iter().rev().copied().reduce(|right, left| node_hash(left, right));
        Digest::from_bytes(root.unwrap_or(EMPTY_HASH).0)
    }
}
