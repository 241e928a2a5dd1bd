//! How things stand on a host.

use serde::{Deserialize, Serialize};

use super::{CardReport, JournalEntry};
use crate::clock::Timestamp;
use crate::ids::{AccountName, CardIdent, CorrelationId, Fingerprint, LoginName};

/// How things stand. Who is not root is shown no more than what is theirs: cards only at their seat, decisions and
/// requests only about themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusReport {
    /// The agent's version.
    pub version: String,
    /// Now, by the server's clock as far as this host knows it. Everything here is older or younger than this.
    pub at: Timestamp,
    /// This instance, if the host is enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Fingerprint>,
    /// Its key words, for an administrator to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_words: Option<String>,
    /// `not-enrolled`, `pending`, `active`, `suspended`, `revoked`.
    pub state: String,
    /// The server's last word to this host was a refusal: it lets nobody in by itself until there is another.
    pub refused: bool,
    /// Where the instance's key lives, in words: "card FFFE:00000001", "file, readable by root only" …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_store: Option<String>,
    /// When the session subkeys end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_keys_until: Option<Timestamp>,
    /// Why there will be no others after them, as things stand, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_trouble: Option<String>,
    /// The server has seen two hosts with this host's key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forked: bool,
    /// The developer of this host's application retired the version that runs here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub version_retired: bool,
    /// What this process could not have of its own protection, in a sentence each.
    pub weaknesses: Vec<String>,
    /// The server, if the host is enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerReport>,
    /// Who may log in with a card here, by the roster that this host holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roster: Option<RosterReport>,
    /// The cards; none at all for somebody away from their seat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cards: Option<CardsReport>,
    /// The last decisions, the newest last.
    pub decisions: Vec<JournalEntry>,
    /// Events on their way to the ledger.
    pub reports: ReportCounts,
    /// Requests whose outcome is not known yet, the oldest first.
    pub unsettled: Vec<UnsettledReport>,
    /// The local journal.
    pub journal: JournalReport,
}

/// The server as this host sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerReport {
    /// Its address.
    pub url: String,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// When it last answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_answer: Option<Timestamp>,
    /// Its clock minus ours, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset: Option<i64>,
    /// What went wrong last, if the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Its ledger did not continue what this host had seen of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<String>,
}

/// Who may log in with a card here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterReport {
    /// When it was made, in the server's time.
    pub from: Timestamp,
    /// When it ends, in the server's time.
    pub until: Timestamp,
    /// How many login names it has. Only the first of many are shown.
    pub count: u64,
    /// How many login names need a card on this host and are not in it, if any: there are more than fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u64>,
    /// The login names.
    pub logins: Vec<RosterLogin>,
}

/// One login name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterLogin {
    /// The login name.
    pub login: LoginName,
    /// Whose cards open it; shown to root alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<RosterUse>,
}

/// One account of a login name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterUse {
    /// The account.
    pub account: AccountName,
    /// How often it may log in without the server before the roster ends; 0 if it may not.
    pub offline_left: u32,
}

/// Readers, cards, and who uses them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardsReport {
    /// One a reader with a card in it.
    pub cards: Vec<CardReport>,
    /// Why readers cannot be asked at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_problem: Option<String>,
    /// Cards that somebody uses now.
    pub turns: Vec<TurnReport>,
}

/// A card in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnReport {
    /// Which.
    pub card: CardIdent,
    /// Who has it: `sudo of olga (terminal pts/3)`.
    pub holder: String,
    /// Since how many seconds.
    pub seconds: u64,
    /// How many wait behind.
    pub waiting: u64,
}

/// Events on their way to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportCounts {
    /// The server has not confirmed them yet.
    pub unsent: u64,
    /// It will not have them.
    pub refused: u64,
    /// It has them, and holds that they should not have been.
    pub disputed: u64,
}

/// A request whose outcome is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnsettledReport {
    /// What the person was told to quote.
    pub correlation: CorrelationId,
    /// What was asked: `open-session for ana by sudo`, `create account/bob`.
    pub what: String,
    /// By whom.
    pub account: AccountName,
    /// When.
    pub sent: Timestamp,
    /// The server was asked, and does not tell.
    pub untold: bool,
}

/// The local journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalReport {
    /// It ends with the agent.
    pub in_memory: bool,
    /// An entry was changed or removed, or cannot be read: nobody is let in without the server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broken: bool,
    /// What is wrong with it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}
