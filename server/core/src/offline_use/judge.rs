//! Would we have let it in? The checks of a login online, as things stood when the host decided.

use countersign_protocol::envelope::VerifiedRoster;
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::ledger::{Check, Entry, EntryKind, Outcome};
use countersign_protocol::limits;
use countersign_protocol::message::{InstanceState, OfflineUse};
use countersign_protocol::statement::{Place, Statement};

use super::{Examined, LiftedBar};
use crate::context::{AS_RECORDED, Context};
use crate::instances::Instance;
use crate::jobs::OPEN_SESSION;
use crate::keys::Owner;
use crate::policy::{AccountFacts, Facts, InstanceFacts, PolicyDecision};
use crate::signatory::Signatory;
use crate::stop::{Failure, Stop};
use crate::store::StoreError;

/// What is held of a use.
#[derive(Default)]
pub(super) struct Judgement {
    /// In the order they were made; a failed one is the last.
    pub(super) checks: Vec<Check>,
    /// What is wrong, or by what it was let in.
    pub(super) reason: String,
    /// Policies that permit it, or forbid it.
    pub(super) policies: Vec<String>,
    /// The entry in which the same request was decided online.
    pub(super) decided: Option<u64>,
}

/// The checks go no further.
enum Halt {
    /// Something is wrong with the use; the sentence goes into the ledger.
    Wrong(String),
    /// We could not look.
    Stopped(Stop),
}

impl<E: Into<Stop>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Stopped(error.into())
    }
}

fn wrong<T>(why: impl Into<String>) -> Result<T, Halt> {
    Err(Halt::Wrong(why.into()))
}

impl Judgement {
    /// Goes through the checks up to the first that fails.
    ///
    /// # Errors
    /// The store's. A use that is wrong is none.
    pub(super) fn of(ctx: &Context<'_>, examined: &Examined) -> Result<Self, Stop> {
        let mut judgement = Self::default();
        match judgement.go_through(ctx, examined) {
            Ok(reason) | Err(Halt::Wrong(reason)) => Ok(Self { reason, ..judgement }),
            Err(Halt::Stopped(stop)) => Err(stop),
        }
    }

    /// By what it was let in, if nothing is wrong.
    fn go_through(&mut self, ctx: &Context<'_>, examined: &Examined) -> Result<String, Halt> {
        let (told, instance) = (&examined.told, &examined.made_on);
        let statement = self.hold("statement-signature", examined.statement())?;
        let (told_by, names) = (&examined.told_by, &examined.names);
        let case = Case { ctx, instance, told_by, names, told, statement };
        // Whatever else is wrong with it, the statement is worth nothing online from now on.
        let unused = ctx.tx().burn_nonce(&statement.nonce, ctx.now)?;
        let decided = case.decided_online(examined)?;
        self.decided = decided.as_ref().map(|(place, _)| *place);

        let recorded = ctx.as_recorded(&statement.account, &instance.fingerprint);
        self.hold(AS_RECORDED, recorded.map_err(Halt::Wrong))?;
        self.hold("key-enrolled", case.key_enrolled(&examined.signatory))?;
        self.hold("time", case.time())?;
        self.hold("names", case.names())?;
        let roster = self.hold("roster-signature", examined.roster())?;
        self.hold("roster-permits", case.roster_permits(roster, &examined.signatory))?;
        self.hold("use-number", case.number(roster))?;
        self.hold("not-refused-online", not_refused(decided.as_ref()))?;
        self.hold("statement-unused", is_unused(unused, decided.is_some()))?;
        self.hold("account-active", case.account_active())?;
        self.hold("instance-active", case.instance_active())?;
        let (permits, policies) = case.policy()?;
        self.policies = policies;
        self.hold("policy", permits)?;

        let also = self.decided.map_or_else(String::new, |place| format!(" Entry {place} allows it too."));
        let (at, number) = (told.at, told.use_number);
        let (issued, uses) = (roster.roster().issued, roster.roster().offline_uses);
        Ok(format!(
            "Let in without the server on {at}, by the roster of {issued}: use {number} of {uses}.{also}"
        ))
    }

    fn hold<T>(&mut self, name: &str, outcome: Result<T, Halt>) -> Result<T, Halt> {
        match &outcome {
            Ok(_) => self.checks.push(Check::passed(name)),
            Err(Halt::Wrong(_)) => self.checks.push(Check::failed(name)),
            Err(Halt::Stopped(_)) => {}
        }
        outcome
    }
}

impl Examined {
    fn statement(&self) -> Result<&Statement, Halt> {
        match &self.signatory {
            Signatory::Account(signatory) => Ok(signatory.0.statement()),
            Signatory::Revoked(signatory) => Ok(signatory.0.statement()),
            Signatory::Nobody(why) => wrong(format!("The statement is not good: {why}.")),
        }
    }

    fn roster(&self) -> Result<&VerifiedRoster, Halt> {
        self.roster.as_ref().map_err(|error| Halt::Wrong(format!("The roster is not good: {error}.")))
    }
}

/// A use whose statement somebody's card signed.
struct Case<'a, 'c> {
    ctx: &'a Context<'c>,
    /// The host as it was named then.
    instance: &'a Instance,
    told_by: &'a Instance,
    names: &'a [Fingerprint],
    told: &'a OfflineUse,
    statement: &'a Statement,
}

impl Case<'_, '_> {
    /// The card's key was the account's when the host decided.
    fn key_enrolled(&self, signatory: &Signatory) -> Result<(), Halt> {
        let (account, login) = (&self.statement.account, &self.told.login);
        match signatory {
            Signatory::Account(signatory) => {
                let registered = signatory.1.registered;
                if registered.seconds_since(self.statement.time) > limits::CLOCK_SKEW {
                    return wrong(format!(
                        "The key of account {account} was registered later, on {registered}."
                    ));
                }
                Ok(())
            }
            Signatory::Revoked(signatory) => {
                let (statement, gone) = &**signatory;
                if !gone.key.signing.contains(statement.key()) {
                    return wrong(format!("{} was never registered.", statement.key()));
                }
                if self.told.at < gone.at && self.statement.time < gone.at {
                    return Ok(());
                }
                let (revoked, at, words) = (gone.at, self.told.at, &self.instance.key_words);
                wrong(format!(
                    "The key of account {account} was revoked on {revoked}, and opened the login {login} on the host \
                     {words} after that, on {at}, without the server."
                ))
            }
            Signatory::Nobody(why) => wrong(why.clone()),
        }
    }

    fn time(&self) -> Result<(), Halt> {
        if self.told.at.seconds_since(self.ctx.now) > limits::CLOCK_SKEW {
            return wrong(format!("It is told before it happened, on {}.", self.told.at));
        }
        Ok(())
    }

    /// The person signed for this login and nothing else.
    fn names(&self) -> Result<(), Halt> {
        let (statement, told) = (self.statement, self.told);
        let session = format!("session/{}", self.instance.fingerprint);
        let agrees = [
            ("operation", statement.operation.as_str() == OPEN_SESSION),
            ("resource", statement.resource.as_str() == session),
            ("account", statement.account == told.account),
            ("login", statement.login.as_ref() == Some(&told.login)),
            ("service", statement.service.as_ref() == Some(&told.service)),
            ("body", statement.body.is_none()),
            ("transcript", statement.transcript.is_none()),
            ("dry run", !statement.dry_run),
        ];
        match agrees.into_iter().find(|(_, agrees)| !agrees) {
            None => Ok(()),
            Some((field, _)) => wrong(format!("The person signed another {field} than the host tells of.")),
        }
    }

    fn roster_permits(&self, roster: &VerifiedRoster, signatory: &Signatory) -> Result<(), Halt> {
        let OfflineUse { account, login, service, at, .. } = self.told;
        let key: &Fingerprint = match signatory {
            Signatory::Account(signatory) => signatory.0.key(),
            Signatory::Revoked(signatory) => signatory.0.key(),
            Signatory::Nobody(why) => return wrong(why.clone()),
        };
        if roster.is_expired(*at) {
            return wrong(format!("The roster had ended on {}, before {at}.", roster.roster().expires));
        }
        if !roster.permits(login, account, key, service, *at) {
            return wrong(format!(
                "The roster does not let account {account} open the login {login} by {service} without the server."
            ));
        }
        Ok(())
    }

    fn number(&self, roster: &VerifiedRoster) -> Result<(), Halt> {
        let (number, uses) = (self.told.use_number, roster.roster().offline_uses);
        if !(1..=uses).contains(&number) {
            return wrong(format!("It is use {number} of a roster that is good for {uses}."));
        }
        if !self.ctx.tx().count_offline_use(&roster.digest(), &self.told.account, number)? {
            return wrong(format!(
                "Use {number} of this roster was told before, with another statement: the host was cloned or set back."
            ));
        }
        Ok(())
    }

    /// The entry in which the same statement was decided online, and how.
    fn decided_online(&self, examined: &Examined) -> Result<Option<(u64, Entry)>, Halt> {
        for place in self.ctx.tx().entries_of_statement(&examined.digest)? {
            let found = self.ctx.tx().entries(place, 1)?.pop();
            let found =
                found.ok_or_else(|| StoreError::Corrupt(format!("the ledger has no entry {place}")))?;
            let entry =
                Entry::from_bytes(&found.entry.0).map_err(|error| Failure::Reply(error.to_string()))?;
            if entry.kind == EntryKind::Job {
                return Ok(Some((place, entry)));
            }
        }
        Ok(None)
    }

    fn account_active(&self) -> Result<(), Halt> {
        let (account, at) = (&self.told.account, self.told.at);
        if let Some(since) = self.ctx.tx().suspended_since(account)?
            && since <= at
        {
            return wrong(format!("The account {account} is suspended since {since}."));
        }
        self.was_not_barred(&Owner::Account(account.clone()), &format!("The account {account}"))
    }

    /// A name that a rotation retired ends when the host hears of it, which only the host knows: it may have worked under
    /// it for long after. What counts is that whoever tells has the key that took its place, and how that one stands.
    fn instance_active(&self) -> Result<(), Halt> {
        let Instance { state, since, key_words, .. } = self.told_by;
        if *state != InstanceState::Active && *since <= self.told.at {
            return wrong(format!("The host {key_words} is {} since {since}.", state.as_str()));
        }
        for name in self.names {
            self.was_not_barred(&Owner::Instance(name.clone()), &format!("The host {key_words}"))?;
        }
        Ok(())
    }

    /// A bar that was lifted before we were told.
    fn was_not_barred(&self, on: &Owner, who: &str) -> Result<(), Halt> {
        match self.ctx.tx().lifted_bar(on, self.told.at)? {
            Some(LiftedBar { from, until }) => {
                wrong(format!("{who} was suspended then, from {from} until {until}."))
            }
            None => Ok(()),
        }
    }

    /// Whether policy would have permitted it, as far as that can be told now. Roles, logins and the policy itself may
    /// have changed since the host decided: that is for an administrator to see.
    fn policy(&self) -> Result<(Result<(), Halt>, Vec<String>), Halt> {
        let OfflineUse { account: name, login, service, at, .. } = self.told;
        let Some(account) = self.ctx.tx().account(name)? else {
            return Ok((wrong(format!("There is no account {name} any more.")), Vec::new()));
        };
        // States were looked at as they were then; an account whose key was revoked since is active no more.
        let account = AccountFacts { state: "active", ..account.facts() };
        let facts = Facts {
            account,
            instance: InstanceFacts { state: InstanceState::Active, ..self.instance.facts() },
            operation: &self.statement.operation,
            resource: &self.statement.resource,
            about: None,
            login: Some(login),
            service: Some(service),
            place: self.statement.place.as_ref().or(Some(&Place::LOCAL)),
            claimed: self.statement.claimed.as_deref(),
            time: Some(*at),
            offline: true,
        };
        Ok(match self.ctx.policy()?.decide(&facts) {
            PolicyDecision::Allowed { policies, .. } => (Ok(()), policies),
            PolicyDecision::Denied { policies, reason } => {
                (wrong(format!("Policy does not permit it, as things stand now: {reason}")), policies)
            }
        })
    }
}

fn not_refused(decided: Option<&(u64, Entry)>) -> Result<(), Halt> {
    match decided {
        Some((place, entry)) if entry.decision != Outcome::Allowed => {
            wrong(format!("The server had denied this very request, in entry {place}: {}", entry.reason))
        }
        _ => Ok(()),
    }
}

/// What was decided online burned the nonce itself.
fn is_unused(burned_now: bool, decided_online: bool) -> Result<(), Halt> {
    if burned_now || decided_online {
        Ok(())
    } else {
        wrong("The statement was used before, for something else.")
    }
}
