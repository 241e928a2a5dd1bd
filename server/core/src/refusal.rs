//! The one opaque "no" outside, and the distinct reason inside (W20).

mod meter;

pub use meter::{Class, Meter, Source, Verdict};

use countersign_protocol::certificate::CertificateError;
use countersign_protocol::envelope::OpenError;
use countersign_protocol::ids::{AccountName, Fingerprint};
use countersign_protocol::message::MessageKind;

/// Why a message was refused. Only the ledger and the log hear it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The envelope itself.
    #[error("{0}")]
    Envelope(#[from] OpenError),
    /// The body is not of the shape its type asks for.
    #[error("not a body of its type: {0}")]
    Body(String),
    /// Signed by keys that together are nobody.
    #[error("the signers are not one application, one instance, or an application and a new key")]
    UnknownSender,
    /// The sender may not send this, or not in its state.
    #[error("a {kind:?} is not permitted for {sender}")]
    NotPermitted {
        /// What was sent.
        kind: MessageKind,
        /// Who sent it, and in what state.
        sender: String,
    },
    /// An instance signed with another key than the announced one.
    #[error("signed by another key than the one announced")]
    NotTheAnnouncedKey,
    /// The handshake's chain does not continue here.
    #[error("the transcript does not continue a handshake of ours")]
    Transcript,
    /// The handshake is over: used, or too old.
    #[error("the handshake was used or has expired")]
    HandshakeOver,
    /// The answer would not fit an envelope.
    #[error("the answer would be {0} bytes, more than an envelope holds; ask for less at once")]
    ReplyTooLarge(usize),
    /// Too many others are on the way.
    #[error("too many handshakes or hosts of this application are waiting")]
    TooManyWaiting,
    /// More watches than an honest host sends.
    #[error("too many watches at once")]
    TooManyWatches,
    /// The key is not the one committed to.
    #[error("the certificate is not the one committed to")]
    Commitment,
    /// The server nonce is not the one given.
    #[error("the server nonce is not the one given")]
    ServerNonce,
    /// The key is or was somebody else's, was enrolled before, or was revoked.
    #[error("a key of the certificate belongs or belonged to another identity, or was revoked")]
    KeyBelongsToAnother,
    /// A key takes no place beside itself, nor its own: whoever ended the one would not have ended the other.
    #[error("a key of the certificate is one that the account {0} has already")]
    KeyIsTheAccounts(AccountName),
    /// Somebody wrote into the database beside the server (W23).
    #[error(
        "{0} was changed in the server's database and not by a request; nothing goes by it: countersign-server check"
    )]
    DatabaseEdited(String),
    /// The enrolment token is wrong, used or too old.
    #[error("the enrolment token is wrong, used or has expired")]
    Token,
    /// Not a certificate, or not one we take.
    #[error("{0}")]
    BadCertificate(String),
    /// Nothing in the certificate can sign now.
    #[error("the certificate has no key that may sign now")]
    NoSigningKey,
    /// A session subkey that would live too long, or for ever.
    #[error("a session subkey has no end, or one more than {0} hours from now")]
    SubkeyLivesTooLong(i64),
    /// Which of them would sign?
    #[error("the certificate has several session subkeys that may sign now")]
    SeveralSessionKeys,
    /// The new certificate has another primary key.
    #[error("the certificate has another primary key")]
    OtherPrimary,
    /// Seen twice: no other key from here.
    #[error("the instance was seen twice; an administrator must decide")]
    Forked,
    /// A later message of the same host was taken already.
    #[error("a later message of this host came before; this one was held up on the way")]
    Late,
    /// The same, if its clock can be believed.
    #[error(
        "a later message of this host came before, but it was dated ahead of the server's clock: the host's clock is wrong, \
         or a copy of it runs whose words are dated ahead so that the true host is not heard"
    )]
    LateByItsClock,
    /// A host goes on with a key that another one replaced.
    #[error(
        "signed by the host key {key} after {successor} had taken its place: a copy of that host runs, or a copy changed its \
         key. Unless it is an old copy: countersign admin host revoke {successor}"
    )]
    HostKeyRetired {
        /// The old one.
        key: Fingerprint,
        /// The one that took its place.
        successor: Fingerprint,
    },
    /// Not waiting for an administrator.
    #[error("the instance is not waiting for approval")]
    InstanceNotPending,
    /// Revoked before.
    #[error("the instance is revoked")]
    InstanceRevoked,
    /// There is one already.
    #[error("a recovery of the account is under way already")]
    RecoveryUnderWay,
    /// Withdrawn, done, too old, or never begun.
    #[error("no such recovery is under way")]
    NoRecovery,
    /// Not waiting for a key.
    #[error("the account is not waiting for a key")]
    AccountNotInvited,
    /// Two people asked for one account with one address.
    #[error("the address became another account's meanwhile")]
    AddressTaken,
    /// The card's own proof is missing or bad (W12).
    #[error("the proof of possession is not good: {0}")]
    Proof(String),
    /// The person's signature on a request is missing or bad (W16).
    #[error("the statement is not good: {0}")]
    Statement(String),
    /// Somebody has a card, and its PIN, whose key is worth nothing any more.
    #[error("signed by {key}, a key of the account {account} that was revoked")]
    KeyRevoked {
        /// Whose it was.
        account: AccountName,
        /// The primary fingerprint.
        key: Fingerprint,
    },
    /// The body is not the one that was signed.
    #[error("the body is not the one the statement names")]
    BodyDigest,
    /// The statement was used before (W15).
    #[error("the statement was used before")]
    StatementUsed,
}

impl Reason {
    /// Why a certificate is not taken.
    #[must_use]
    pub fn certificate(error: CertificateError) -> Self {
        Self::BadCertificate(error.to_string())
    }

    /// What kind of reason it is, for figures: one of a dozen words, nothing of the sender's.
    #[must_use]
    pub const fn family(&self) -> &'static str {
        match self {
            Self::Envelope(error) => match error {
                OpenError::NotDecrypted(_) | OpenError::Suite(_) => "not-decrypted",
                OpenError::Signature(_) | OpenError::KeyNotAlive(_) => "signature",
                OpenError::IntendedRecipient(_) | OpenError::Audience(_) => "recipient",
                OpenError::Skew(_) => "clock",
                OpenError::Replay | OpenError::IdReused => "replay",
                _ => "malformed",
            },
            Self::Body(_) => "malformed",
            Self::UnknownSender | Self::NotPermitted { .. } | Self::NotTheAnnouncedKey => "sender",
            Self::TooManyWaiting | Self::TooManyWatches => "limit",
            Self::KeyBelongsToAnother
            | Self::KeyIsTheAccounts(_)
            | Self::KeyRevoked { .. }
            | Self::HostKeyRetired { .. } => "key",
            Self::Forked | Self::Late | Self::LateByItsClock => "counter",
            Self::Statement(_) | Self::StatementUsed | Self::BodyDigest | Self::Proof(_) => "statement",
            _ => "state",
        }
    }

    /// Whether an administrator must look at it, beyond the one refusal.
    pub const fn class(&self) -> Class {
        match self {
            Self::Envelope(OpenError::IdReused)
            | Self::KeyBelongsToAnother
            | Self::DatabaseEdited(_)
            | Self::KeyRevoked { .. }
            | Self::StatementUsed => Class::Alarm,
            // Hosts try again by themselves, for as long as they run.
            Self::HostKeyRetired { .. } | Self::LateByItsClock => Class::StandingAlarm,
            _ => Class::Refusal,
        }
    }
}

/// Longest reason that is kept: some quote what the sender wrote.
const LONGEST: usize = 300;

/// A reason fit for one line of a log or an entry: not long, and without control characters.
#[must_use]
pub fn short(reason: &str) -> String {
    reason.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_stays_one_short_line() {
        assert_eq!(short("one\ntwo\u{1b}[31m"), "onetwo[31m");
        assert_eq!(short(&"x".repeat(1000)).len(), 300);
    }
}
