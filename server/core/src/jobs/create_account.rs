//! A new account, and the code for its person.

use std::collections::BTreeSet;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::AccountName;
use countersign_protocol::limits;
use countersign_protocol::message::result::{AccountCreated, NewAccount};
use countersign_protocol::random::Random;
use secrecy::ExposeSecret as _;

use super::{Job, Performed};
use crate::accounts::{Account, AccountState};
use crate::codes::Code;
use crate::context::Context;
use crate::secrets::Pepper;
use crate::stop::Stop;
use crate::store::Transaction;

/// Groups of four characters in a registration code: 40 bits.
pub(super) const CODE_GROUPS: usize = 2;

/// Most login names of one account.
const LOGINS: usize = 100;

pub(super) fn perform(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let Ok(name) = job.statement.resource.name().parse::<AccountName>() else {
        let why = "That is no account name: 1 to 32 of a-z 0-9 . _ -, beginning with a letter.";
        return Ok(Performed::Impossible(why.into()));
    };
    let wanted: NewAccount = match job.body("logins and roles") {
        Ok(wanted) => wanted,
        Err(why) => return Ok(why),
    };
    if wanted.logins.len() > LOGINS {
        return Ok(Performed::Impossible(format!("An account has at most {LOGINS} login names.")));
    }
    let account = Account::pending(name, wanted.logins, wanted.roles);
    match invite(ctx.tx(), ctx.random(), ctx.pepper(), &account, ctx.now)? {
        Some(created) => Performed::yielding(&created),
        None => again(ctx, &account),
    }
}

/// A new code for an account that still waits for its first key: the earlier one may be lost, too old or used up.
fn again(ctx: &Context<'_>, wanted: &Account) -> Result<Performed, Stop> {
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
    Performed::yielding(&new_code(ctx.tx(), ctx.random(), ctx.pepper(), &wanted.name, ctx.now)?)
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
    Ok(AccountCreated { account: account.clone(), code: code.spelled().expose_secret().to_owned(), expires })
}
