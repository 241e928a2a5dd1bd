//! What a person's card signs: small JSON that the person could read.

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::clock::Timestamp;
use crate::ids::{
    AccountName, Digest, Fingerprint, LoginName, Nonce, Operation, ResourceName, SeatName, ServiceName,
    TerminalName,
};
use crate::limits;

/// One request by one person, on one host, to one server.
///
/// Naming instance and server inside what the card signs is what stops a signature from being lifted out
/// of its envelope and used elsewhere (W4, W16).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Always [`Purpose::Statement`]: no other signature of this key can be mistaken for a statement.
    pub countersign: Purpose,
    /// Only to be tried: the server decides, records that, and does nothing. Left out where it is meant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// What is asked: `open-session`, `create`, `bind-key` …
    pub operation: Operation,
    /// On what: `session/<instance fingerprint>`, `account/ana` …
    pub resource: ResourceName,
    /// Whose card this is, in the server's words.
    pub account: AccountName,
    /// For `open-session`: the login name of this host that the session is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginName>,
    /// For `open-session`: the PAM service that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// What the calling program says of itself and nobody checked, such as sudo's command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<String>,
    /// For `open-session`: where the person is, as the instance knows by its kernel and logind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The instance whose envelope carries this.
    pub instance: Fingerprint,
    /// The server it is meant for.
    pub server: Fingerprint,
    /// When it was made.
    pub time: Timestamp,
    /// When it is worth nothing any more; at most [`limits::STATEMENT_LIFE`] after `time`.
    pub expires: Timestamp,
    /// Used once.
    pub nonce: Nonce,
    /// SHA-256 of the body that goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Digest>,
    /// For `approve` on `request/ID`: SHA-256 of the statement that waits for it, so that the signature itself says what it is
    /// for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approves: Option<Digest>,
    /// For `bind-key`: the handshake this proof of possession belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Digest>,
}

/// Where somebody is who wants a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// At the machine, or elsewhere.
    pub from: Whence,
    /// The seat, where logind keeps any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<SeatName>,
    /// The controlling terminal of the program that asks, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<TerminalName>,
}

/// At the machine, or elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whence {
    /// At the seat of the card readers.
    Local,
    /// Over the network.
    Remote,
}

impl Whence {
    /// The word in statements and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
        }
    }
}

impl Place {
    /// Somewhere at the machine.
    pub const LOCAL: Self = Self { from: Whence::Local, seat: None, terminal: None };

    /// Somewhere else.
    pub const REMOTE: Self = Self { from: Whence::Remote, seat: None, terminal: None };
}

/// The mark by which a statement is told from anything else the key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Version 1 of a statement.
    #[serde(rename = "statement-1")]
    Statement,
}

/// A statement and the card's detached OpenPGP signature over exactly these bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedStatement {
    /// The bytes that were signed: the JSON of a [`Statement`].
    pub statement: Binary,
    /// A binary detached signature (RFC 9580, 10.4).
    pub signature: Binary,
}

/// A statement could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Over [`limits::STATEMENT`].
    #[error("the statement is {0} bytes, more than {max} are never signed", max = limits::STATEMENT)]
    TooLarge(usize),
    /// Not the JSON of a statement.
    #[error("not a statement: {0}")]
    Malformed(String),
    /// Its life is longer than allowed, or ends before it begins.
    #[error("the statement claims to live {0} s; at most {max} s are allowed", max = limits::STATEMENT_LIFE)]
    BadLife(i64),
}

impl Statement {
    /// The bytes to sign.
    ///
    /// # Errors
    /// [`StatementError`] if the statement breaks its own rules.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StatementError> {
        let bytes =
            serde_json::to_vec_pretty(self).map_err(|error| StatementError::Malformed(error.to_string()))?;
        Self::from_bytes(&bytes).map(|_| bytes)
    }

    /// Reads signed bytes back.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StatementError> {
        if bytes.len() > limits::STATEMENT {
            return Err(StatementError::TooLarge(bytes.len()));
        }
        // The library would take a list of the values of all fields as well, and who reads that?
        if bytes.first() != Some(&b'{') {
            return Err(StatementError::Malformed("not an object".into()));
        }
        let statement: Self =
            serde_json::from_slice(bytes).map_err(|error| StatementError::Malformed(error.to_string()))?;
        let is_approval =
            statement.operation.as_str() == "approve" && statement.resource.collection() == "request";
        if statement.approves.is_some() != is_approval {
            let what = "a statement names another one if it is `approve` on `request/ID`, and only then";
            return Err(StatementError::Malformed(what.to_owned()));
        }
        let life = statement.expires.seconds_since(statement.time);
        if !(1..=limits::STATEMENT_LIFE).contains(&life) {
            return Err(StatementError::BadLife(life));
        }
        Ok(statement)
    }
}
