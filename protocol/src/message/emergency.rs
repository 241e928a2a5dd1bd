//! A login by a code on paper, where the card is not at hand.

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::clock::Timestamp;
use crate::emergency::EmergencyCode;
use crate::ids::{AccountName, CorrelationId, LoginName, ServiceName};
use crate::roster::SignedRoster;

/// "Somebody at my console knows the emergency code of this account." Answered as a
/// [`JobRequest`](super::JobRequest) is, by a [`JobReply`](super::JobReply).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmergencyUse {
    /// The JSON of a [`Statement`](crate::statement::Statement) `open-session`, as a card would sign it for this login.
    /// Nobody signed it; its digest, which the code is no part of, names the request.
    pub statement: Binary,
    /// As typed.
    pub code: EmergencyCode,
}

/// The same, decided by the host while it could not reach the server. The code itself is not in it: the host forgot it.
///
/// Answered as an [`OfflineUse`](super::OfflineUse) is, by an [`OfflineUseReply`](super::OfflineUseReply).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfflineEmergency {
    /// As in [`EmergencyUse`].
    pub statement: Binary,
    /// The roster with the verifier that the code was compared with, as the server signed it.
    pub roster: SignedRoster,
    /// When it was decided, in the server's time as far as the host knew it.
    pub at: Timestamp,
    /// What the person was told to quote.
    pub correlation: CorrelationId,
    /// Whose code it was.
    pub account: AccountName,
    /// Which login name was opened.
    pub login: LoginName,
    /// By which PAM service.
    pub service: ServiceName,
}
