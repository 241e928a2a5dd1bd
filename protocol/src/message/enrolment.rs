//! How a host becomes an instance, and how it keeps in touch.

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::clock::Timestamp;
use crate::ids::{
    ApplicationName, CardIdent, Digest, Fingerprint, LoginName, Nonce, ServiceName, VersionName,
};
use crate::roster::SignedRoster;

/// "I am a copy of this application and want to become an instance."
///
/// Signed by the application's key, which every copy holds: it identifies and throttles, and grants nothing (W1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// A fresh certificate with an encryption key, used once: the reply is sealed to it.
    pub ephemeral: Binary,
    /// SHA-256 of the instance certificate's binary form that [`InstanceKey`] will bring (W5).
    pub commitment: Digest,
    /// Makes two hellos of one host different.
    pub nonce: Nonce,
    /// The version of the application, as its copy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionName>,
}

/// "I heard this very hello" (W3): its transcript covers the hello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HelloReply {
    /// To be echoed, so that a recorded key message is worth nothing (W2).
    pub server_nonce: Nonce,
    /// When the handshake ends.
    pub expires: Timestamp,
    /// The application the server took the sender for.
    pub application: ApplicationName,
    /// The version that the hello named was retired: nothing was begun, and no later message will be taken.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub version_retired: bool,
}

/// "This is my key." Signed by the application **and** by the new key (W5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceKey {
    /// The instance's certificate: a primary key that signs, and session subkeys.
    pub certificate: Binary,
    /// From [`HelloReply`].
    pub server_nonce: Nonce,
    /// A single-use enrolment token. Without one the instance waits for an administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What the host calls itself; shown, never trusted.
    pub claimed_hostname: String,
    /// Where the instance's key lives.
    pub key_store: KeyStore,
}

/// Where the instance's key lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum KeyStore {
    /// On an OpenPGP card in the host.
    Card(CardIdent),
    /// In a file that only root can read, sealed by the machine where it can do that.
    Sealed,
}

impl KeyStore {
    /// For the ledger.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Card(ident) => format!("card {ident}"),
            Self::Sealed => "sealed".to_owned(),
        }
    }
}

/// Whether an instance may carry people's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// Known, and waiting for an administrator.
    Pending,
    /// May work.
    Active,
    /// Barred until an administrator lifts it.
    Suspended,
    /// Never again, with this key.
    Revoked,
}

impl InstanceState {
    /// The word used in messages and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }
}

/// "This key is this instance of this application" (W6): the instance compares every field with what it sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentRecord {
    /// The primary fingerprint enrolled.
    pub instance: Fingerprint,
    /// Under this application.
    pub application: ApplicationName,
    /// By this handshake.
    pub transcript: Digest,
    /// May it work, or must an administrator approve it first?
    pub state: InstanceState,
    /// The ledger's verifier key (C2SP signed-note `vkey`), to check receipts with from now on.
    pub ledger_key: String,
    /// The proof that the enrolment is in the ledger.
    pub receipt: crate::message::job::Receipt,
}

/// "I am here; what is new?"
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckIn {
    /// Grows by one with each check-in; saved before it is sent (W25).
    pub counter: u64,
    /// Size of the newest ledger checkpoint this instance has seen; 0 for none.
    pub ledger_size: u64,
    /// Login names that need a card on this host: whom the roster shall name; at most
    /// [`limits::ROSTER_LOGINS`](crate::limits::ROSTER_LOGINS).
    pub logins: Vec<LoginName>,
    /// PAM services of this host: what the roster shall say of logins without the server; at most
    /// [`limits::ROSTER_SERVICES`](crate::limits::ROSTER_SERVICES).
    pub services: Vec<ServiceName>,
    /// The version of the application that runs, as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionName>,
    /// SHA-256 of the server's certificate as this instance has it. None: it is not to be told of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_certificate: Option<Digest>,
}

/// What the server tells an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckInReply {
    /// Of this instance.
    pub state: InstanceState,
    /// Two hosts were seen with this instance's key (W25): session keys are for logins alone, and no other key and no
    /// administration from here until an administrator decides.
    pub forked: bool,
    /// Of the policy in force.
    pub policy_epoch: u64,
    /// Whose cards may open which login name here, online and offline.
    pub roster: SignedRoster,
    /// Another one when anything in this reply changed that a host must act upon; the same however often the
    /// roster is signed anew. Goes into [`Watch`](super::Watch).
    pub revision: Digest,
    /// The newest checkpoint (C2SP signed note).
    pub checkpoint: String,
    /// Proof that the newest checkpoint continues the one of `ledger_size` (C2SP tlog consistency proof).
    pub consistency: Vec<Digest>,
    /// The version that the check-in named was retired: another one should be installed. Nothing else changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub version_retired: bool,
    /// The server's certificate, if it is another one than the instance has: it counts only if the pinned primary key
    /// vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_certificate: Option<Binary>,
}
