//! How a person's card becomes the key of an account.

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::clock::Timestamp;
use crate::contact::Address;
use crate::emergency::EmergencyCode;
use crate::ids::{AccountName, CardIdent, Digest, Fingerprint, MessageId, Nonce};
use crate::message::job::Receipt;
use crate::message::recovery::RecoveryBegun;
use crate::recovery::RecoveryCode;
use crate::statement::SignedStatement;
use crate::totp::TotpSecret;

/// "A key with this digest wants to become the key of this account" (W9, W12: the commitment comes first).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationRequest {
    /// The account: made by an administrator, or to be made.
    pub account: AccountName,
    /// SHA-256 of the user certificate's binary form that [`UserKey`] will bring.
    pub commitment: Digest,
    /// Without an administrator: by what the person shows that they can be reached. None for an account that an
    /// administrator made, whose person was given a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<RegistrationMethod>,
}

/// How a person registers alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum RegistrationMethod {
    /// A code is sent there.
    Message(Address),
    /// The server makes a secret for an authenticator program (W7). It shows nothing about who the person is: the
    /// account has no role until an administrator gives it one (W8).
    Totp,
    /// By the recovery code of an account whose cards are lost: the key waits for administrators, and for a day.
    Recovery,
}

/// The same for accounts that exist and accounts that do not, and for addresses that are known, unknown, or have had too
/// many messages (W13).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationReply {
    /// Names this registration: the id of the request.
    pub registration: MessageId,
    /// When it ends.
    pub expires: Timestamp,
    /// For the person's authenticator program, where they register by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<TotpSecret>,
    /// Nothing was begun, whoever asks: this server does not do this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<Unavailable>,
}

/// Why nobody registers like this here. It follows from the server's settings and the request alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unavailable {
    /// Accounts are made by administrators, or by another method.
    Method,
    /// Not with an address of this mail domain.
    Domain,
    /// Too many people of this host did it a moment ago, or today, or too many of all hosts.
    Now,
}

/// "This is the code I was given."
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationCode {
    /// From [`RegistrationReply`].
    pub registration: MessageId,
    /// As typed.
    pub code: String,
    /// What the authenticator program shows, where an administrator wanted that beside the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<String>,
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
    /// For the person, to be written down: what another card is asked for with, if all are lost. None if the account has
    /// one already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_code: Option<RecoveryCode>,
    /// Of a registration by a recovery code: the key is not the account's yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<RecoveryBegun>,
}
