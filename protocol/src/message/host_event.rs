//! What happened on a host and must be in the ledger although no card signed it.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{AccountName, CardIdent, CorrelationId, LoginName, ServiceName};
use crate::message::job::Receipt;

/// One event, signed by the instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostEvent {
    /// What happened.
    pub event: HostEventKind,
    /// When, by the host's clock.
    pub at: Timestamp,
    /// What the person was told to quote.
    pub correlation: CorrelationId,
    /// For which login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginName>,
    /// For which account, where the card told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
    /// By which PAM service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// With which card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardIdent>,
    /// The sentence the person saw.
    pub told: String,
}

/// What kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostEventKind {
    /// The card did not accept the PIN.
    WrongPin,
    /// The card accepts no PIN any more.
    CardBlocked,
    /// The card took the PIN and did not have it a moment later, as if another program had used it.
    PinTaken,
    /// The card's signature was not one.
    BadSignature,
    /// Two cards bore one number.
    CardTwice,
    /// An emergency code that was typed while the server could not be reached was not accepted.
    WrongEmergencyCode,
    /// The card went away while it was needed.
    CardPulled,
    /// A person away from the card's seat asked for it.
    RemoteSession,
    /// A login ended without an answer from the server.
    NoAnswer,
    /// The server's answer was not one to our request.
    BadAnswer,
    /// An administrator of the host had it take a ledger that does not continue the one it knew.
    LedgerAccepted,
    /// The server allowed a login, and nobody was there any more to open it.
    NeverOpened,
    /// A session began.
    SessionOpened,
    /// A session ended.
    SessionClosed,
    /// A card was taken out whose session is locked or ended without it.
    CardRemoved,
    /// A login went without a card, because one a moment ago had it: as root set this host up.
    ConsentReused,
    /// The person of a login gave their card another PIN.
    PinChanged,
    /// The person of a login gave their blocked card another PIN.
    CardUnblocked,
    /// Root put the rescue file in place: nobody is asked for a card on this host.
    RescueBegan,
    /// The rescue file is gone: cards are asked for again.
    RescueEnded,
}

/// "It is in the ledger."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostEventReply {
    /// The proof.
    pub receipt: Receipt,
}
