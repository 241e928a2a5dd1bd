//! An emergency code while the server says nothing: the roster knows it again, and the journal lets it be used once.

use countersign_protocol::emergency::is_console_service;
use countersign_protocol::envelope::is_code_of;
use countersign_protocol::envelope::statement::{self, StatementRules};
use countersign_protocol::ids::{AccountName, CorrelationId, Digest, LoginName, ServiceName};
use countersign_protocol::message::{EmergencyUse, OfflineEmergency};
use countersign_protocol::statement::Statement;
use serde::Serialize;

use super::{By, Denial, Desk, Granted, usable};

/// For the person.
pub(super) const USED_HERE: &str = "The server cannot be reached. This host let you in by your emergency code, which is \
                                    worth nothing any more. Make another as soon as you have a card: countersign \
                                    emergency-code ACCOUNT";

/// What the chain keeps of it.
#[derive(Serialize)]
struct Journalled<'a> {
    event: &'static str,
    correlation: &'a CorrelationId,
    login: &'a LoginName,
    service: &'a ServiceName,
    account: &'a AccountName,
    statement: Digest,
    roster: Digest,
    told: &'a str,
}

impl Desk<'_> {
    /// Whether the roster knows a code of this account: then they need not wait long for the server.
    pub(super) fn may_try(&self, coded: &EmergencyUse) -> bool {
        let Some(held) = self.agent.contacts.rosters.get() else { return false };
        let Ok(Statement { account, .. }) = Statement::from_bytes(&coded.statement.0) else { return false };
        let now = self.agent.wire.time.now();
        !self.is_refused() && held.verified.permits_emergency(self.login, &account, self.service, now)
    }

    /// The checks that the server makes, in its order, with the roster in its place: whether it is permitted at all, a
    /// try counted, the code compared, used up.
    pub(super) fn decide_code(&self, coded: &EmergencyUse) -> Result<Granted, Denial> {
        let held = self.agent.contacts.rosters.get();
        let now = self.agent.wire.time.now();
        let verified = usable(held.as_ref().map(|held| &held.verified), now)?;
        if self.is_refused() {
            return Err(Denial::HostRefused);
        }
        let (server, instance) = (&self.link.server.fingerprint, &self.link.instance.fingerprint);
        let asked = statement::read(&coded.statement.0, StatementRules { server, instance, now })?;
        let is_ours =
            asked.login.as_ref() == Some(self.login) && asked.service.as_ref() == Some(self.service);
        if !is_ours || asked.operation.as_str() != "open-session" {
            return Err(Denial::Another("login"));
        }
        let account = asked.account;
        let entry = verified.entry(self.login).ok_or(Denial::NotInRoster)?;
        let one = entry.accounts.iter().find(|one| one.account == account).ok_or(Denial::NotInRoster)?;
        let verifier = one.emergency.as_ref().ok_or(Denial::CodeSpent)?;
        let permits = verified.permits_emergency(self.login, &account, self.service, now);
        if !permits || !is_console_service(self.service) {
            return Err(Denial::OnlyOnline(self.service.clone()));
        }

        let roster = verified.digest();
        let tried = self.agent.journal.try_emergency_code(&verifier.salt, roster).map_err(Denial::of_code)?;
        if !is_code_of(&coded.code, verifier) {
            return Err(Denial::WrongCode);
        }
        let statement = Digest::of(&coded.statement.0);
        let entry = Journalled {
            event: "emergency-code-used-offline",
            correlation: self.correlation,
            login: self.login,
            service: self.service,
            account: &account,
            statement,
            roster,
            told: USED_HERE,
        };
        let signed = held.as_ref().map(|held| held.signed.clone()).ok_or(Denial::NoRoster)?;
        let report = OfflineEmergency {
            statement: coded.statement.clone(),
            roster: signed,
            at: now,
            correlation: self.correlation.clone(),
            account: account.clone(),
            login: self.login.clone(),
            service: self.service.clone(),
        };
        let used = self.agent.journal.use_emergency_code(tried, now, &entry, report);
        let journal_index = used.map_err(Denial::of_code)?;
        Ok(Granted { account, statement, journal_index, by: By::Code })
    }
}
