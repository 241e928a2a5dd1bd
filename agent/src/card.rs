//! Cards: seen, asked, and used to sign. Blocking, with a deadline on every call.
//!
//! | file | what |
//! |---|---|
//! | `watch` | pcscd's events: readers and cards that come and go |
//! | `readers` | all readers, what is in each, and its thread |
//! | `turn` | whose turn it is: every use of a card passes here |
//! | `worker` | one thread per reader, given up when its card never answers |
//! | `slot` | that thread's connection: open for a turn, warm, cold, and whose card it is |
//! | `link`, `apdu`, `tlv` | PC/SC connection, commands, answers |
//! | `public`, `seen` | what anyone may read from a card, and what of it is shown |
//! | `pin`, `kdf` | PINs, and the hash some cards want instead |
//! | `unlock` | VERIFY to one use of a key in one transaction: [`PinAccepted`] |
//! | `sign` | that use a signature |
//! | `key`, `signer` | between OpenPGP's signatures and the card's |
//! | `decipher` | that use a session key, out of something sealed to a person |
//! | `session_key`, `decryptor` | between OpenPGP's session keys and the card's |
//! | `kept_pin` | a PIN between a job's signature and its result |
//! | `decryption_key` | the key that does it, as OpenPGP knows it |
//! | `generate` | new keys, their certificate, new PINs |
//! | `adopt` | a certificate made elsewhere |
//! | `admin` | PINs changed, touch set, everything erased |
//! | `details`, `algorithm_name` | everything about one card, in words |
//!
//! What a signature costs, in commands to the card:
//!
//! | | commands |
//! |---|---|
//! | warm (used in the last [`Timing::warm`], and by nobody else since) | PIN status, VERIFY, signature: 3 |
//! | cold | SELECT, application data, KDF setting (if the card has one), VERIFY, signature: 5 |
//! | inserted during the login | SELECT, application data, KDF setting when it is seen, then 3 |
//! | card that does not close the PIN itself, or a touch that did not come | 1 more |
//!
//! Between turns the card belongs to everyone: no connection is kept, so that GnuPG, which wants the card for
//! itself, gets it at once. During a turn no other program is connected (`link::Company` says why), unless
//! [`Timing::alone`] is off.

mod admin;
mod adopt;
mod algorithm_name;
mod apdu;
mod decipher;
mod decryption_key;
mod decryptor;
mod details;
mod error;
mod generate;
mod kdf;
mod kept_pin;
mod key;
mod link;
mod pin;
mod public;
mod readers;
mod seen;
mod session_key;
mod sign;
mod signer;
mod slot;
mod tlv;
mod turn;
mod unlock;
mod watch;
mod worker;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::envelope::statement;
use countersign_protocol::ids::{CardIdent, Fingerprint};
use countersign_protocol::limits;
use countersign_protocol::statement::{SignedStatement, Statement};

use crate::holder::Holders;
use key::SigningKey;
use link::Exclusive;
use public::{PinStatus, PublicData};
use readers::Readers;
use sign::{Order, SigningSlot};
use signer::Entry;
use turn::Reach;
use unlock::Aftermath;

pub use admin::{
    AdminError, ChangePin, FactoryReset, Personal, PinReport, SetResetCode, SetTouch, Standing, Unblock,
    UnblockBy,
};
pub use adopt::{Adopted, examine};
pub use decryptor::OpenError;
pub use details::Details;
pub use error::CardError;
pub use generate::{Algorithm, CardState, Generate, GenerateError, GenerateHost, Progress};
pub use kept_pin::KeptPin;
pub use pin::{Entered, HostPins, Pin, PinError, PinKind};
pub use readers::{Sight, Told};
pub use seen::{CardSeen, maker};
pub use signer::{CardSigner, Failure, PinSource};
pub use turn::{Asker, Turn, Waiting};
pub use unlock::PinAccepted;

/// All cards of this machine. Clones share everything.
#[derive(Clone)]
pub struct Cards {
    readers: Reach,
}

/// How long things may take, and in whose presence.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Any job but key generation, a touch included.
    pub answer: Duration,
    /// One step of key generation.
    pub key_generation: Duration,
    /// How long a card is kept powered after its last use. Programs that want it for themselves get it at any
    /// moment.
    pub warm: Duration,
    /// No other program may be connected to a card while it signs or gets PINs: one that is could slip a command
    /// in between PIN and signature.
    pub alone: bool,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            answer: limits::CARD_ANSWER,
            key_generation: limits::CARD_KEY_GENERATION,
            warm: Duration::from_secs(10),
            alone: true,
        }
    }
}

/// One signature that a person asked for.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The card that was named in the prompt. No other is asked.
    pub card: CardIdent,
    /// The registered certificate; the public key is taken from it.
    pub certificate: &'a Cert,
    /// Its component key that must be in the card.
    pub key: &'a Fingerprint,
    /// How many tries the prompt said are left.
    pub tries_shown: u8,
    /// The person typed that the last try may be spent.
    pub allow_last_try: bool,
}

impl Cards {
    /// Starts watching. pcscd may come later, and go.
    ///
    /// # Errors
    /// The kernel gives no thread.
    pub fn start(timing: Timing, holders: Holders) -> std::io::Result<Self> {
        let readers = Arc::new(Readers::new(timing));
        watch::start(&readers)?;
        Ok(Self { readers: Reach::new(readers, holders) })
    }

    /// Every card that is in a reader, as last seen. Sends nothing.
    #[must_use]
    pub fn list(&self) -> Vec<CardSeen> {
        self.readers.list()
    }

    /// Why no card can be seen at all, if so.
    #[must_use]
    pub fn service_problem(&self) -> Option<CardError> {
        self.readers.service()
    }

    /// Waits until a card is as `wanted`, at most until `deadline`.
    ///
    /// # Errors
    /// [`CardError::NoCard`], [`CardError::NoService`] at the deadline; [`CardError::Cancelled`].
    pub fn wait_for(
        &self,
        wanted: &dyn Fn(&CardSeen) -> bool,
        deadline: Instant,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<CardSeen, CardError> {
        self.readers.wait_for(wanted, deadline, cancelled)
    }

    /// Waits a moment for a card as `wanted`, if cards that are in may not have been read yet: the agent, or pcscd, was
    /// just started, or one was just put in.
    pub fn settle(&self, wanted: &dyn Fn(&CardSeen) -> bool, cancelled: &dyn Fn() -> bool) {
        self.readers.settle(wanted, cancelled);
    }

    /// Waits like [`Self::wait_for`] for a person, who is to hear why a card that is in will not do.
    ///
    /// # Errors
    /// As [`Self::wait_for`], and what keeps a card from being used that is still in at the deadline.
    pub fn look_out(
        &self,
        wanted: &dyn Fn(&CardSeen) -> bool,
        told: &mut Told,
        deadline: Instant,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Sight, CardError> {
        self.readers.look_out(wanted, told, deadline, cancelled)
    }

    /// Has everyone who waits ask whether they are cancelled.
    pub fn wake(&self) {
        self.readers.wake();
    }

    /// Which insertion of this card it is that lasts; none while it is in no reader. No two have one number, and a card that
    /// is read anew after another program had it has another.
    #[must_use]
    pub fn insertion(&self, card: CardIdent) -> Option<u64> {
        self.readers.insertion_of(card)
    }

    /// Waits until something happens to a reader or card, and at most so long.
    pub fn wait_for_change(&self, most: Duration) {
        self.readers.wait_for_change(most);
    }

    /// Tries left for the user's PIN, asked from the card now.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn tries(&self, card: CardIdent) -> Result<u8, CardError> {
        let tries = self.quick(card, move |slot| {
            slot.with_card(card, |_, _, status| (Ok(status.tries_of(PinKind::User)), Aftermath::Closed))
        })?;
        self.readers.note_tries(card, tries);
        Ok(tries)
    }

    /// Signs a statement with a PIN that was typed for it. The PIN is sent once or not at all.
    ///
    /// # Errors
    /// [`CardError`]; each says whether a try was spent.
    pub fn sign_statement(
        &self,
        ask: &Ask<'_>,
        pin: Pin,
        statement: &Statement,
    ) -> Result<SignedStatement, CardError> {
        let typed = Entered::typed(pin, ask.tries_shown, ask.allow_last_try);
        let signer = self.new_signer(ask.card, ask.certificate, ask.key, Entry::Typed(Some(typed)))?;
        let failure = signer.failure();
        statement::sign(statement, Box::new(signer))
            .map_err(|error| failure.take().unwrap_or_else(|| CardError::OpenPgp(error.to_string())))
    }

    /// A signer with a stored PIN, for the host's card: seals envelopes, binds subkeys.
    ///
    /// It never spends the last try, and after one refusal none at all until the card is put in anew.
    ///
    /// # Errors
    /// The card is not there, or does not hold the key.
    pub fn signer(
        &self,
        card: CardIdent,
        certificate: &Cert,
        key: &Fingerprint,
        pin: PinSource,
    ) -> Result<CardSigner, CardError> {
        self.new_signer(card, certificate, key, Entry::Stored(pin))
    }

    fn new_signer(
        &self,
        card: CardIdent,
        certificate: &Cert,
        key: &Fingerprint,
        entry: Entry,
    ) -> Result<CardSigner, CardError> {
        let seen = self.seen(card)?;
        // Only a host's own key may lie in the other slot.
        let is_host = matches!(entry, Entry::Stored(_));
        let with = match seen.signing_key {
            Some(found) if found == *key => SigningSlot::Signature,
            _ if is_host && seen.authentication_key.as_ref() == Some(key) => SigningSlot::Authentication,
            Some(found) => return Err(CardError::KeyMismatch { expected: key.clone(), found }),
            None => return Err(CardError::NoKey),
        };
        CardSigner::new(self.clone(), card, with, (key.clone(), component(certificate, key)?), entry)
    }

    /// The card, as last seen.
    ///
    /// # Errors
    /// It is in no reader, or in two at once.
    pub fn seen(&self, card: CardIdent) -> Result<CardSeen, CardError> {
        let mut listed = self.list().into_iter().filter(|seen| seen.ident == Some(card));
        let seen = listed.next();
        if listed.next().is_some() {
            return Err(CardError::Twice(card));
        }
        seen.ok_or_else(|| self.service_problem().unwrap_or(CardError::NoCard))
    }

    /// The one way to a signature: [`sign::sign`] on the card's own thread.
    fn sign(&self, card: CardIdent, order: Order) -> Result<Vec<u8>, CardError> {
        let stored = order.entered.tries_shown.is_none();
        if stored && self.readers.stored_pin_was_refused(card) {
            return Err(CardError::StoredPinRefused(card));
        }
        let result = self
            .under_pin(card, move |exclusive, public, status| sign::sign(exclusive, public, status, order));
        if stored && matches!(result, Err(CardError::WrongPin { .. } | CardError::Blocked)) {
            self.readers.refuse_stored_pin(card);
        }
        result
    }

    /// Whatever becomes of a PIN is to be seen in the list.
    fn under_pin<T: Send + 'static>(
        &self,
        card: CardIdent,
        job: impl FnOnce(Exclusive<'_>, &PublicData, PinStatus) -> (Result<T, CardError>, Aftermath)
        + Send
        + 'static,
    ) -> Result<T, CardError> {
        let result = self.quick(card, move |slot| slot.with_card(card, job));
        match &result {
            Err(CardError::WrongPin { tries }) => self.readers.note_tries(card, *tries),
            Err(CardError::Blocked) => self.readers.note_tries(card, 0),
            Err(CardError::TriesChanged { now, .. }) => self.readers.note_tries(card, *now),
            Err(CardError::LastTry) => self.readers.note_tries(card, 1),
            _ => {}
        }
        result
    }

    fn quick<T: Send + 'static>(
        &self,
        card: CardIdent,
        job: impl FnOnce(&mut slot::Slot) -> Result<T, CardError> + Send + 'static,
    ) -> Result<T, CardError> {
        let limit = self.readers.timing.answer;
        self.readers.ask(card, limit, &mut |step: Infallible| match step {}, move |slot, _| job(slot))
    }
}

/// The component key of a certificate. Whether it may sign is judged by who registers and who verifies.
fn component(certificate: &Cert, key: &Fingerprint) -> Result<SigningKey, CardError> {
    let missing = || CardError::NotInCertificate(key.clone());
    let wanted = certificate::their_fingerprint(key).map_err(|_| missing())?;
    certificate
        .keys()
        .find(|candidate| candidate.key().fingerprint() == wanted)
        .map(|found| found.key().clone())
        .ok_or_else(missing)
}
