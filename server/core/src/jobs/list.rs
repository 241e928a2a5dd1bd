//! Who and what the server knows, for administrators and auditors.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, Fingerprint};
use countersign_protocol::message::result::{
    AccountList, AccountShown, InstanceList, InstanceShown, KeyShown, ListAfter,
};
use serde::Serialize;

use super::{Job, Performed};
use crate::accounts::{Account, AccountKey};
use crate::context::Context;
use crate::instances::Instance;
use crate::stop::{Failure, Stop};

/// The one name in each list that has everything.
const ALL: &str = "all";

/// The name of what concerns whoever asks, where there is such a list.
const OWN: &str = "own";

/// Most at once: one PIN for each page is little for most sites.
pub(super) const PAGE: u64 = 1000;

/// Bytes of JSON of one page. The frame around them fits one envelope.
const ROOM: usize = 700 * 1024;

pub(super) fn accounts(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let after = match after(job) {
        Ok((after, false)) => after,
        Ok((_, true)) => return Ok(Performed::Unknown),
        Err(why) => return Ok(why),
    };
    let found = ctx.tx().accounts_after(&after, PAGE + 1)?;
    let (accounts, more) = page(found, |account| show_account(ctx, account))?;
    Performed::yielding(&AccountList { accounts, more })
}

pub(super) fn account(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let name = job.statement.resource.name();
    let found = match name.parse::<AccountName>() {
        Ok(name) => ctx.tx().account(&name)?,
        Err(_) => None,
    };
    let Some(account) = found else {
        let why = format!("There is no account {name}. See: countersign admin user list");
        return Ok(Performed::Impossible(why));
    };
    Performed::yielding(&AccountList { accounts: vec![show_account(ctx, account)?], more: false })
}

pub(super) fn instances(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let after = match after(job) {
        Ok((after, false)) => after,
        Ok((_, true)) => return Ok(Performed::Unknown),
        Err(why) => return Ok(why),
    };
    let found = ctx.tx().instances_after(&after, PAGE + 1)?;
    let (instances, more) = page(found, |instance| show_instance(ctx, instance))?;
    Performed::yielding(&InstanceList { instances, more })
}

pub(super) fn instance(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let name = job.statement.resource.name();
    let found = match name.parse::<Fingerprint>() {
        Ok(fingerprint) => ctx.tx().instance(&fingerprint)?,
        Err(_) => None,
    };
    let Some(instance) = found else {
        let why = format!("There is no host {name}. See: countersign admin host list");
        return Ok(Performed::Impossible(why));
    };
    Performed::yielding(&InstanceList { instances: vec![show_instance(ctx, instance)?], more: false })
}

/// Where the page begins, and whether it is of what concerns whoever asks alone.
pub(super) fn after(job: &Job<'_>) -> Result<(String, bool), Performed> {
    let own = match job.statement.resource.name() {
        ALL => false,
        OWN => true,
        _ => return Err(Performed::Unknown),
    };
    let body: ListAfter = job.body("the name that the page begins after")?;
    Ok((body.after.unwrap_or_default(), own))
}

/// As many as fit, and whether there are others after them.
pub(super) fn page<F, S: Serialize>(
    found: Vec<F>,
    show: impl Fn(F) -> Result<S, Stop>,
) -> Result<(Vec<S>, bool), Stop> {
    let (mut page, mut used) = (Vec::new(), 0);
    let most = usize::try_from(PAGE).unwrap_or(usize::MAX);
    for one in found {
        let one = show(one)?;
        used += serde_json::to_vec(&one).map_err(|error| Failure::Reply(error.to_string()))?.len();
        if !page.is_empty() && (used > ROOM || page.len() == most) {
            return Ok((page, true));
        }
        page.push(one);
    }
    Ok((page, false))
}

fn show_account(ctx: &Context<'_>, account: Account) -> Result<AccountShown, Stop> {
    let revoked = ctx.tx().revoked_keys(&account.name)?;
    Ok(AccountShown {
        state: account.state.as_str().to_owned(),
        key: account.key().map(|key| show_key(key, None)),
        second: account.second.as_ref().map(|key| show_key(key, None)),
        revoked: revoked.iter().map(|gone| show_key(&gone.key, Some(gone.at))).collect(),
        account: account.name,
        roles: account.roles,
        groups: account.groups,
        logins: account.logins,
        seen: account.seen,
    })
}

pub(super) fn show_live_key(key: &AccountKey) -> KeyShown {
    show_key(key, None)
}

fn show_key(key: &AccountKey, revoked: Option<Timestamp>) -> KeyShown {
    KeyShown {
        key: key.primary.clone(),
        signing: key.signing.clone(),
        card: key.card,
        registered: key.registered,
        revoked,
    }
}

fn show_instance(ctx: &Context<'_>, instance: Instance) -> Result<InstanceShown, Stop> {
    let version_retired =
        crate::enrolment::version_is_retired(ctx, &instance.application, instance.version.as_ref())?;
    Ok(InstanceShown {
        instance: instance.fingerprint,
        key_words: instance.key_words,
        claimed_hostname: instance.claimed_hostname,
        application: instance.application,
        state: instance.state,
        since: instance.since,
        forked: instance.forked,
        key_store: instance.key_place,
        enrolled: instance.enrolled,
        seen: instance.seen,
        successor: instance.successor,
        version: instance.version,
        version_retired,
    })
}
