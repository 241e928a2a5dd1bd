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
use serde::Serialize;

use crate::accounts::AccountRead;
use crate::identity::Identity;
use crate::instances::Instance;
use crate::jobs::OPEN_SESSION;
use crate::policy::{Facts, PolicyDecision, PolicySet};
use crate::refusal::Reason;
use crate::stop::{Failure, Stop};

/// How long a roster is worth something, in seconds.
const LIFE: i64 = 24 * 3600;

/// What a host asks about, each name once and in order.
pub(crate) struct Asked {
    logins: BTreeSet<LoginName>,
    services: BTreeSet<ServiceName>,
}

/// What it is told.
pub(crate) struct Told {
    policy_epoch: u64,
    services: Vec<ServiceName>,
    offline_uses: u32,
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
        Ok(Self { logins: logins.into_iter().collect(), services: services.into_iter().collect() })
    }

    /// The answer, as accounts and policy stand now.
    pub(crate) fn told<R: AccountRead + ?Sized>(
        self,
        accounts: &R,
        policy: &PolicySet,
        instance: &Instance,
    ) -> Result<Told, Stop> {
        // Whoever is not let in yet, or no more, need not know who may log in.
        let logins = if instance.state == InstanceState::Active { self.logins } else { BTreeSet::new() };
        let question = Question::on(instance)?;
        let entries = logins
            .into_iter()
            .map(|login| question.entry(accounts, policy, login))
            .collect::<Result<Vec<_>, Stop>>()?;
        let services = self.services.into_iter().collect();
        Ok(Told { policy_epoch: policy.epoch(), services, offline_uses: 0, entries })
    }
}

/// "May this account open a session on that instance?"
struct Question<'a> {
    instance: &'a Instance,
    operation: Operation,
    resource: ResourceName,
}

impl<'a> Question<'a> {
    fn on(instance: &'a Instance) -> Result<Self, Failure> {
        let invalid = |error: InvalidId| Failure::Policy(error.to_string());
        let operation = OPEN_SESSION.parse().map_err(invalid)?;
        let resource = format!("session/{}", instance.fingerprint).parse().map_err(invalid)?;
        Ok(Self { instance, operation, resource })
    }

    fn entry<R: AccountRead + ?Sized>(
        &self,
        accounts: &R,
        policy: &PolicySet,
        login: LoginName,
    ) -> Result<RosterEntry, Stop> {
        let mut permitted = Vec::new();
        for account in accounts.accounts_of_login(&login)? {
            let Some(key) = account.active_key() else { continue };
            let facts = Facts {
                account: account.facts(),
                instance: self.instance.facts(),
                operation: &self.operation,
                resource: &self.resource,
                login: Some(&login),
                service: None,
            };
            if let PolicyDecision::Allowed { .. } = policy.decide(&facts) {
                permitted.push(RosterAccount {
                    account: account.name.clone(),
                    certificate: Binary(key.certificate.clone()),
                    keys: key.signing.clone(),
                    offline: OfflineServices::None,
                });
            }
        }
        Ok(RosterEntry { login, accounts: permitted })
    }
}

impl Told {
    /// Another one when anything changed that the host must act upon, and only then.
    pub(crate) fn revision(&self, state: InstanceState, forked: bool) -> Result<Digest, Failure> {
        #[derive(Serialize)]
        struct Revision<'a> {
            state: InstanceState,
            forked: bool,
            policy_epoch: u64,
            services: &'a [ServiceName],
            offline_uses: u32,
            entries: &'a [RosterEntry],
        }
        let Self { policy_epoch, services, offline_uses, entries } = self;
        let (policy_epoch, offline_uses) = (*policy_epoch, *offline_uses);
        let all = Revision { state, forked, policy_epoch, services, offline_uses, entries };
        let bytes = serde_json::to_vec(&all).map_err(|error| Failure::Reply(error.to_string()))?;
        Ok(Digest::of(&bytes))
    }

    /// Signed for this host, from now on.
    pub(crate) fn signed(
        self,
        identity: &Identity,
        instance: &Instance,
        now: Timestamp,
    ) -> Result<SignedRoster, Stop> {
        let Self { policy_epoch, services, offline_uses, entries } = self;
        let roster = Roster {
            countersign: RosterPurpose::Roster,
            instance: instance.fingerprint.clone(),
            server: identity.fingerprint().clone(),
            issued: now,
            expires: now.plus(LIFE),
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
