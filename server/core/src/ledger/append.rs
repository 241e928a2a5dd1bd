//! Adding entries and signing the root over them.

use std::cell::RefCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_protocol::binary::Binary;
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{Entry, Frontier, LedgerKey, check_receipt};
use countersign_protocol::message::Receipt;
use countersign_protocol::message::result::Evidence;
use secrecy::{ExposeSecret as _, SecretString};
use signed_note::{Note, Signer as _, StandardSigner};
use tlog_tiles::{
    Checkpoint, Hash, HashReader, prove_record, prove_tree, record_hash, stored_hash_index, stored_hashes,
    tree_hash,
};

use super::error::LedgerWriteError;
use super::recorded::{Head, Pending, Recorded, Sealed};
use super::storage::{LedgerRead, LedgerSnapshot, LedgerTx, StorageFailure, Tip};
use super::tail::Tail;

/// Writes the log. Holds the signing key, and what it need not read again: all state is the store's.
pub struct Ledger {
    signer: StandardSigner,
    key: LedgerKey,
    tail: Mutex<Tail>,
}

/// An entry that was written inside a transaction and is under no checkpoint yet.
#[derive(Debug)]
#[must_use = "an entry without a receipt answers nobody"]
pub struct Appended {
    pub(super) index: u64,
    pub(super) entry: Vec<u8>,
    /// Where the log ends with it.
    tip: Tip,
}

impl Appended {
    /// The entry's place, counted from 0.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }
}

impl Ledger {
    /// A ledger that signs with `secret`.
    ///
    /// # Errors
    /// [`LedgerWriteError::Key`]: not a signer key, or not the one that `key` checks.
    pub fn open(secret: &SecretString, key: LedgerKey) -> Result<Self, LedgerWriteError> {
        let signer = StandardSigner::new(secret.expose_secret())
            .map_err(|error| LedgerWriteError::Key(error.to_string()))?;
        let ledger = Self { signer, key, tail: Mutex::default() };
        // The two halves must be one pair, or every receipt from now on would be worthless.
        ledger
            .key
            .checkpoint(&ledger.sign(0, tlog_tiles::EMPTY_HASH)?)
            .map_err(|_| LedgerWriteError::Key("its public half is another ledger key".to_owned()))?;
        Ok(ledger)
    }

    /// The key that checks this ledger's receipts.
    #[must_use]
    pub const fn key(&self) -> &LedgerKey {
        &self.key
    }

    /// Writes an entry and the hashes it completes. `evidence` must be what `entry.evidence` names.
    ///
    /// # Errors
    /// [`LedgerWriteError`]: the transaction must be given up.
    pub fn append(
        &self,
        tx: &mut dyn LedgerTx,
        entry: &Entry,
        evidence: Option<&Evidence>,
    ) -> Result<Appended, LedgerWriteError> {
        if entry.evidence != evidence.map(Evidence::digest) {
            return Err(LedgerWriteError::Evidence);
        }
        let bytes = entry.to_bytes()?;
        let tip = tx.tip()?;
        let index = tip.size;
        let mut tail = self.tail();
        self.go_on(tx, &tip, &mut tail)?;
        let hashes =
            Hashes::of(tx).run(|store| tail.with(store, |known| stored_hashes(index, &bytes, known)))?;
        let first = stored_hash_index(0, index);
        tail.put(first, &hashes);
        drop(tail);
        let hashes: Vec<Digest> = hashes.iter().map(|hash| Digest::from_bytes(hash.0)).collect();
        tx.put_entry(index, &bytes, evidence)?;
        tx.put_hashes(first, &hashes)?;
        let tip = Tip { size: index + 1, ..tip };
        Ok(Appended { index, entry: bytes, tip })
    }

    /// Signs the root over everything written so far. Without new entries the newest checkpoint stays.
    ///
    /// # Errors
    /// [`LedgerWriteError`]: the transaction must be given up. [`LedgerWriteError::Damaged`] if there is anything behind
    /// the checkpoint that this transaction did not write.
    pub fn seal(&self, tx: &mut dyn LedgerTx) -> Result<Sealed, LedgerWriteError> {
        let tip = tx.tip()?;
        self.seal_at(tx, &tip)
    }

    /// The same right behind the last entry that this transaction wrote, when nobody need be asked where the log ends.
    ///
    /// # Errors
    /// Those of [`Self::seal`].
    pub fn seal_behind(&self, tx: &mut dyn LedgerTx, last: &Appended) -> Result<Sealed, LedgerWriteError> {
        self.seal_at(tx, &last.tip)
    }

    fn seal_at(&self, tx: &mut dyn LedgerTx, tip: &Tip) -> Result<Sealed, LedgerWriteError> {
        let size = tip.size;
        let mut tail = self.tail();
        if let (Some((_, note)), 0) = (&tip.checkpoint, tx.unsealed()) {
            let known = tail.head(note).cloned();
            let checkpoint = known.map_or_else(|| self.own_checkpoint(note), Ok)?;
            tip.ends_at(checkpoint.size(), 0)?;
            return Ok(Sealed { checkpoint });
        }
        self.go_on(tx, tip, &mut tail)?;
        let root = Hashes::of(tx).run(|store| tail.with(store, |known| tree_hash(size, known)))?;
        let note = self.sign(size, root)?;
        let checkpoint = Head { size, root: Digest::from_bytes(root.0), note };
        tail.ends_at(checkpoint.clone());
        drop(tail);
        tx.put_checkpoint(size, checkpoint.note())?;
        Ok(Sealed { checkpoint })
    }

    /// The receipt of an entry of this transaction. It becomes worth sending by [`Pending::committed`].
    ///
    /// # Errors
    /// [`LedgerWriteError`]: the transaction must be given up.
    pub fn receipt(
        &self,
        tx: &dyn LedgerRead,
        appended: Appended,
        sealed: &Sealed,
    ) -> Result<Pending, LedgerWriteError> {
        let checkpoint = &sealed.checkpoint;
        let (size, index) = (checkpoint.size(), appended.index);
        let proof = {
            let mut tail = self.tail();
            if tail.head(checkpoint.note()).is_some() {
                let proof =
                    Hashes::of(tx).run(|store| tail.with(store, |known| prove_record(size, index, known)))?;
                proof.iter().map(|hash| Digest::from_bytes(hash.0)).collect()
            } else {
                inclusion(tx, size, index)?
            }
        };
        Ok(Pending {
            receipt: Receipt {
                index,
                entry: Binary(appended.entry),
                checkpoint: checkpoint.note().to_owned(),
                proof,
            },
        })
    }

    /// The receipt of an entry committed earlier, under the newest checkpoint.
    ///
    /// # Errors
    /// [`LedgerWriteError::NoSuchEntry`], or the store is damaged.
    pub fn recall(&self, committed: &dyn LedgerSnapshot, index: u64) -> Result<Recorded, LedgerWriteError> {
        let view: &dyn LedgerRead = committed;
        let newest = view.checkpoint()?;
        let size = newest.as_ref().map_or(0, |(size, _)| *size);
        let entry = view.entries(index, 1)?.into_iter().next();
        let (Some((_, checkpoint)), Some(entry), true) = (newest, entry, index < size) else {
            return Err(LedgerWriteError::NoSuchEntry { index, size });
        };
        let proof = inclusion(view, size, index)?;
        let receipt = Receipt { index, entry: entry.entry, checkpoint, proof };
        // What left the disk is believed only if it still is what was signed.
        match check_receipt(&receipt, &self.key) {
            Ok(_) => Ok(Recorded { receipt }),
            Err(error) => Err(LedgerWriteError::Damaged(error.to_string())),
        }
    }

    /// Proof that the tree of size `size` continues the one of size `seen`, for a host's check-in.
    /// Empty for `seen == 0` and for `seen >= size`: the host's own check tells those apart.
    ///
    /// # Errors
    /// [`LedgerWriteError`].
    pub fn consistency(
        &self,
        view: &dyn LedgerRead,
        size: u64,
        seen: u64,
    ) -> Result<Vec<Digest>, LedgerWriteError> {
        if seen == 0 || seen >= size {
            return Ok(Vec::new());
        }
        let proof = Hashes::of(view).run(|reader| prove_tree(size, seen, reader))?;
        Ok(proof.iter().map(|hash| Digest::from_bytes(hash.0)).collect())
    }

    /// The newest checkpoint, if this ledger's key signed it and there is nothing behind it.
    ///
    /// # Errors
    /// [`LedgerWriteError::Damaged`] if not.
    pub fn head(&self, committed: &dyn LedgerRead) -> Result<Head, LedgerWriteError> {
        let tip = committed.tip()?;
        let missing = || LedgerWriteError::Damaged("it has no checkpoint".into());
        let (_, note) = tip.checkpoint.as_ref().ok_or_else(missing)?;
        let head = self.own_checkpoint(note)?;
        tip.ends_at(head.size(), 0)?;
        Ok(head)
    }

    /// The tree of the first `size` entries as the stored hashes have it, to be gone on with.
    ///
    /// # Errors
    /// [`LedgerWriteError`].
    pub fn frontier(&self, view: &dyn LedgerRead, size: u64) -> Result<Frontier, LedgerWriteError> {
        // One complete subtree for each bit that is set.
        let levels = (0..64_u8).rev().filter(|level| size >> level & 1 == 1);
        let roots: Vec<u64> = levels.map(|level| stored_hash_index(level, (size >> level) - 1)).collect();
        let uneven = || LedgerWriteError::Damaged("it lacks hashes".into());
        Frontier::resumed(size, &view.hashes(&roots)?).ok_or_else(uneven)
    }

    /// Root over the first `size` entries, out of the stored hashes.
    ///
    /// # Errors
    /// [`LedgerWriteError`].
    pub fn root(&self, view: &dyn LedgerRead, size: u64) -> Result<Digest, LedgerWriteError> {
        let root = match size {
            0 => tlog_tiles::EMPTY_HASH,
            _ => Hashes::of(view).run(|reader| tree_hash(size, reader))?,
        };
        Ok(Digest::from_bytes(root.0))
    }

    /// The stored hashes of `count` entries from `from` on.
    ///
    /// # Errors
    /// [`LedgerWriteError`].
    pub fn leaves(
        &self,
        view: &dyn LedgerRead,
        from: u64,
        count: u64,
    ) -> Result<Vec<Digest>, LedgerWriteError> {
        let places: Vec<u64> = (from..from.saturating_add(count)).map(|n| stored_hash_index(0, n)).collect();
        Ok(view.hashes(&places)?)
    }

    /// Whether these are the bytes that were hashed to `leaf`.
    #[must_use]
    pub fn is_leaf(entry: &[u8], leaf: &Digest) -> bool {
        record_hash(entry).0 == *leaf.as_bytes()
    }

    fn sign(&self, size: u64, root: Hash) -> Result<String, LedgerWriteError> {
        let unusable = |error: String| LedgerWriteError::Key(error);
        let text = Checkpoint::new(self.signer.name(), size, root, "")
            .map_err(|error| unusable(error.to_string()))?
            .to_bytes();
        let mut note = Note::new(&text, &[]).map_err(|error| unusable(error.to_string()))?;
        note.add_sigs(&[&self.signer]).map_err(|error| unusable(error.to_string()))?;
        String::from_utf8(note.to_bytes()).map_err(|error| unusable(error.to_string()))
    }

    /// Nothing is signed over what others wrote: the tree up to the checkpoint is the one that was signed, and behind it
    /// are this transaction's own entries and no more. What this process signed last it need not look at again.
    fn go_on(&self, tx: &dyn LedgerTx, tip: &Tip, tail: &mut Tail) -> Result<(), LedgerWriteError> {
        let note = tip.checkpoint.as_ref().map(|(_, note)| note.as_str());
        tail.goes_on_from(note);
        let Some(note) = note else { return tip.ends_at(0, tx.unsealed()) };
        if let Some(head) = tail.head(note) {
            return tip.ends_at(head.size(), tx.unsealed());
        }
        let head = self.own_checkpoint(note)?;
        tip.ends_at(head.size(), tx.unsealed())?;
        let view: &dyn LedgerRead = tx;
        let root = Hashes::of(view).run(|store| tail.with(store, |known| tree_hash(head.size(), known)))?;
        if root.0 != *head.root().as_bytes() {
            let what = "its entries are not those that its last checkpoint signed";
            return Err(LedgerWriteError::Damaged(what.into()));
        }
        tail.ends_at(head);
        Ok(())
    }

    /// Read from the store, so it is believed only if it still is what was signed.
    fn own_checkpoint(&self, note: &str) -> Result<Head, LedgerWriteError> {
        let checkpoint = self.key.checkpoint(note);
        checkpoint.map(Head::from).map_err(|error| LedgerWriteError::Damaged(error.to_string()))
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn inclusion(
    view: &dyn LedgerRead,
    size: u64,
    index: u64,
) -> Result<Vec<Digest>, LedgerWriteError> {
    let proof = Hashes::of(view).run(|reader| prove_record(size, index, reader))?;
    Ok(proof.iter().map(|hash| Digest::from_bytes(hash.0)).collect())
}

/// The store as the tree's algorithms want it. They know errors of their own only, so the store's waits here.
pub(super) struct Hashes<'a> {
    store: &'a dyn LedgerRead,
    failure: RefCell<Option<StorageFailure>>,
}

impl<'a> Hashes<'a> {
    pub(super) fn of(store: &'a dyn LedgerRead) -> Self {
        Self { store, failure: RefCell::new(None) }
    }

    pub(super) fn run<T>(
        self,
        work: impl FnOnce(&Self) -> Result<T, tlog_tiles::Error>,
    ) -> Result<T, LedgerWriteError> {
        work(&self).map_err(|error| match self.failure.into_inner() {
            Some(failure) => LedgerWriteError::Storage(failure),
            None => LedgerWriteError::Damaged(error.to_string()),
        })
    }
}

impl HashReader for Hashes<'_> {
    fn read_hashes(&self, positions: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let stopped = || tlog_tiles::Error::InvalidInput("the store failed".to_owned());
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        match self.store.hashes(positions) {
            // The algorithms panic on a wrong count.
            Ok(hashes) if hashes.len() == positions.len() => {
                Ok(hashes.iter().map(|hash| Hash(*hash.as_bytes())).collect())
            }
            Ok(_) => Err(stopped()),
            Err(failure) => {
                self.failure.replace(Some(failure));
                Err(stopped())
            }
        }
    }
}
