//! A card as what opens OpenPGP messages.

use sequoia_openpgp as openpgp;

use countersign_protocol::envelope::{OpenFromCardError, open_from_card};
use countersign_protocol::ids::{CardIdent, Fingerprint};
use openpgp::crypto::{Decryptor, SessionKey, mpi};
use zeroize::Zeroizing;

use super::Cards;
use super::decipher::Order;
use super::error::CardError;
use super::pin::Entered;
use super::session_key::{DecryptionKey, Kind};

/// Why what is sealed to a person was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The card did not do its part.
    #[error(transparent)]
    Card(#[from] CardError),
    /// It is not what a server seals, or not to this card.
    #[error(transparent)]
    Sealed(#[from] OpenFromCardError),
}

impl Cards {
    /// Opens what the server sealed to a person, with the key in this card's decryption slot. The PIN is sent once or, if
    /// this is not the key that it is sealed to, not at all.
    ///
    /// # Errors
    /// [`OpenError`]; a card's says whether a try was spent.
    pub fn open_sealed(
        &self,
        card: CardIdent,
        sealed: &[u8],
        entered: Entered,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (name, key) = self.decryption_key(card)?;
        let kind = Kind::of(&key)?;
        let cards = self.clone();
        let mut decryptor =
            CardDecryptor { cards, card, name, key, kind, entered: Some(entered), failure: None };
        let opened = open_from_card(sealed, &mut decryptor);
        // OpenPGP's library passes on only that it failed.
        match decryptor.failure {
            Some(failure) => Err(failure.into()),
            None => opened.map_err(Into::into),
        }
    }
}

/// Deciphers one session key, with the PIN that was typed for it.
struct CardDecryptor {
    cards: Cards,
    card: CardIdent,
    name: Fingerprint,
    key: DecryptionKey,
    kind: Kind,
    entered: Option<Entered>,
    failure: Option<CardError>,
}

impl CardDecryptor {
    fn open(&mut self, sealed: &mpi::Ciphertext, length: Option<usize>) -> Result<SessionKey, CardError> {
        let input = self.kind.input(sealed)?;
        let entered = self
            .entered
            .take()
            .ok_or_else(|| CardError::OpenPgp("a typed PIN opens one thing only".to_owned()))?;
        let order = Order { entered, key: self.name.clone(), input };
        let answer = self.cards.decipher(self.card, order)?;
        self.kind.session_key(&self.key, sealed, length, &answer)
    }
}

impl Decryptor for CardDecryptor {
    fn public(&self) -> &DecryptionKey {
        &self.key
    }

    fn decrypt(&mut self, sealed: &mpi::Ciphertext, length: Option<usize>) -> openpgp::Result<SessionKey> {
        self.open(sealed, length).map_err(|error| {
            self.failure = Some(error.clone());
            error.into()
        })
    }
}
