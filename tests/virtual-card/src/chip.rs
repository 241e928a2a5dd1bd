//! From APDUs on the wire to whole commands for the firmware, and back.
//!
//! The firmware wants complete commands and gives complete answers; command chaining and
//! GET RESPONSE (ISO 7816-4 5.1.1 and 5.1.5) are the reader side's business.

use heapless::Vec as Bounded;
use iso7816::command::FromSliceError;
use iso7816::{Command, Instruction, Status};

/// Longest command and answer, with room for an RSA-4096 key and a cardholder certificate.
const LIMIT: usize = 7609;

/// A card that answers APDUs.
pub(crate) trait Chip {
    /// Answers one APDU: data and status word.
    fn transmit(&mut self, apdu: &[u8]) -> Vec<u8>;

    /// Power lost or reset: verified PINs are forgotten.
    fn reset(&mut self);
}

/// The OpenPGP application on a card.
pub(crate) struct OpenPgpChip<C: opcard::Client> {
    card: opcard::Card<C>,
    /// Blocks of a chained command so far.
    chain: Option<Command<LIMIT>>,
    /// Answer bytes not fetched yet.
    rest: Vec<u8>,
}

impl<C: opcard::Client> OpenPgpChip<C> {
    pub(crate) fn new(client: C, options: opcard::Options) -> Self {
        Self { card: opcard::Card::new(client, options), chain: None, rest: Vec::new() }
    }

    fn answer(&mut self, apdu: &[u8]) -> Result<Vec<u8>, Status> {
        let block = Command::<LIMIT>::try_from(apdu).map_err(status_of)?;
        let more = !block.class().chain().last_or_only();
        let command = match self.chain.take() {
            Some(mut chain) => {
                chain.extend_from_command(&block).map_err(|_| Status::WrongLength)?;
                chain
            }
            None => block,
        };
        if more {
            self.chain = Some(command);
            return Ok(with_status(Vec::new(), Status::Success));
        }
        if command.instruction() != Instruction::GetResponse {
            self.rest.clear();
            let mut reply = Bounded::<u8, LIMIT>::new();
            self.card.handle(command.as_view(), &mut reply)?;
            self.rest.extend_from_slice(&reply);
        }
        let tail = self.rest.split_off(command.expected().min(self.rest.len()));
        let part = std::mem::replace(&mut self.rest, tail);
        let status = match self.rest.len() {
            0 => Status::Success,
            left => Status::MoreAvailable(u8::try_from(left).unwrap_or(u8::MAX)),
        };
        Ok(with_status(part, status))
    }
}

impl<C: opcard::Client> Chip for OpenPgpChip<C> {
    fn transmit(&mut self, apdu: &[u8]) -> Vec<u8> {
        self.answer(apdu).unwrap_or_else(|status| with_status(Vec::new(), status))
    }

    fn reset(&mut self) {
        self.card.reset();
        self.chain = None;
        self.rest.clear();
    }
}

fn with_status(mut data: Vec<u8>, status: Status) -> Vec<u8> {
    let status: [u8; 2] = status.into();
    data.extend_from_slice(&status);
    data
}

fn status_of(error: FromSliceError) -> Status {
    match error {
        FromSliceError::TooShort | FromSliceError::TooLong | FromSliceError::InvalidSliceLength => {
            Status::WrongLength
        }
        FromSliceError::InvalidClass => Status::ClassNotSupported,
        FromSliceError::InvalidFirstBodyByteForExtended => Status::UnspecifiedCheckingError,
    }
}
