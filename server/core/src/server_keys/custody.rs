//! Where the subkeys lie, and how they are exchanged for others.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{CorrelationId, MessageId};
use countersign_protocol::ledger::{Entry, EntryKind, Outcome};
use countersign_protocol::random::Random;

use super::ServerKeys;
use crate::keys::{self, Owner};
use crate::ledger::{Ledger, StorageFailure};
use crate::secrets::StoreKey;
use crate::stop::{Failure, Stop};
use crate::store::{Store, StoreError, Transaction};

/// The one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKeys {
    /// One more with each change.
    pub version: u64,
    /// Sealed under the store key.
    pub sealed: Vec<u8>,
}

/// Looking for it.
pub trait ServerKeyRead {
    /// The row; none in a server of an early version.
    ///
    /// # Errors
    /// [`StoreError`].
    fn server_keys(&self) -> Result<Option<StoredKeys>, StoreError>;
}

/// Exchanging it.
pub trait ServerKeyStore: ServerKeyRead {
    /// Puts `keys` in the place of the row whose version is one less; of none, if theirs is 1. `false` if somebody else was
    /// first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn put_server_keys(&self, keys: &StoredKeys) -> Result<bool, StoreError>;
}

/// What is needed to open and exchange the subkeys.
#[derive(Clone, Copy)]
pub struct Custody<'a> {
    /// Where they lie.
    pub store: &'a dyn Store,
    /// Where every change is written down.
    pub ledger: &'a Ledger,
    /// What they are sealed with.
    pub store_key: &'a StoreKey,
    /// For the seal.
    pub random: &'a dyn Random,
}

/// What the seal is bound to.
const PURPOSE: &[u8] = b"server-keys";

impl Custody<'_> {
    /// The subkeys and their version, as they are now.
    ///
    /// # Errors
    /// The store's, or what it holds is not what was sealed.
    pub fn look(&self) -> Result<Option<(u64, ServerKeys)>, Failure> {
        self.store.view()?.server_keys()?.map(|stored| self.opened(&stored)).transpose()
    }

    /// Exchanges them for what `change` makes of them, and writes down why. Gives the new version; none if `change` has
    /// nothing to change.
    ///
    /// # Errors
    /// What `change` says, or the store's; then nothing was changed.
    pub fn exchange(
        &self,
        now: Timestamp,
        change: impl FnOnce(Option<&ServerKeys>) -> Result<Option<(ServerKeys, &'static str)>, Failure>,
    ) -> Result<Option<u64>, Stop> {
        let mut tx = self.store.begin()?;
        let before = tx.server_keys()?.map(|stored| self.opened(&stored)).transpose()?;
        let Some((keys, why)) = change(before.as_ref().map(|(_, keys)| keys))? else { return Ok(None) };
        let version = before.map_or(1, |(version, _)| version + 1);
        self.put(&*tx, version, &keys, now)?;
        let entry =
            Entry::new(EntryKind::Bootstrap, now, CorrelationId::new(self.random)?, Outcome::Noted, why);
        let _beside = self.ledger.append(&mut *tx, &self.told(entry, &keys, now)?, None)?;
        let sealed = self.ledger.seal(&mut *tx)?;
        let proof = sealed.commit(|| tx.commit().map_err(|error| StorageFailure(error.into())))?;
        drop(proof);
        Ok(Some(version))
    }

    /// Puts them into the store, inside a transaction that writes down why.
    ///
    /// # Errors
    /// The store's; also if somebody else was first.
    pub fn put(
        &self,
        tx: &dyn Transaction,
        version: u64,
        keys: &ServerKeys,
        now: Timestamp,
    ) -> Result<(), Stop> {
        keys::claim_all(tx, &keys.announced(now), &Owner::Server, now)?;
        let plain = keys.to_bytes().map_err(|error| Failure::Keys(error.to_string()))?;
        let unsealed = |error: &dyn std::fmt::Display| Failure::Keys(error.to_string());
        let id = MessageId::new(self.random).map_err(|error| unsealed(&error))?;
        let seal = self.store_key.seal_aside(PURPOSE, id, &plain).map_err(|error| unsealed(&error))?;
        let sealed = [id.as_bytes().as_slice(), &seal].concat();
        if !tx.put_server_keys(&StoredKeys { version, sealed })? {
            return Err(Failure::Keys("they were exchanged a moment ago".into()).into());
        }
        Ok(())
    }

    fn told(&self, mut entry: Entry, keys: &ServerKeys, now: Timestamp) -> Result<Entry, Failure> {
        let unnamed =
            |error: countersign_protocol::certificate::CertificateError| Failure::Keys(error.to_string());
        entry.key = Some(keys.fingerprint().map_err(unnamed)?);
        let newest = keys.pairs(now).pop();
        for (name, key) in [
            ("signing-subkey", newest.as_ref().and_then(|pair| pair.signing.as_ref())),
            ("encryption-subkey", newest.as_ref().and_then(|pair| pair.decryption.as_ref())),
        ] {
            entry.detail.extend(key.map(|key| (name.to_owned(), key.to_hex())));
        }
        Ok(entry)
    }

    fn opened(&self, stored: &StoredKeys) -> Result<(u64, ServerKeys), Failure> {
        let damaged = || Failure::Keys("the store key that they were sealed with is another one".into());
        let (id, sealed) = stored.sealed.split_first_chunk::<16>().ok_or_else(damaged)?;
        let plain =
            self.store_key.open_aside(PURPOSE, MessageId::from_bytes(*id), sealed).map_err(|_| damaged())?;
        let keys = ServerKeys::from_bytes(&plain).map_err(|error| Failure::Keys(error.to_string()))?;
        Ok((stored.version, keys))
    }
}
