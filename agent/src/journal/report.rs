//! What the server must hear of, and how it lies in the outbox.

use countersign_protocol::binary::Binary;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, CardIdent, CorrelationId, Digest, LoginName, ServiceName};
use countersign_protocol::message::{HostEvent, OfflineEmergency, OfflineUse};
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
    /// Somebody was let in without the server and without a card.
    OfflineEmergency(Box<OfflineEmergency>),
}

impl Report {
    /// What people quote.
    #[must_use]
    pub fn correlation(&self) -> &CorrelationId {
        match self {
            Self::Event(event) => &event.correlation,
            Self::OfflineUse(offline) => &offline.correlation,
            Self::OfflineEmergency(offline) => &offline.correlation,
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
            Self::OfflineEmergency(offline) => {
                let OfflineEmergency { account, login, service, at, .. } = offline.as_ref();
                format!(
                    "the emergency code of {account} opened {login} by {service} at {at}, without the server"
                )
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

/// The same of an emergency code.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptEmergency {
    emergency: Binary,
    at: Timestamp,
    correlation: CorrelationId,
    account: AccountName,
    login: LoginName,
    service: ServiceName,
}

impl KeptEmergency {
    /// Its two parts.
    pub(super) fn of(offline: OfflineEmergency) -> (Self, SignedRoster) {
        let OfflineEmergency { statement: emergency, roster, at, correlation, account, login, service } =
            offline;
        (Self { emergency, at, correlation, account, login, service }, roster)
    }

    /// Whole again.
    fn with(self, roster: SignedRoster) -> OfflineEmergency {
        let Self { emergency: statement, at, correlation, account, login, service } = self;
        OfflineEmergency { statement, roster, at, correlation, account, login, service }
    }
}

/// Either, as it is read back: no field of one is missing in the other without its being told apart.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Kept {
    Use(KeptUse),
    Emergency(KeptEmergency),
}

impl Kept {
    /// Whole again.
    pub(super) fn with(self, roster: SignedRoster) -> Report {
        match self {
            Self::Use(kept) => Report::OfflineUse(Box::new(kept.with(roster))),
            Self::Emergency(kept) => Report::OfflineEmergency(Box::new(kept.with(roster))),
        }
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
    pub(super) fn of(kept: &Kept, why: Option<String>) -> Self {
        match kept {
            Kept::Use(kept) => Self::of_use(kept, why),
            Kept::Emergency(kept) => Self {
                at: kept.at,
                correlation: kept.correlation.clone(),
                account: kept.account.clone(),
                login: kept.login.clone(),
                service: kept.service.clone(),
                statement: Digest::of(&kept.emergency.0),
                why,
            },
        }
    }

    fn of_use(kept: &KeptUse, why: Option<String>) -> Self {
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
