//! What jobs yield, and the bodies they take.

mod administration;
mod application;
mod collection;
mod contact;
mod document;
mod emergency;
mod policy;
mod queue;
mod recovery;
mod request;

pub use administration::{
    AccountChanged, AccountErased, AccountList, AccountShown, AccountUpdate, InstanceChanged, InstanceList,
    InstanceShown, KeyRevoked, KeyShown, ListAfter,
};

pub use application::{
    ApplicationChanged, ApplicationList, ApplicationShown, NamedVersion, NewVersion, VersionChanged,
    VersionShown,
};
pub use collection::{
    Access, Appointment, CollectionList, CollectionShown, CollectionUpdate, Grant, NewCollection,
};
pub use contact::{ContactCode, ContactList, ContactShown, NamedContact, NewContact};
pub use document::{
    Document, DocumentAsked, DocumentChanged, DocumentList, DocumentRemoval, DocumentShown, DocumentUpdate,
    DocumentsAsked,
};
pub use emergency::{EmergencyCodeMade, EmergencyUsed, SessionOpened};
pub use queue::{JobList, JobShown};
pub use recovery::{
    RecoveryApproval, RecoveryCodeMade, RecoveryList, RecoveryShown, RecoveryTold, RevokedBy,
};
pub use request::{
    ApprovalComment, ApprovalShown, NoState, RequestAsked, RequestChanged, RequestList, RequestShown,
    RequestState,
};

pub use policy::{
    ExplainAsked, OwnDecision, PolicyAsked, PolicyChanged, PolicyCondition, PolicyExplained, PolicyList,
    PolicyNamed, PolicyQuestion, PolicyRemoval, PolicyShown, PolicyText, PolicyVersion, PolicyWhy,
};

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::ids::{AccountName, ApplicationName, Digest, Fingerprint, LoginName, Role};
use crate::statement::SignedStatement;
use crate::totp::TotpSecret;

/// Body of `create` on `account/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Login names that the account may open, on any host whose policy lets it.
    pub logins: Vec<LoginName>,
    /// What it is there for.
    pub roles: Vec<Role>,
    /// Whether the person needs an authenticator program beside the code.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub totp: bool,
}

/// Result of `create` on `account/NAME`: to be handed to the person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountCreated {
    /// The account.
    pub account: AccountName,
    /// The one-time code with which its key is registered.
    pub code: String,
    /// When the code dies.
    pub expires: crate::clock::Timestamp,
    /// For the person's authenticator program, where one is needed beside the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<TotpSecret>,
}

/// The file an application ships with, made by `init` or by `create` on `application/NAME`, handed out once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationBundle {
    /// The application's name.
    pub application: ApplicationName,
    /// The application's secret key (OpenPGP, binary). It identifies and throttles; it grants nothing.
    pub secret_key: Binary,
    /// The server's certificate (OpenPGP, binary).
    pub server_certificate: Binary,
    /// Where the server listens, `http://host:port` or `https://…`.
    pub server_url: String,
}

/// Result of `create` on `enrolment-token/NAME`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenCreated {
    /// The token, to be used by one host once.
    pub token: String,
    /// When it dies.
    pub expires: crate::clock::Timestamp,
}

/// Result of `approve` on `instance/KEY-WORDS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceApproved {
    /// The instance that may work from now on.
    pub instance: Fingerprint,
    /// What it calls itself.
    pub claimed_hostname: String,
}

/// Body of `read` on `ledger/entries`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerRange {
    /// First index wanted.
    pub from: u64,
}

/// Result of `read` on `ledger/entries`: as many entries from `from` on as fit one reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerPage {
    /// Index of the first entry here.
    pub from: u64,
    /// The entries, in order.
    pub entries: Vec<ExportedEntry>,
    /// The checkpoint they belong to.
    pub checkpoint: String,
    /// Size of the tree of that checkpoint.
    pub size: u64,
    /// The ledger's verifier key.
    pub ledger_key: String,
    /// Certificates of the accounts whose statements are here (OpenPGP, binary).
    pub certificates: Vec<Binary>,
}

/// One entry with the evidence that lies beside the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedEntry {
    /// Its exact bytes in the log.
    pub entry: Binary,
    /// The salted evidence that the entry names by digest, unless it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// A signed statement kept beside the log, so that it can be erased without breaking it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// 32 random bytes: without them the entry's digest betrays nothing.
    pub salt: Binary,
    /// What was signed, and the signature.
    pub signed: SignedStatement,
}

impl Evidence {
    /// What the entry names: SHA-256 over salt, statement and signature, each behind its length.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut bytes = Vec::new();
        for part in [&self.salt, &self.signed.statement, &self.signed.signature] {
            let length = u64::try_from(part.0.len()).unwrap_or(u64::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&part.0);
        }
        Digest::of(&bytes)
    }
}
