//! The tree as C2SP tiles, for whoever mirrors or witnesses it.

use tlog_tiles::Tile;

use super::append::Hashes;
use super::error::LedgerWriteError;
use super::storage::LedgerRead;

/// Height of the tiles of C2SP `tlog-tiles`: 256 hashes each.
pub const TILE_HEIGHT: u8 = 8;

/// The bytes of one hash tile: its hashes one after the other.
///
/// # Errors
/// [`LedgerWriteError`], also for a tile beyond the stored tree.
pub fn tile(view: &dyn LedgerRead, tile: &Tile) -> Result<Vec<u8>, LedgerWriteError> {
    Hashes::of(view).run(|reader| tile.read_data(reader))
}

/// The tiles that a tree of `new` entries has and one of `old` did not have, to be published in this order.
#[must_use]
pub fn tiles_since(old: u64, new: u64) -> Vec<Tile> {
    Tile::new_tiles(TILE_HEIGHT, old, new)
}
