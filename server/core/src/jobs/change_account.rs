//! Barring an account, and lifting the bar. Its key, logins and roles stay.

use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::AccountChanged;

use super::{ADMINISTRATOR, Job, Performed};
use crate::accounts::{Account, AccountState};
use crate::context::Context;
use crate::stop::Stop;

pub(super) fn suspend(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let account = match named(ctx, job)? {
        Ok(account) => account,
        Err(why) => return Ok(why),
    };
    match &account.state {
        AccountState::Suspended(_) => return unchanged(&account),
        AccountState::Retired => return Ok(retired(&account)),
        AccountState::Pending | AccountState::Active(_) => {}
    }
    if ctx.tx().suspend_account(&account.name, ADMINISTRATOR, ctx.now)? {
        return changed(ctx, &account);
    }
    Ok(Performed::impossible(format!(
        "{} is the last administrator who can work: nobody could administer any more. Make another one first: \
         countersign admin user add NAME --role administrator",
        account.name
    )))
}

pub(super) fn resume(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let account = match named(ctx, job)? {
        Ok(account) => account,
        Err(why) => return Ok(why),
    };
    if matches!(account.state, AccountState::Retired) {
        return Ok(retired(&account));
    }
    if ctx.tx().resume_account(&account.name, ctx.now)? {
        changed(ctx, &account)
    } else {
        unchanged(&account)
    }
}

/// The account that the request names.
pub(super) fn named(ctx: &Context<'_>, job: &Job<'_>) -> Result<Result<Account, Performed>, Stop> {
    let name = job.statement.resource.name();
    let there = match name.parse::<AccountName>() {
        Ok(name) => ctx.tx().account(&name)?,
        Err(_) => None,
    };
    let missing =
        || Performed::impossible(format!("There is no account {name}. See: countersign admin user list"));
    Ok(there.ok_or_else(missing))
}

fn retired(account: &Account) -> Performed {
    Performed::impossible(format!("The account {} is retired for good.", account.name))
}

fn unchanged(account: &Account) -> Result<Performed, Stop> {
    let state = account.state.as_str().to_owned();
    let detail = [("nothing-changed", format!("it was {state} before"))];
    Performed::noting(&AccountChanged { account: account.name.clone(), state, changed: false }, detail)
}

fn changed(ctx: &Context<'_>, before: &Account) -> Result<Performed, Stop> {
    let after = ctx.tx().account(&before.name)?;
    let state = after.map_or("retired", |after| after.state.as_str()).to_owned();
    let detail = [("state", state.clone()), ("state-before", before.state.as_str().to_owned())];
    Performed::noting(&AccountChanged { account: before.name.clone(), state, changed: true }, detail)
}
