//! What can go wrong with a card, as a person reads it.

use countersign_protocol::ids::{CardIdent, Fingerprint};
use countersign_protocol::ipc::CardSlot;

use super::pin::PinKind;

use crate::holder::Holder;

/// Why the card did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// The PIN was sent once and is not the card's.
    #[error("wrong PIN; {} left before the card blocks itself", tries_in_words(*tries))]
    WrongPin {
        /// Tries left.
        tries: u8,
    },
    /// The same for the admin PIN.
    #[error("wrong admin PIN; {} left, after which only a factory reset helps", tries_in_words(*tries))]
    WrongAdminPin {
        /// Tries left.
        tries: u8,
    },
    /// The PIN was sent once, and the card neither took it nor counted it.
    #[error(
        "the card did not take the PIN, and did not count it as a wrong one either; pull it out, put it in and try again"
    )]
    PinNotCounted,
    /// The card takes no PIN any more.
    #[error(
        "the card is blocked: no tries are left. Unblock it with its admin PIN or its resetting code: countersign card unblock"
    )]
    Blocked,
    /// The card takes no admin PIN any more.
    #[error(
        "the card's admin PIN is blocked; only a factory reset helps (countersign card factory-reset), and it erases the keys"
    )]
    AdminBlocked,
    /// One try is left and nobody said that it may be spent. Nothing was sent.
    #[error("only one try is left; a wrong PIN now would block the card. Confirm that you mean to use it")]
    LastTry,
    /// The same for the admin PIN.
    #[error(
        "only one try is left for the admin PIN; a wrong one would cost the card. Enter it right once with: countersign card change-pin --admin"
    )]
    AdminLastTry,
    /// The resetting code was sent once and is not the card's.
    #[error("wrong resetting code; {} left, after which only the admin PIN unblocks the card", tries_in_words(*tries))]
    WrongResetCode {
        /// Tries left.
        tries: u8,
    },
    /// There is no resetting code, or its tries are used up: cards tell both the same way.
    #[error(
        "the card has no resetting code, or its tries are used up; unblock the card with its admin PIN: countersign card unblock --admin-pin"
    )]
    NoResetCode,
    /// One try is left for the resetting code and nobody said that it may be spent.
    #[error(
        "only one try is left for the resetting code; confirm that you mean to use it, or use the admin PIN: countersign card unblock --admin-pin"
    )]
    ResetCodeLastTry,
    /// Somebody spent tries since the person was told how many are left. Nothing was sent.
    #[error("another program used up PIN tries meanwhile: {} left instead of {shown}. Nothing was sent; try again", tries_in_words(*now))]
    TriesChanged {
        /// What the prompt said.
        shown: u8,
        /// What the card says.
        now: u8,
    },
    /// The card left the reader, or its reader left.
    #[error("the card was pulled out; put it in and try again")]
    Gone,
    /// Another card lies in the reader now. Nothing was sent.
    #[error(
        "another card is in the reader now ({found}); nothing was sent to it. Put in {expected} and try again"
    )]
    Swapped {
        /// Whom the PIN was for.
        expected: CardIdent,
        /// Who is there.
        found: CardIdent,
    },
    /// Two cards in the readers bear this number. Nothing was sent to either.
    #[error(
        "two cards in the readers say that they are {0}, and one of them must be a copy; nothing was sent to either. Pull out the one that you do not know, and tell an administrator"
    )]
    Twice(CardIdent),
    /// The card waited for a touch.
    #[error("the card was not touched in time; try again and touch it when it blinks")]
    TouchTimeout,
    /// The card took longer than allowed; its worker was given up.
    #[error(
        "the card did not answer in time; pull it out, put it in and try again. If a PIN was typed, a try may be spent"
    )]
    TimedOut,
    /// A command from before is still unanswered; nothing was sent.
    #[error("the card still does not answer an earlier command; pull it out and put it in again")]
    NotAnswering,
    /// Another request has the card.
    #[error("the card is busy with another request; try again in a moment")]
    Busy,
    /// Other requests have the card, and it did not come to this one.
    #[error("the card is in use by {by}{}; try again in a moment", if *crowded { ", and too many wait for it already" } else { "" })]
    Occupied {
        /// Who has it.
        by: String,
        /// Too many wait; otherwise the time was up.
        crowded: bool,
    },
    /// Another program has the card, which nobody else gets meanwhile.
    #[error("{0} has the card and does not let go; {way}", way = .0.way_out())]
    InUse(Holder),
    /// The PIN was accepted, and not good for the signature a moment later.
    #[error(
        "the card forgot the PIN between accepting and using it, as if another program had used it; see which programs talk to the card, and change its PIN"
    )]
    PinTaken,
    /// The reader gets no answer to its reset.
    #[error("the card in the reader is mute; take it out, look which way round it goes, and put it in again")]
    Mute,
    /// Some other card.
    #[error("this is not an OpenPGP card")]
    NotOpenPgp,
    /// Somebody began to erase it and did not finish.
    #[error("the card was being erased, which broke off; finish it with: countersign card factory-reset")]
    Terminated,
    /// The signature slot is empty.
    #[error("the card holds no signature key; make one with: countersign card init, or countersign register")]
    NoKey,
    /// The decryption slot is empty.
    #[error(
        "the card holds no decryption key, so that it opens nothing; put in the card that holds one, or make new keys on this one: countersign key rotate"
    )]
    NoDecryptionKey,
    /// The card holds another decryption key than the one that something is sealed to.
    #[error(
        "another key is in the card's decryption slot now ({found}); nothing was sent to it. Put in the card with {expected} and try again"
    )]
    DecryptionKeyMismatch {
        /// The key that was there.
        expected: Fingerprint,
        /// The key in the slot.
        found: Fingerprint,
    },
    /// What came out is no session key.
    #[error("the card's key does not open it: it is damaged, or sealed to another key; ask for it once more")]
    NotDeciphered,
    /// Keys would be overwritten.
    #[error(
        "the card holds keys already; adopt them with their certificate (countersign card adopt), replace them (countersign card generate), or erase the card (countersign card factory-reset)"
    )]
    HoldsKeys,
    /// A new PIN cannot be used.
    #[error("the new {which} cannot be used: {why}")]
    NewPin {
        /// Which.
        which: PinKind,
        /// Why not.
        why: &'static str,
    },
    /// The card holds another key than asked for.
    #[error("the card holds the signature key {found}, not {expected}")]
    KeyMismatch {
        /// The registered key.
        expected: Fingerprint,
        /// The key in the slot.
        found: Fingerprint,
    },
    /// The certificate does not hold the key.
    #[error(
        "the certificate has no signing key {0} that is valid now; check it with: gpg --list-keys --with-subkey-fingerprints"
    )]
    NotInCertificate(Fingerprint),
    /// The certificate does not fit the card, or is not acceptable.
    #[error("{what}. What helps: {fix}")]
    NotAdoptable {
        /// Why not.
        what: String,
        /// What to do.
        fix: String,
    },
    /// The key is of a kind that cannot be used.
    #[error("keys of this kind cannot be used: {0}")]
    UnsupportedKey(String),
    /// The card cannot do it.
    #[error("the card cannot do this: {0}")]
    Unsupported(String),
    /// Its touch policy is there to stay.
    #[error(
        "the card's touch policy for its {0} key is fixed; only erasing the card changes it (countersign card factory-reset)"
    )]
    TouchFixed(CardSlot),
    /// The signature that came back is not one: a broken card, or somebody in between.
    #[error("the card returned a signature that does not verify; do not use this card")]
    BadSignature,
    /// A stored PIN was refused before and is not tried again.
    #[error(
        "the stored PIN of card {0} was refused; it is not tried again until the card is put in anew. Correct the stored PIN"
    )]
    StoredPinRefused(CardIdent),
    /// No card, or not this one, is in a reader.
    #[error("the card is in no reader any more; put it in and try again")]
    NoCard,
    /// The caller gave up waiting.
    #[error("cancelled")]
    Cancelled,
    /// pcscd is not there.
    #[error("the card service does not answer; start it with: systemctl start pcscd.socket")]
    NoService,
    /// The card's answer makes no sense.
    #[error("the card's answer to {command} makes no sense: {what}; pull it out, put it in and try again")]
    Malformed {
        /// Which command.
        command: &'static str,
        /// What is wrong.
        what: String,
    },
    /// The card refused a command.
    #[error(
        "the card refused {command} with {status:04X}: {}; pull it out, put it in and try again",
        in_words(*status)
    )]
    Failed {
        /// Which command.
        command: &'static str,
        /// The status word.
        status: u16,
    },
    /// The reader failed.
    #[error("the card reader failed: {0}; pull the card out, put it in and try again")]
    Reader(String),
    /// OpenPGP failed around the card.
    #[error("the signature could not be made: {0}")]
    OpenPgp(String),
}

impl CardError {
    /// A PIN of this kind was wrong.
    pub(super) const fn wrong(kind: PinKind, tries: u8) -> Self {
        match kind {
            PinKind::User => Self::WrongPin { tries },
            PinKind::Admin => Self::WrongAdminPin { tries },
            PinKind::ResetCode => Self::WrongResetCode { tries },
        }
    }

    /// No try is left.
    #[must_use]
    pub const fn blocked(kind: PinKind) -> Self {
        match kind {
            PinKind::User => Self::Blocked,
            PinKind::Admin => Self::AdminBlocked,
            PinKind::ResetCode => Self::NoResetCode,
        }
    }

    /// One try is left, and may not be spent.
    #[must_use]
    pub const fn last_try(kind: PinKind) -> Self {
        match kind {
            PinKind::User => Self::LastTry,
            PinKind::Admin => Self::AdminLastTry,
            PinKind::ResetCode => Self::ResetCodeLastTry,
        }
    }
}

fn tries_in_words(tries: u8) -> String {
    match tries {
        0 => "no try".to_owned(),
        1 => "1 try".to_owned(),
        n => format!("{n} tries"),
    }
}

fn in_words(status: u16) -> String {
    let [high, low] = status.to_be_bytes();
    openpgp_card::ocard::StatusBytes::from((high, low)).to_string()
}

impl From<pcsc::Error> for CardError {
    fn from(error: pcsc::Error) -> Self {
        use pcsc::Error as E;
        match error {
            E::SharingViolation => Self::InUse(Holder::default()),
            // CommError: pcscd died during the call. InvalidHandle: it was restarted since. SecurityViolation: seen
            // when it is killed at the wrong moment; root is refused nothing.
            E::NoService
            | E::ServiceStopped
            | E::CommError
            | E::InvalidHandle
            | E::SecurityViolation
            | E::Shutdown => Self::NoService,
            E::RemovedCard
            | E::NoSmartcard
            | E::UnpoweredCard
            | E::UnknownReader
            | E::ReaderUnavailable
            | E::NotTransacted
            | E::CommDataLost => Self::Gone,
            E::UnresponsiveCard => Self::Mute,
            other => Self::Reader(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_and_how_many() {
        assert_eq!(
            CardError::WrongPin { tries: 1 }.to_string(),
            "wrong PIN; 1 try left before the card blocks itself"
        );
        let failed = CardError::Failed { command: "SELECT", status: 0x6A82 };
        assert_eq!(
            failed.to_string(),
            "the card refused SELECT with 6A82: File or application not found; pull it out, put it in and try again"
        );
    }
}
