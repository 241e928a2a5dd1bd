//! What a host is told: whose cards open which login name there, as far as policy knows before anyone asks.

use std::collections::BTreeSet;

use countersign_protocol::binary::Binary;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::{RosterError, sign_roster};
use countersign_protocol::ids::{Digest, InvalidId, LoginName, Operation, ResourceName, ServiceName};
use countersign_protocol::limits;
use countersign_protocol::message::InstanceState;
use countersign_protocol::roster::{
    OfflineServices, Roster, RosterAccount, RosterEntry, RosterFormError, RosterPurpose, SignedRoster,
};
use countersign_protocol::statement::Place;
use serde::Serialize;

use crate::accounts::{Account, AccountRead};
use crate::audit::Verdict;
use crate::identity::Identity;
use crate::instances::Instance;
use crate::jobs::OPEN_SESSION;
use crate::policy::{Facts, PolicySet};
use crate::refusal::Reason;
use crate::standing::Subject;
use crate::stop::{Failure, Stop};

/// How long a roster is worth something where nothing is allowed offline, in seconds: it still tells which cards to
/// ask.
const LIFE: i64 = 24 * 3600;

/// What hosts may do while the server cannot be reached, as its administrator says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfflineRules {
    hours: u32,
    uses: u32,
}

impl OfflineRules {
    /// Rosters that live `hours` and are good for `uses` logins by each account. Nothing is allowed where either is
    /// 0. More hours than a roster may live are cut.
    #[must_use]
    pub const fn new(hours: u32, uses: u32) -> Self {
        Self { hours, uses }
    }

    const fn uses(self) -> u32 {
        if self.hours == 0 { 0 } else { self.uses }
    }

    fn life(self) -> i64 {
        if self.uses() == 0 { LIFE } else { i64::from(self.hours) * 3600 }.min(limits::ROSTER_LIFE)
    }
}

/// What the server's administrator lets hosts and people do beside policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// While the server cannot be reached.
    pub offline: OfflineRules,
    /// Whether there are emergency codes. Where there are none, those made before are good for nothing.
    pub emergency_codes: bool,
}

/// Room for entries: a roster without its services and everything else that is in it once.
const ROOM: usize = limits::ROSTER - 16 * 1024;

/// An entry that is larger may take no other's place: twice what an RSA-4096 key takes.
const HEAVY: usize = 8 * 1024;

/// What a host asks about, each name once. Those that it names first go in first.
#[derive(Debug)]
pub(crate) struct Asked {
    logins: Vec<LoginName>,
    services: BTreeSet<ServiceName>,
}

/// What it is told.
#[derive(Serialize)]
pub(crate) struct Told {
    state: InstanceState,
    forked: bool,
    policy_epoch: u64,
    services: Vec<ServiceName>,
    offline_uses: u32,
    #[serde(skip)]
    life: i64,
    entries: Vec<RosterEntry>,
}

impl Asked {
    /// Not more than a host may ask about.
    pub(crate) fn new(logins: Vec<LoginName>, services: Vec<ServiceName>) -> Result<Self, Reason> {
        for (asked, most, what) in [
            (logins.len(), limits::ROSTER_LOGINS, "login names"),
            (services.len(), limits::ROSTER_SERVICES, "services"),
        ] {
            if asked > most {
                return Err(Reason::Body(format!("{asked} {what}; at most {most}")));
            }
        }
        let mut named = BTreeSet::new();
        let logins = logins.into_iter().filter(|login| named.insert(login.clone())).collect();
        Ok(Self { logins, services: services.into_iter().collect() })
    }

    /// The answer, as accounts and policy stand now.
    pub(crate) fn told<R: AccountRead + ?Sized>(
        &self,
        accounts: &R,
        policy: &PolicySet,
        rules: Rules,
        verdict: &Verdict,
        instance: &Instance,
    ) -> Result<Told, Stop> {
        // Nobody is let in anywhere by what was edited behind our back.
        let recorded = !verdict.distrusts(&Subject::instance(&instance.fingerprint))
            && verdict.edited_policy().is_none();
        // Whoever is not let in yet, or no more, need not know who may log in.
        let told = recorded && instance.state == InstanceState::Active;
        let logins = if told { self.logins.as_slice() } else { &[] };
        // Two hosts with one roster would have twice the uses.
        let forked = instance.forked.is_some();
        let offline_uses = if forked { 0 } else { rules.offline.uses() };
        let services: Vec<ServiceName> = self.services.iter().cloned().collect();
        let offline: &[ServiceName] = if offline_uses == 0 { &[] } else { &services };
        let question = Question {
            emergency: rules.emergency_codes,
            ..Question::on(instance, policy, verdict, &services, offline)?
        };
        let entries =
            logins.iter().map(|login| question.entry(accounts, login)).collect::<Result<Vec<_>, Stop>>()?;
        let entries = that_fit(entries);
        let (state, policy_epoch, life) = (instance.state, policy.epoch(), rules.offline.life());
        Ok(Told { state, forked, policy_epoch, services, offline_uses, life, entries })
    }
}

/// As many as one roster holds, by login name. The last ones are left out, but for those that are so large that each of
/// them would keep out several; the host sees that they are not there, and asks about them first when somebody comes.
fn that_fit(entries: Vec<RosterEntry>) -> Vec<RosterEntry> {
    let mut sized: Vec<(usize, RosterEntry)> =
        entries.into_iter().map(|entry| (size_at_most(&entry), entry)).collect();
    sized.sort_by_key(|(size, _)| *size > HEAVY);
    let mut room = ROOM;
    let mut fit: Vec<RosterEntry> = sized
        .into_iter()
        .filter_map(|(size, entry)| {
            room = room.checked_sub(size)?;
            Some(entry)
        })
        .collect();
    fit.sort_by(|one, other| one.login.cmp(&other.login));
    fit
}

/// In the roster's JSON.
fn size_at_most(entry: &RosterEntry) -> usize {
    /// The words around it, with something to spare.
    const WORDS: usize = 128;
    /// The longest fingerprint, and what stands around it.
    const KEY: usize = 68;
    /// A salt and a digest, and what stands around them.
    const EMERGENCY: usize = 128;
    let account = |one: &RosterAccount| {
        let services = |one: &OfflineServices| match one {
            OfflineServices::These(these) => these.iter().map(|service| service.as_str().len() + 3).sum(),
            OfflineServices::None | OfflineServices::All => 0,
        };
        let services = services(&one.offline) + services(&one.unasked);
        let base64 = one.certificate.0.len().div_ceil(3) * 4;
        WORDS + one.account.as_str().len() + base64 + KEY * (one.keys.len() + 1) + services + EMERGENCY
    };
    WORDS + entry.login.as_str().len() + entry.accounts.iter().map(account).sum::<usize>()
}

/// "May this account open a session on that instance?"
struct Question<'a> {
    policy: &'a PolicySet,
    verdict: &'a Verdict,
    instance: &'a Instance,
    operation: Operation,
    resource: ResourceName,
    /// All that the host asked about.
    services: &'a [ServiceName],
    /// Those that are asked about for the time without the server.
    offline: &'a [ServiceName],
    /// Whether emergency codes are told of.
    emergency: bool,
    /// What sshd calls itself.
    sshd: ServiceName,
}

impl<'a> Question<'a> {
    fn on(
        instance: &'a Instance,
        policy: &'a PolicySet,
        verdict: &'a Verdict,
        services: &'a [ServiceName],
        offline: &'a [ServiceName],
    ) -> Result<Self, Failure> {
        let invalid = |error: InvalidId| Failure::Policy(error.to_string());
        let operation = OPEN_SESSION.parse().map_err(invalid)?;
        let resource = format!("session/{}", instance.fingerprint).parse().map_err(invalid)?;
        let sshd = "sshd".parse().map_err(invalid)?;
        Ok(Self { policy, verdict, instance, operation, resource, services, offline, emergency: false, sshd })
    }

    fn entry<R: AccountRead + ?Sized>(&self, accounts: &R, login: &LoginName) -> Result<RosterEntry, Stop> {
        let mut permitted = Vec::new();
        for account in accounts.accounts_of_login(login)? {
            let facts = self.facts(&account, login);
            if self.verdict.distrusts(&Subject::account(&account.name)) {
                continue;
            }
            if !(self.policy.could_permit_session(&facts) || self.opens_by_ssh(facts)) {
                continue;
            }
            permitted.extend(account.active_keys().map(|key| RosterAccount {
                account: account.name.clone(),
                certificate: Binary(key.short.clone()),
                keys: key.signing.clone(),
                authentication: key.authentication.clone().filter(|_| self.opens_by_ssh(facts)),
                offline: self.offline(facts),
                unasked: self.unasked(facts),
                emergency: account.emergency.clone().filter(|_| self.emergency),
            }));
        }
        Ok(RosterEntry { login: login.clone(), accounts: permitted })
    }

    fn facts<'b>(&'b self, account: &'b Account, login: &'b LoginName) -> Facts<'b> {
        Facts {
            account: account.facts(),
            instance: self.instance.facts(),
            operation: &self.operation,
            resource: &self.resource,
            about: None,
            login: Some(login),
            service: None,
            place: Some(&Place::LOCAL),
            claimed: None,
            time: None,
            offline: false,
        }
    }

    /// Whether the account may open the login by `sshd`, which asks a host for keys and nobody else.
    fn opens_by_ssh(&self, facts: Facts<'_>) -> bool {
        let facts = Facts { service: Some(&self.sshd), place: Some(&Place::REMOTE), ..facts };
        self.policy.permits_session_unasked(&facts)
    }

    /// By which of the services the account may open the login without the server.
    fn offline(&self, facts: Facts<'_>) -> OfflineServices {
        self.those(self.offline, &|service: &ServiceName| {
            self.policy.permits_session_offline(&Facts { service: Some(service), ..facts })
        })
    }

    /// By which of them it may whatever the time.
    fn unasked(&self, facts: Facts<'_>) -> OfflineServices {
        self.those(self.services, &|service: &ServiceName| {
            self.policy.permits_session_unasked(&Facts { service: Some(service), ..facts })
        })
    }

    fn those(&self, asked: &[ServiceName], permits: &dyn Fn(&ServiceName) -> bool) -> OfflineServices {
        let Some(first) = asked.first() else { return OfflineServices::None };
        if !self.policy.tells_services_apart_offline() {
            return if permits(first) { OfflineServices::All } else { OfflineServices::None };
        }
        let permitted = asked.iter().filter(|service| permits(service)).cloned().collect();
        OfflineServices::of(permitted, asked)
    }
}

impl Told {
    /// Another one when anything changed that the host must act upon, and only then.
    pub(crate) fn revision(&self) -> Result<Digest, Failure> {
        let bytes = serde_json::to_vec(self).map_err(|error| Failure::Reply(error.to_string()))?;
        Ok(Digest::of(&bytes))
    }

    /// Signed for this host, from now on.
    pub(crate) fn signed(
        self,
        identity: &Identity,
        instance: &Instance,
        now: Timestamp,
    ) -> Result<SignedRoster, Stop> {
        let Self { policy_epoch, services, offline_uses, life, entries, .. } = self;
        let roster = Roster {
            countersign: RosterPurpose::Roster,
            instance: instance.fingerprint.clone(),
            server: identity.fingerprint().clone(),
            issued: now,
            expires: now.plus(life),
            policy_epoch,
            services,
            offline_uses,
            entries,
        };
        sign_roster(&roster, identity.signer()).map_err(|error| match error {
            RosterError::Form(RosterFormError::TooLarge(size)) => Reason::ReplyTooLarge(size).into(),
            other => Failure::Reply(other.to_string()).into(),
        })
    }
}
