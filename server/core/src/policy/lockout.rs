//! Whom a change of policies would lock out: it must not be one that nobody could take back.

use countersign_protocol::ids::{Operation, PolicyName, ResourceName, Role};
use countersign_protocol::message::InstanceState;
use countersign_protocol::statement::Place;

use super::change::{By, Change};
use super::document::PolicyError;
use super::enough;
use super::facts::Facts;
use super::load::PolicySet;
use crate::accounts::Account;
use crate::instances::Instance;
use crate::stop::{Failure, Stop};
use crate::store::Transaction;

/// Whoever asks for the change, and through which host.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    /// The account.
    pub account: &'a Account,
    /// The host.
    pub instance: &'a Instance,
}

/// Accounts read at once.
const PAGE: u64 = 500;

/// Hosts that are tried beside the one that asks: policies that tell hosts apart name few.
const HOSTS: u64 = 64;

/// Why the change must not be, if it must not.
pub(super) fn check(
    tx: &dyn Transaction,
    set: &PolicySet,
    changes: &[Change<'_>],
    by: By<'_>,
) -> Result<Option<String>, Stop> {
    let asker = match by {
        By::Console { alone: true } => return Ok(None),
        By::Console { alone: false } => None,
        By::Account(asker) => Some(asker),
    };
    let instances = active_instances(tx, asker)?;
    let (operation_to_approve, request) = (operation("approve")?, resource("request", "all")?);
    let approving = set.beforehand("approve", "request").map_err(unreadable)?;
    let may_approve = |account: &Account| {
        let on = |instance| approving.permits(&facts(account, instance, &operation_to_approve, &request));
        instances.iter().any(on)
    };
    if let Some(why) = enough::check(tx, set, &may_approve)? {
        return Ok(Some(why));
    }
    let others = enough::Others::asked_by(tx, set)?;
    let before = PolicySet::load(&tx.policies_at(tx.policy_epoch()?)?, 0).ok();
    for change in changes {
        let undo = if change.text.is_some() { "update" } else { "create" };
        let can = |set: &PolicySet, word: &str, approved: &dyn Fn(&Account) -> bool| -> Result<bool, Stop> {
            let (operation, resource) = (operation(word)?, resource("policy", change.name.as_str())?);
            let policies = set.beforehand(word, "policy").map_err(unreadable)?;
            let may = |account: &Account, instance: &Instance| {
                policies.permits(&facts(account, instance, &operation, &resource)) && approved(account)
            };
            anybody(tx, asker, &instances, &may)
        };
        // Where nobody could before, it is the console's to change them already.
        let could = match &before {
            Some(set) => ["update", "create", "delete"]
                .into_iter()
                .try_fold(false, |could, word| if could { Ok(true) } else { can(set, word, &|_| true) })?,
            None => false,
        };
        if could && !can(set, undo, &|_| true)? {
            return Ok(Some(locked_out(change.name, undo)));
        }
        if could && !can(set, undo, &|account| others.are_enough_beside(account))? {
            return Ok(Some(enough::nobody_else(set)));
        }
    }
    let logs_in = |set: &PolicySet| {
        let opens = |account: &Account, instance: &Instance| opens_a_login(set, account, instance);
        anybody(tx, asker, &instances, &opens)
    };
    if let Some(before) = &before
        && logs_in(before)?
        && !logs_in(set)?
    {
        return Ok(Some(
            "With it no administrator could log in on any host, who can today. Nothing was changed. Keep a permit for \
             open-session that covers one of them, such as login-bound-to-account of the default policy."
                .into(),
        ));
    }
    Ok(None)
}

fn unreadable(error: PolicyError) -> Failure {
    Failure::Policy(error.to_string())
}

fn locked_out(name: &PolicyName, undo: &str) -> String {
    format!(
        "With it nobody could change it back: no active account could {undo} policy/{name} on any active host. Nothing \
         was changed. Keep a permit for {undo} on policy/{name}, such as administrators-change-policies of the default \
         policy. If policies shall be changed on the server's own machine alone: countersign-server policy import --alone"
    )
}

/// Whether the account is an administrator's, and opens one of its logins there at some time, by some service.
fn opens_a_login(set: &PolicySet, account: &Account, instance: &Instance) -> bool {
    if !account.roles.contains(&Role::Administrator) {
        return false;
    }
    let (Ok(operation), Ok(resource)) =
        (operation("open-session"), resource("session", &instance.fingerprint.to_string()))
    else {
        return false;
    };
    account.logins.iter().any(|login| {
        let facts = facts(account, instance, &operation, &resource);
        set.could_permit_session(&Facts { login: Some(login), place: Some(&Place::LOCAL), ..facts })
    })
}

fn facts<'a>(
    account: &'a Account,
    instance: &'a Instance,
    operation: &'a Operation,
    resource: &'a ResourceName,
) -> Facts<'a> {
    Facts {
        account: account.facts(),
        instance: instance.facts(),
        operation,
        resource,
        about: None,
        login: None,
        service: None,
        place: None,
        claimed: None,
        time: None,
        offline: false,
    }
}

/// Whether there is an active account with a key and an active host for which `may` holds. Whoever asks is tried first,
/// then administrators on all hosts, then everybody else on one.
fn anybody(
    tx: &dyn Transaction,
    asker: Option<Asker<'_>>,
    instances: &[Instance],
    may: &dyn Fn(&Account, &Instance) -> bool,
) -> Result<bool, Stop> {
    if asker.is_some_and(|asker| may(asker.account, asker.instance)) {
        return Ok(true);
    }
    let mut after = String::new();
    loop {
        let page = tx.accounts_after(&after, PAGE)?;
        let Some(last) = page.last() else { return Ok(false) };
        after = last.name.to_string();
        for account in page.iter().filter(|account| account.active_key().is_some()) {
            let hosts = if account.roles.contains(&Role::Administrator) { instances.len() } else { 1 };
            if instances.iter().take(hosts).any(|instance| may(account, instance)) {
                return Ok(true);
            }
        }
    }
}

fn active_instances(tx: &dyn Transaction, asker: Option<Asker<'_>>) -> Result<Vec<Instance>, Stop> {
    let mut instances: Vec<Instance> = asker.into_iter().map(|asker| asker.instance.clone()).collect();
    let found = tx.instances_after("", HOSTS)?;
    instances.extend(found.into_iter().filter(|instance| instance.state == InstanceState::Active));
    Ok(instances)
}

fn operation(word: &str) -> Result<Operation, Failure> {
    word.parse().map_err(|error| Failure::Policy(format!("{word}: {error}")))
}

fn resource(collection: &str, name: &str) -> Result<ResourceName, Failure> {
    format!("{collection}/{name}").parse().map_err(|error| Failure::Policy(format!("{name}: {error}")))
}
