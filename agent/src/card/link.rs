//! A connection to the card in one reader, and exclusive transactions on it.

use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pcsc::{Disposition, Protocols, ShareMode};
use zeroize::Zeroizing;

use super::apdu::{Command, Wire};
use super::error::CardError;

/// Largest answer taken: an RSA-4096 public key with its wrapping is about 530 bytes.
const ANSWER: usize = 4096;

/// Most parts of one answer: [`ANSWER`] in pieces of 256 bytes.
const PARTS: usize = ANSWER / 256;

/// Who else may be connected meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Company {
    /// Nobody. A transaction alone does not keep others out: pcscd (1.9.9 to 2.3) looks whether somebody else has
    /// one before a command waits for the reader, and not again when its turn comes. A command that waited from
    /// before the transaction runs in the middle of it, between the PIN and the signature.
    Nobody,
    /// Anybody.
    Anybody,
}

/// A connection. Dropping it resets the card, which closes every PIN.
pub(super) struct Link {
    card: Option<pcsc::Card>,
    wire: Wire,
    given_up: Arc<AtomicBool>,
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// [`CardError::InUse`] if others are connected who may not be, or one of them wants nobody else.
    pub(super) fn connect(
        context: &pcsc::Context,
        reader: &CStr,
        company: Company,
        given_up: &Arc<AtomicBool>,
    ) -> Result<Self, CardError> {
        let mode = match company {
            Company::Nobody => ShareMode::Exclusive,
            Company::Anybody => ShareMode::Shared,
        };
        let card = context.connect(reader, mode, Protocols::ANY)?;
        let wire = Wire::from_atr(card.status2_owned()?.atr());
        Ok(Self { card: Some(card), wire, given_up: Arc::clone(given_up) })
    }

    /// Begins an exclusive transaction.
    ///
    /// # Errors
    /// [`Begin::Reset`] if the card was reset or exchanged since the last one: connect anew and look who it is.
    pub(super) fn exclusive(&mut self) -> Result<Exclusive<'_>, Begin> {
        if self.given_up.load(Ordering::SeqCst) {
            return Err(Begin::Failed(CardError::TimedOut));
        }
        let card = self.card.as_mut().ok_or(Begin::Reset)?;
        match card.transaction() {
            Ok(transaction) => Ok(Exclusive { transaction, wire: &mut self.wire, given_up: &self.given_up }),
            // The old handle of a card that was pulled says so even after it came back.
            Err(pcsc::Error::ResetCard | pcsc::Error::RemovedCard) => Err(Begin::Reset),
            Err(error) => Err(Begin::Failed(error.into())),
        }
    }

    /// Disconnects and leaves the card powered, for programs that use it too. Only when no PIN is open.
    pub(super) fn leave(mut self) {
        if let Some(card) = self.card.take() {
            // A card that went meanwhile is left, too.
            let _ = card.disconnect(Disposition::LeaveCard);
        }
    }
}

/// Why a transaction did not begin.
pub(super) enum Begin {
    /// This connection is to a card that was reset or removed.
    Reset,
    /// Anything else.
    Failed(CardError),
}

/// The card for us alone, until dropped.
pub(super) struct Exclusive<'a> {
    transaction: pcsc::Transaction<'a>,
    wire: &'a mut Wire,
    given_up: &'a AtomicBool,
}

/// An answer with its status word.
pub(super) struct Answer {
    pub(super) data: Vec<u8>,
    pub(super) status: u16,
}

impl Exclusive<'_> {
    /// Sends a command, collects an answer in parts.
    ///
    /// # Errors
    /// Of the transport. A status word other than 9000 is not one.
    pub(super) fn send(&mut self, command: &Command) -> Result<Answer, CardError> {
        let parts = command.serialise(*self.wire).ok_or_else(|| {
            CardError::Unsupported(format!("its {} takes fewer bytes than needed", command.name))
        })?;
        let mut answer = Answer { data: Vec::new(), status: 0x9000 };
        for part in parts {
            answer = self.transmit(&part)?;
            if answer.status != 0x9000 && answer.status >> 8 != 0x61 {
                return Ok(answer);
            }
        }
        // A PIN is accepted by 9000 and by nothing that is fetched afterwards.
        let parts = if command.wants_data() { PARTS } else { 0 };
        for _ in 0..parts {
            let [0x61, length] = answer.status.to_be_bytes() else { break };
            let next = self.transmit(&Command::get_response(length))?;
            answer.data.extend(next.data);
            answer.status = next.status;
        }
        Ok(answer)
    }

    /// Sends a command that must succeed.
    ///
    /// # Errors
    /// [`CardError::Failed`] for any status word but 9000, or of the transport.
    pub(super) fn ask(&mut self, command: &Command) -> Result<Vec<u8>, CardError> {
        let answer = self.send(command)?;
        if answer.status == 0x9000 {
            Ok(answer.data)
        } else {
            Err(CardError::Failed { command: command.name, status: answer.status })
        }
    }

    /// The card said more about itself than its answer to reset did.
    pub(super) fn learn(&mut self, wire: Wire) {
        self.wire.extended |= wire.extended;
        self.wire.chaining |= wire.chaining;
    }

    /// Ends the transaction by resetting the card: whatever PIN is open, is not afterwards.
    pub(super) fn end_with_reset(self) {
        // If it fails the card is gone, and its PIN state with it.
        let _ = self.transaction.end(Disposition::ResetCard);
    }

    fn transmit(&mut self, bytes: &[u8]) -> Result<Answer, CardError> {
        if self.given_up.load(Ordering::SeqCst) {
            // Nobody waits any more: a PIN must not be spent on nobody's behalf.
            return Err(CardError::TimedOut);
        }
        let mut buffer = Zeroizing::new(vec![0; ANSWER]);
        match self.transaction.transmit(bytes, &mut buffer)? {
            [data @ .., high, low] => {
                Ok(Answer { data: data.to_vec(), status: u16::from_be_bytes([*high, *low]) })
            }
            // What a card pulled during a command leaves.
            [] => Err(CardError::Gone),
            [_] => Err(CardError::Reader("it gave one byte for an answer".to_owned())),
        }
    }
}
