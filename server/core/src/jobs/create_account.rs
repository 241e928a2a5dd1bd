//! A new account, and the code for its person.

use std::collections::BTreeSet;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, Role};
use countersign_protocol::limits;
use countersign_protocol::message::result::{AccountCreated, NewAccount};
use countersign_protocol::random::Random;
use secrecy::ExposeSecret as _;

use super::{Job, Performed};
use crate::accounts::{Account, AccountState};
use crate::codes::Code;
use crate::context::Context;
use crate::registration::SecondFactor;
use crate::secrets::Pepper;
use crate::stop::Stop;
use crate::store::Transaction;

/// Groups of four characters in a registration code: 40 bits.
pub(super) const CODE_GROUPS: usize = 2;

pub(super) fn perform(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let Ok(name) = job.statement.resource.name().parse::<AccountName>() else {
        let why = "That is no account name: 1 to 32 of a-z 0-9 . _ -, beginning with a letter.";
        return Ok(Performed::Impossible(why.into()));
    };
    let wanted: NewAccount = match job.body("logins and roles") {
        Ok(wanted) => wanted,
        Err(why) => return Ok(why),
    };
    if wanted.logins.len() > limits::ACCOUNT_LOGINS {
        return Ok(Performed::Impossible(format!(
            "An account has at most {} login names.",
            limits::ACCOUNT_LOGINS
        )));
    }
    if wanted.roles.len() > Role::ALL.len() {
        return Ok(Performed::impossible("The same role is named twice."));
    }
    let account = Account::pending(name, wanted.logins, wanted.roles);
    match invite(ctx.tx(), ctx.random(), ctx.pepper(), &account, ctx.now)? {
        Some(created) => handed_over(ctx, created, wanted.totp),
        None => again(ctx, &account, wanted.totp),
    }
}

/// A new code for an account that still waits for its first key: the earlier one may be lost, too old or used up.
fn again(ctx: &Context<'_>, wanted: &Account, totp: bool) -> Result<Performed, Stop> {
    let there = ctx.tx().account(&wanted.name)?;
    if let Some(Account { state: AccountState::Suspended(None), .. }) = &there {
        let why = format!(
            "The account {0} is suspended. Lift that first: countersign admin user resume {0}",
            wanted.name
        );
        return Ok(Performed::Impossible(why));
    }
    let Some(there) = there.filter(|there| there.state == AccountState::Pending) else {
        return Ok(Performed::Impossible(format!("There is an account {} already.", wanted.name)));
    };
    let same = set(&there.logins) == set(&wanted.logins) && set(&there.roles) == set(&wanted.roles);
    if !same {
        let why = format!(
            "There is an account {} already, with other logins or roles. For a new code, name the same ones.",
            wanted.name
        );
        return Ok(Performed::Impossible(why));
    }
    let created = new_code(ctx.tx(), ctx.random(), ctx.pepper(), &wanted.name, ctx.now)?;
    handed_over(ctx, created, totp)
}

/// With an authenticator program beside the code, if the administrator wants one. Such a code is a group longer, which
/// tells the person's host to ask for both, and nobody else anything.
fn handed_over(ctx: &Context<'_>, mut created: AccountCreated, totp: bool) -> Result<Performed, Stop> {
    if !totp {
        return Performed::yielding(&created);
    }
    let account = created.account.clone();
    let code = Code::new(ctx.random(), limits::CODE_GROUPS_WITH_TOTP)?;
    ctx.tx().put_code(&account, &code.mac_for_account(ctx.pepper(), &account), ctx.now, created.expires)?;
    let (factor, secret) = SecondFactor::new(ctx.store_key(), ctx.random())?;
    ctx.tx().put_second_factor(&account, &factor)?;
    code.spelled().expose_secret().clone_into(&mut created.code);
    created.totp = Some(secret);
    Performed::noting(&created, [("second-factor", "authenticator program".to_owned())])
}

fn set<T: Ord>(list: &[T]) -> BTreeSet<&T> {
    list.iter().collect()
}

/// Adds a pending account with a fresh code. None if its name is taken.
///
/// # Errors
/// The store's, or no randomness.
pub fn invite(
    tx: &dyn Transaction,
    random: &dyn Random,
    pepper: &Pepper,
    account: &Account,
    now: Timestamp,
) -> Result<Option<AccountCreated>, Stop> {
    if !tx.add_account(account, now)? {
        return Ok(None);
    }
    new_code(tx, random, pepper, &account.name, now).map(Some)
}

/// Gives a pending account a fresh code; any earlier one is dead.
///
/// # Errors
/// The store's, or no randomness.
pub fn new_code(
    tx: &dyn Transaction,
    random: &dyn Random,
    pepper: &Pepper,
    account: &AccountName,
    now: Timestamp,
) -> Result<AccountCreated, Stop> {
    let code = Code::new(random, CODE_GROUPS)?;
    let expires = now.plus(limits::CODE_LIFE);
    tx.put_code(account, &code.mac_for_account(pepper, account), now, expires)?;
    Ok(AccountCreated {
        account: account.clone(),
        code: code.spelled().expose_secret().to_owned(),
        expires,
        totp: None,
    })
}
