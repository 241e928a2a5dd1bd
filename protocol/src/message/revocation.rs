//! A revocation certificate: a key that says of itself that it is over.

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::ids::{AccountName, Fingerprint};
use crate::message::job::Receipt;

/// "This key is over." The certificate is its own authority: nobody but the key can have made it, and no card is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// A revocation signature (OpenPGP, binary), by itself or in a certificate.
    pub certificate: Binary,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationReply {
    /// Whose key it was; none if the certificate revokes no key that an account has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
    /// Primary fingerprint of the key that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Fingerprint>,
    /// For the person.
    pub reason: String,
    /// The proof that this is in the ledger.
    pub receipt: Receipt,
}
