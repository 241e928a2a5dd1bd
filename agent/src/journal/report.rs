//! What the server must hear of, and how it lies in the outbox.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, CardIdent, CorrelationId, Digest, LoginName, ServiceName};
use countersign_protocol::message::{HostEvent, OfflineUse};
use countersign_protocol::roster::SignedRoster;
use countersign_protocol::statement::SignedStatement;
use serde::{Deserialize, Serialize};

/// One thing to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// Something happened here.
    Event(HostEvent),
    /// Somebody was let in without the server.
    OfflineUse(Box<OfflineUse>),
}

impl Report {
    /// What people quote.
    #[must_use]
    pub fn correlation(&self) -> &CorrelationId {
        match self {
            Self::Event(event) => &event.correlation,
            Self::OfflineUse(offline) => &offline.correlation,
        }
    }

    /// In a sentence, for the log.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Event(event) => event.told.clone(),
            Self::OfflineUse(offline) => {
                let OfflineUse { account, login, service, at, .. } = offline.as_ref();
                format!("{account} opened {login} by {service} at {at}, without the server")
            }
        }
    }
}

/// A use as it lies in the outbox: the roster, which may be long, is kept once for all its uses.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptUse {
    statement: SignedStatement,
    use_number: u32,
    at: Timestamp,
    correlation: CorrelationId,
    account: AccountName,
    login: LoginName,
    service: ServiceName,
    card: CardIdent,
}

impl KeptUse {
    /// Its two parts.
    pub(super) fn of(offline: OfflineUse) -> (Self, SignedRoster) {
        let OfflineUse { statement, roster, use_number, at, correlation, account, login, service, card } =
            offline;
        (Self { statement, use_number, at, correlation, account, login, service, card }, roster)
    }

    /// Whole again.
    pub(super) fn with(self, roster: SignedRoster) -> OfflineUse {
        let Self { statement, use_number, at, correlation, account, login, service, card } = self;
        OfflineUse { statement, roster, use_number, at, correlation, account, login, service, card }
    }
}

/// A use that the server has put into its ledger as one that should not have been, or will not have at all. It stays
/// here until an administrator has looked at it.
#[derive(Debug, Clone, PartialEq)]
pub struct Disputed {
    /// When somebody was let in.
    pub at: Timestamp,
    /// What people quote.
    pub correlation: CorrelationId,
    /// Whose card it was.
    pub account: AccountName,
    /// Which login name was opened.
    pub login: LoginName,
    /// By which PAM service.
    pub service: ServiceName,
    /// SHA-256 of the statement that was signed.
    pub statement: Digest,
    /// What the server says of it; none if it refused the report.
    pub why: Option<String>,
}

impl Disputed {
    pub(super) fn of(kept: &KeptUse, why: Option<String>) -> Self {
        Self {
            at: kept.at,
            correlation: kept.correlation.clone(),
            account: kept.account.clone(),
            login: kept.login.clone(),
            service: kept.service.clone(),
            statement: Digest::of(&kept.statement.statement.0),
            why,
        }
    }
}
