//! A card as a signer of OpenPGP.

use std::sync::{Arc, Mutex, PoisonError};

use sequoia_openpgp as openpgp;

use countersign_protocol::ids::{CardIdent, Fingerprint};
use openpgp::crypto::mpi;
use openpgp::types::HashAlgorithm;

use super::Cards;
use super::error::CardError;
use super::key::{Kind, SigningKey};
use super::pin::{Entered, Pin, PinError};
use super::sign::{Order, SigningSlot};

/// Where a stored PIN is read from, each time it is needed.
pub type PinSource = Box<dyn Fn() -> Result<Pin, PinError> + Send + Sync>;

/// Signs with the key in a card's signature slot, or a host's key in the authentication slot. Every signature is one
/// exclusive transaction with one VERIFY of its own.
pub struct CardSigner {
    cards: Cards,
    card: CardIdent,
    with: SigningSlot,
    name: Fingerprint,
    key: SigningKey,
    kind: Kind,
    entry: Entry,
    failure: Failure,
}

/// Where the PIN comes from.
pub(super) enum Entry {
    /// A person typed it for one signature, having been told how many tries are left.
    Typed(Option<Entered>),
    /// It lies in the host's sealed store.
    Stored(PinSource),
}

/// Why the last signature failed. OpenPGP libraries pass errors on as text only; this keeps the real one.
#[derive(Debug, Clone, Default)]
pub struct Failure(Arc<Mutex<Option<CardError>>>);

impl Failure {
    /// Takes the error out.
    #[must_use]
    pub fn take(&self) -> Option<CardError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, error: CardError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

impl CardSigner {
    pub(super) fn new(
        cards: Cards,
        card: CardIdent,
        with: SigningSlot,
        (name, key): (Fingerprint, SigningKey),
        entry: Entry,
    ) -> Result<Self, CardError> {
        let kind = Kind::of(&key)?;
        Ok(Self { cards, card, with, name, key, kind, entry, failure: Failure::default() })
    }

    /// Where to look after a failure. Take it before the signer is given away.
    #[must_use]
    pub fn failure(&self) -> Failure {
        self.failure.clone()
    }

    fn make(&mut self, hash: HashAlgorithm, digest: &[u8]) -> Result<mpi::Signature, CardError> {
        let input = self.kind.input(hash, digest)?;
        let entered = match &mut self.entry {
            Entry::Typed(typed) => typed
                .take()
                .ok_or_else(|| CardError::OpenPgp("a typed PIN is good for one signature only".to_owned()))?,
            Entry::Stored(source) => {
                Entered::stored(source().map_err(|error| CardError::OpenPgp(error.to_string()))?)
            }
        };
        let order = Order { entered, with: self.with, key: self.name.clone(), input };
        let answer = self.cards.sign(self.card, order)?;
        let signature = self.kind.signature(&answer)?;
        // A faulty signature can give a key away; it never leaves.
        self.key.verify(&signature, hash, digest).map_err(|_| CardError::BadSignature)?;
        Ok(signature)
    }
}

impl openpgp::crypto::Signer for CardSigner {
    fn public(&self) -> &SigningKey {
        &self.key
    }

    fn acceptable_hashes(&self) -> &[HashAlgorithm] {
        self.kind.hashes()
    }

    fn sign(&mut self, hash: HashAlgorithm, digest: &[u8]) -> openpgp::Result<mpi::Signature> {
        self.make(hash, digest).map_err(|error| {
            self.failure.put(error.clone());
            error.into()
        })
    }
}
