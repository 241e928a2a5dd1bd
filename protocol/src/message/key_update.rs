//! New session subkeys of an instance, bound by its primary key.

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::ids::Fingerprint;
use crate::message::job::Receipt;

/// "From now on I sign and decrypt with these." Signed by the instance's primary key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyUpdate {
    /// The whole certificate: the enrolled primary key and the new session subkeys.
    pub certificate: Binary,
    /// The next of the numbers that check-ins carry; saved before it is sent (W25). Whoever has a copy of the
    /// primary key and never checks in is found out by it as well.
    pub counter: u64,
}

/// "Known."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyUpdateReply {
    /// The signing subkey that the server expects from now on.
    pub signing_key: Fingerprint,
    /// The proof that the change is in the ledger.
    pub receipt: Receipt,
}
