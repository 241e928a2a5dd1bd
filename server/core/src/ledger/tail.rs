//! The end of the log as this process wrote it last. The hashes that the next entry needs are those that the last ones needed or
//! made, so that there is nothing to read.
//!
//! It is believed where the store's newest checkpoint is the very note that was signed here: that says by its root which hashes
//! there are. Whatever else is there – another process wrote, a transaction was given up, a backup took the database's place – is
//! read from the store, and held against the root that the newest checkpoint signed.

use std::cell::RefCell;
use std::collections::HashMap;

use tlog_tiles::{Hash, HashReader};

use super::append::Hashes;
use super::recorded::Head;

/// Most hashes kept. With more, all are forgotten: the next entry reads some twenty again, and proves them.
const MOST: usize = 1024;

/// What is known without reading.
#[derive(Default)]
pub(super) struct Tail {
    head: Option<Head>,
    hashes: HashMap<u64, Hash>,
}

impl Tail {
    /// Goes on from the newest checkpoint of the store, if it has one.
    pub(super) fn goes_on_from(&mut self, note: Option<&str>) {
        let same = self.head.as_ref().is_some_and(|head| Some(head.note()) == note);
        if !same || self.hashes.len() > MOST {
            *self = Self::default();
        }
    }

    /// The head of this note, if that is the one.
    pub(super) fn head(&self, note: &str) -> Option<&Head> {
        self.head.as_ref().filter(|head| head.note() == note)
    }

    /// What is signed now, in the transaction that goes on; or was, and its tree was found to be the store's.
    pub(super) fn ends_at(&mut self, head: Head) {
        self.head = Some(head);
    }

    /// Hashes that were written at `first` and behind it.
    pub(super) fn put(&mut self, first: u64, hashes: &[Hash]) {
        self.hashes.extend((first..).zip(hashes.iter().copied()));
    }

    /// Works with what is known and, where it is not, with the store's; that is known from then on.
    pub(super) fn with<T>(
        &mut self,
        store: &Hashes<'_>,
        work: impl FnOnce(&Known<'_, '_>) -> Result<T, tlog_tiles::Error>,
    ) -> Result<T, tlog_tiles::Error> {
        work(&Known { hashes: RefCell::new(&mut self.hashes), store })
    }
}

/// Both, as the tree's algorithms want them.
pub(super) struct Known<'a, 'b> {
    hashes: RefCell<&'a mut HashMap<u64, Hash>>,
    store: &'a Hashes<'b>,
}

impl HashReader for Known<'_, '_> {
    fn read_hashes(&self, positions: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let mut known = self.hashes.borrow_mut();
        let missing: Vec<u64> =
            positions.iter().copied().filter(|position| !known.contains_key(position)).collect();
        let read = self.store.read_hashes(&missing)?;
        known.extend(missing.into_iter().zip(read));
        let gone = || tlog_tiles::Error::InvalidInput("a hash is gone".to_owned());
        positions.iter().map(|position| known.get(position).copied().ok_or_else(gone)).collect()
    }
}
