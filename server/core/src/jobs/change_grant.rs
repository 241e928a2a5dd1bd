//! Who may do what on a collection, and who may say so.
//!
//! Policy lets nobody here but the collection's owner and those whom it appointed. Beside that, a grant goes to an account
//! that there is, and the right to grant to one that has the role for it.

use countersign_protocol::ids::{AccountName, Role};
use countersign_protocol::limits;
use countersign_protocol::message::result::{Access, Appointment, Grant};

use super::change_collection::{alive, shown};
use super::{Job, Performed};
use crate::accounts::{Account, AccountState};
use crate::collections::Collection;
use crate::context::Context;
use crate::stop::Stop;

pub(super) fn grant(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let (collection, wanted) = match asked(ctx, job)? {
        Ok(asked) => asked,
        Err(why) => return Ok(why),
    };
    if wanted.access.is_empty() {
        return Ok(Performed::impossible("The request grants nothing: name read, create, update or delete."));
    }
    if let Err(why) = living(ctx, &wanted.account)? {
        return Ok(why);
    }
    let others = ctx.tx().grants(&collection.name, None)?;
    let known = others.iter().any(|grant| grant.account == wanted.account);
    if !known && u64::try_from(others.len()).unwrap_or(u64::MAX) >= limits::COLLECTION_GRANTS {
        let why = format!(
            "On one collection at most {} accounts are granted something.",
            limits::COLLECTION_GRANTS
        );
        return Ok(Performed::Impossible(why));
    }
    let mut new = Vec::new();
    for access in wanted.access {
        if ctx.tx().grant(&collection.name, &wanted.account, access, &job.account.name, ctx.now)? {
            new.push(access.as_str());
        }
    }
    told(ctx, collection, &wanted.account, "granted", &new)
}

pub(super) fn withdraw(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let (collection, wanted) = match asked(ctx, job)? {
        Ok(asked) => asked,
        Err(why) => return Ok(why),
    };
    let access = if wanted.access.is_empty() { Access::ALL.to_vec() } else { wanted.access };
    let mut gone = Vec::new();
    for access in access {
        if ctx.tx().withdraw(&collection.name, &wanted.account, access)? {
            gone.push(access.as_str());
        }
    }
    told(ctx, collection, &wanted.account, "withdrawn", &gone)
}

pub(super) fn appoint(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let (collection, account) = match whom(ctx, job)? {
        Ok(asked) => asked,
        Err(why) => return Ok(why),
    };
    match living(ctx, &account)? {
        Ok(found) if found.roles.contains(&Role::ResourceAdministrator) => {}
        Ok(_) => {
            return Ok(Performed::Impossible(format!(
                "The account {account} has not the role resource-administrator. An administrator gives it: countersign \
                 admin user update {account} --role resource-administrator"
            )));
        }
        Err(why) => return Ok(why),
    }
    if u64::try_from(ctx.tx().appointed(&collection.name)?.len()).unwrap_or(u64::MAX) >= APPOINTED {
        return Ok(Performed::Impossible(format!("A collection has at most {APPOINTED} administrators.")));
    }
    let new = ctx.tx().appoint(&collection.name, &account, ctx.now)?;
    told(ctx, collection, &account, "appointed", if new { &["administrator"] } else { &[] })
}

pub(super) fn dismiss(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let (collection, account) = match whom(ctx, job)? {
        Ok(asked) => asked,
        Err(why) => return Ok(why),
    };
    let gone = ctx.tx().dismiss(&collection.name, &account)?;
    told(ctx, collection, &account, "dismissed", if gone { &["administrator"] } else { &[] })
}

/// Most administrators of one collection: policy sees all of them with each request about it.
const APPOINTED: u64 = 50;

fn asked(ctx: &Context<'_>, job: &Job<'_>) -> Result<Result<(Collection, Grant), Performed>, Stop> {
    let wanted: Grant = match job.body("an account and what it is granted") {
        Ok(wanted) => wanted,
        Err(why) => return Ok(Err(why)),
    };
    if wanted.access.len() > Access::ALL.len() {
        return Ok(Err(Performed::impossible("The same kind of access is named twice.")));
    }
    Ok(alive(ctx, job)?.map(|collection| (collection, wanted)))
}

fn whom(ctx: &Context<'_>, job: &Job<'_>) -> Result<Result<(Collection, AccountName), Performed>, Stop> {
    let wanted: Appointment = match job.body("an account") {
        Ok(wanted) => wanted,
        Err(why) => return Ok(Err(why)),
    };
    Ok(alive(ctx, job)?.map(|collection| (collection, wanted.account)))
}

fn living(ctx: &Context<'_>, name: &AccountName) -> Result<Result<Account, Performed>, Stop> {
    let found = ctx.tx().account(name)?.filter(|account| account.state != AccountState::Retired);
    Ok(found.ok_or_else(|| Performed::Impossible(format!("There is no account {name}."))))
}

fn told(
    ctx: &Context<'_>,
    collection: Collection,
    account: &AccountName,
    what: &str,
    changed: &[&str],
) -> Result<Performed, Stop> {
    let result = shown(ctx, collection, changed.is_empty())?;
    let account = ("of-account", account.to_string());
    if changed.is_empty() {
        return Performed::noting(
            &result,
            [account, ("nothing-changed", "it was like this before".to_owned())],
        );
    }
    Performed::noting(&result, [account, (what, changed.join(" "))])
}
