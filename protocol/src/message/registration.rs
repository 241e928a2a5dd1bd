//! How a person's card becomes the key of an account.

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::clock::Timestamp;
use crate::emergency::EmergencyCode;
use crate::ids::{AccountName, CardIdent, Digest, Fingerprint, MessageId, Nonce};
use crate::message::job::Receipt;
use crate::statement::SignedStatement;

/// "A key with this digest wants to become the key of this account" (W9, W12: the commitment comes first).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationRequest {
    /// The account, made by an administrator.
    pub account: AccountName,
    /// SHA-256 of the user certificate's binary form that [`UserKey`] will bring.
    pub commitment: Digest,
}

/// The same for accounts that exist and accounts that do not (W13).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationReply {
    /// Names this registration: the id of the request.
    pub registration: MessageId,
    /// When it ends.
    pub expires: Timestamp,
}

/// "This is the code I was given."
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationCode {
    /// From [`RegistrationReply`].
    pub registration: MessageId,
    /// As typed.
    pub code: String,
}

/// Right or not. The try was counted before it was compared (W10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[must_use]
pub enum RegistrationCodeReply {
    /// The key may be sent, signed together with this nonce.
    Accepted {
        /// To be the nonce of the `bind-key` statement.
        server_nonce: Nonce,
    },
    /// Wrong, used up, too old, or no such account: the server does not say which.
    Rejected,
}

/// "This is the key, and it is in this person's card now."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserKey {
    /// From [`RegistrationReply`].
    pub registration: MessageId,
    /// The certificate committed to.
    pub certificate: Binary,
    /// A `bind-key` statement on `account/NAME` over this handshake's transcript, signed by that key (W12).
    pub proof: SignedStatement,
    /// The certificate's key in the card's authentication slot, as the host saw it: another that the certificate binds
    /// may lie anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Fingerprint>,
    /// The card it is in, so that it can be revoked by its number once it is lost. Shown, never trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardIdent>,
}

/// "This key is this account's" – the user's counterpart of an enrolment record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationRecord {
    /// The account.
    pub account: AccountName,
    /// Its certificate's primary fingerprint.
    pub certificate: Fingerprint,
    /// The handshake.
    pub transcript: Digest,
    /// The proof that it is in the ledger.
    pub receipt: Receipt,
    /// For the person, to be written down: what opens one login if the card is lost. None if the account has one already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency_code: Option<EmergencyCode>,
}
