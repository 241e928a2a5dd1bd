//! A login while the server says nothing: the same statement, the same checks, and the roster in the server's place.
//!
//! Only silence leads here ([`Silence`]): whatever the server signed about a statement is the last word on it. Each
//! use is counted and written down before anybody is let in, and told to the server as soon as it can be reached.

mod code;
mod denial;
mod judge;
#[cfg(test)]
pub(crate) mod scene;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, CardIdent, CorrelationId, Digest, LoginName, ServiceName};
use countersign_protocol::message::OfflineUse;
use countersign_protocol::statement::{SignedStatement, Statement};
use serde::Serialize;

pub use self::denial::Denial;
pub use self::judge::{Case, Permitted, judge, usable};
use crate::agent::Agent;
use crate::answer::{Proof, Silence};
use crate::journal::NewUse;
use crate::server_link::Link;

/// Where a login is decided if the server does not.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// The agent.
    pub agent: &'a Agent,
    /// The server that is asked first.
    pub link: &'a Link,
    /// Which login name is to be opened.
    pub login: &'a LoginName,
    /// By which PAM service.
    pub service: &'a ServiceName,
    /// What the person will quote.
    pub correlation: &'a CorrelationId,
}

/// Proof that this host let a login in by its roster: permitted, counted, and on the disk. Made only by
/// [`Desk::decide`].
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    account: AccountName,
    statement: Digest,
    journal_index: u64,
    by: By,
}

/// By what.
#[derive(Debug, Clone, PartialEq)]
enum By {
    /// A card, and one of the roster's uses.
    Card { number: u32, of: u32, until: Timestamp },
    /// An emergency code.
    Code,
}

impl Granted {
    /// Whose card it was.
    #[must_use]
    pub const fn account(&self) -> &AccountName {
        &self.account
    }

    /// SHA-256 of the statement that was decided.
    #[must_use]
    pub const fn statement(&self) -> Digest {
        self.statement
    }

    /// Where it lies in this host's journal.
    #[must_use]
    pub const fn journal_index(&self) -> u64 {
        self.journal_index
    }

    /// For the person.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self.by {
            By::Card { number, of, until } => format!(
                "The server cannot be reached. This host decided by itself (use {number} of {of}, until {}).",
                denial::moment(until)
            ),
            By::Code => code::USED_HERE.to_owned(),
        }
    }

    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self {
            account: "ana".parse().unwrap(),
            statement: Digest::of(b"statement"),
            journal_index: 17,
            by: By::Card { number: 3, of: 20, until: Timestamp::from_seconds(1_790_000_000) },
        }
    }
}

/// What the chain keeps of it.
#[derive(Serialize)]
struct Journalled<'a> {
    event: &'static str,
    correlation: &'a CorrelationId,
    login: &'a LoginName,
    service: &'a ServiceName,
    account: &'a AccountName,
    card: CardIdent,
    statement: Digest,
    roster: Digest,
    use_number: u32,
    uses: u32,
}

impl Desk<'_> {
    /// Whether the roster has a use left for whoever signed this: then they need not wait long for the server.
    #[must_use]
    pub fn has_one_for(&self, proof: &Proof) -> bool {
        match proof {
            Proof::Card(signed) => self.has_use_for(signed),
            Proof::Code(coded) => self.may_try(coded),
        }
    }

    fn has_use_for(&self, signed: &SignedStatement) -> bool {
        let Some(held) = self.agent.contacts.rosters.get() else { return false };
        let Ok(Statement { account, .. }) = Statement::from_bytes(&signed.statement.0) else { return false };
        let now = self.agent.wire.time.now();
        let may = held.verified.entry(self.login).into_iter().flat_map(|entry| &entry.accounts).any(|one| {
            let permits = |key| held.verified.permits(self.login, &account, key, self.service, now);
            one.account == account && one.keys.iter().any(permits)
        });
        let roster = held.verified.roster();
        let left = || self.agent.journal.uses_left(held.verified.digest(), &account, roster.offline_uses);
        may && !self.is_refused() && left() > 0
    }

    /// Decides a statement that the server was asked about in vain.
    ///
    /// # Errors
    /// [`Denial`], with what the person can do.
    pub fn decide(&self, silence: &Silence, card: Option<CardIdent>) -> Result<Granted, Denial> {
        match (silence.proof(), card) {
            (Proof::Card(signed), Some(card)) => self.decide_card(signed, card),
            (Proof::Code(coded), None) => self.decide_code(coded),
            _ => Err(Denial::Another("request")),
        }
    }

    fn decide_card(&self, signed: &SignedStatement, card: CardIdent) -> Result<Granted, Denial> {
        let held = self.agent.contacts.rosters.get();
        let case = Case {
            roster: held.as_ref().map(|held| &held.verified),
            refused: self.is_refused(),
            signed,
            server: &self.link.server.fingerprint,
            instance: &self.link.instance.fingerprint,
            login: self.login,
            service: self.service,
            now: self.agent.wire.time.now(),
        };
        let now = case.now;
        let permitted = judge(case)?;
        let held = held.ok_or(Denial::NoRoster)?;
        let Permitted { account, statement, until, uses } = permitted;
        let roster = held.verified.digest();
        let entry = |use_number| Journalled {
            event: "login-allowed-offline",
            correlation: self.correlation,
            login: self.login,
            service: self.service,
            account: &account,
            card,
            statement,
            roster,
            use_number,
            uses,
        };
        let report = |use_number| OfflineUse {
            statement: signed.clone(),
            roster: held.signed.clone(),
            use_number,
            at: now,
            correlation: self.correlation.clone(),
            account: account.clone(),
            login: self.login.clone(),
            service: self.service.clone(),
            card,
        };
        let new = NewUse { roster, account: &account, statement, most: uses, at: now };
        let counted = self.agent.journal.use_offline(new, entry, report);
        let counted = counted.map_err(|error| Denial::of(error, uses))?;
        let (number, journal_index) = (counted.number(), counted.index());
        Ok(Granted { account, statement, journal_index, by: By::Card { number, of: uses, until } })
    }

    fn is_refused(&self) -> bool {
        self.agent.contacts.get().is_none_or(|contact| contact.refused)
    }
}
