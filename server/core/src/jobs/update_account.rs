//! Other logins, roles or groups for an account, and its end.

use countersign_protocol::ids::Role;
use countersign_protocol::limits;
use countersign_protocol::message::result::{AccountChanged, AccountUpdate};

use super::change_account::named;
use super::{Job, Performed};
use crate::accounts::{Account, AccountState};
use crate::context::Context;
use crate::stop::Stop;

pub(super) fn update(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let wanted: AccountUpdate = match job.body("logins, roles, groups, or some of them") {
        Ok(wanted) => wanted,
        Err(why) => return Ok(why),
    };
    let account = match named(ctx, job)? {
        Ok(account) => account,
        Err(why) => return Ok(why),
    };
    if account.state == AccountState::Retired {
        return Ok(Performed::Impossible(format!("The account {} is retired for good.", account.name)));
    }
    if wanted.logins.as_ref().is_some_and(|logins| logins.len() > limits::ACCOUNT_LOGINS) {
        let why = format!("An account has at most {} login names.", limits::ACCOUNT_LOGINS);
        return Ok(Performed::Impossible(why));
    }
    if wanted.groups.as_ref().is_some_and(|groups| groups.len() > limits::ACCOUNT_GROUPS) {
        let why = format!("An account is in at most {} groups.", limits::ACCOUNT_GROUPS);
        return Ok(Performed::Impossible(why));
    }
    let updated = account.clone().with(wanted);
    if updated == account {
        let detail = [("nothing-changed", "it had the same logins, roles and groups before".to_owned())];
        return Performed::noting(&changed(&account, false), detail);
    }
    if !ctx.tx().update_account(&updated, Role::Administrator.as_str())? {
        return Ok(last_administrator(&account));
    }
    let words = |account: &Account| {
        let roles: Vec<&str> = account.roles.iter().map(|role| role.as_str()).collect();
        let logins: Vec<&str> = account.logins.iter().map(|login| login.as_str()).collect();
        let groups: Vec<&str> = account.groups.iter().map(|group| group.as_str()).collect();
        (roles.join(" "), logins.join(" "), groups.join(" "))
    };
    let (roles_before, logins_before, groups_before) = words(&account);
    let (roles, logins, groups) = words(&updated);
    let detail = [
        ("roles", roles),
        ("roles-before", roles_before),
        ("logins", super::fitting(logins)),
        ("logins-before", super::fitting(logins_before)),
        ("groups", super::fitting(groups)),
        ("groups-before", super::fitting(groups_before)),
    ];
    Performed::noting(&changed(&updated, true), detail)
}

/// For good: its keys end, its logins are others' to have, and its name is nobody's again.
pub(super) fn retire(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let account = match named(ctx, job)? {
        Ok(account) => account,
        Err(why) => return Ok(why),
    };
    if account.state == AccountState::Retired {
        let detail = [("nothing-changed", "it was retired before".to_owned())];
        return Performed::noting(&changed(&account, false), detail);
    }
    let keys: Vec<String> = account.keys().map(|key| key.primary.to_string()).collect();
    if !ctx.tx().retire_account(&account, Role::Administrator.as_str(), ctx.now)? {
        return Ok(last_administrator(&account));
    }
    // Told for the last time; from now on the addresses are nobody's, and their person may register anew with them.
    let told = ctx.post().account_ended(&account.name, &job.account.name)?;
    ctx.tx().release_contacts(&account.name)?;
    let before = account.state.as_str().to_owned();
    let retired = Account { state: AccountState::Retired, ..account };
    let detail = [
        ("state", "retired".to_owned()),
        ("state-before", before),
        (countersign_protocol::ledger::detail::REVOKED_KEY, keys.join(" ")),
        (countersign_protocol::ledger::detail::OF_ACCOUNT, retired.name.to_string()),
        ("contacts-told", told.to_string()),
    ];
    Performed::noting(&changed(&retired, true), detail)
}

fn changed(account: &Account, changed: bool) -> AccountChanged {
    AccountChanged { account: account.name.clone(), state: account.state.as_str().to_owned(), changed }
}

fn last_administrator(account: &Account) -> Performed {
    Performed::impossible(format!(
        "{} is the last administrator who can work: nobody could administer any more. Make another one first: \
         countersign admin user add NAME --role administrator",
        account.name
    ))
}
