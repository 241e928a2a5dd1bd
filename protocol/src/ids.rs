//! Names, fingerprints and numbers. Each is checked once, where it enters; after that the type is the proof.

mod hexadecimal;
mod names;
mod role;

pub use hexadecimal::{CardIdent, Digest, Fingerprint, MessageId, Nonce};
pub use names::{
    AccountName, ApplicationName, CollectionName, CorrelationId, DocumentName, GroupName, LoginName,
    Operation, PolicyName, ResourceName, SeatName, ServiceName, TerminalName, VersionName,
};
pub use role::Role;

/// A value did not have the form its type asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {expected}")]
pub struct InvalidId {
    /// What the type wants, for a person: "an account name (a–z, 0–9, . _ -; 1 to 32 characters)".
    pub expected: &'static str,
}
