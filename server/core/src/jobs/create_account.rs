//! A new account, and the code for its person.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::AccountName;
use countersign_protocol::limits;
use countersign_protocol::message::result::{AccountCreated, NewAccount};
use countersign_protocol::random::Random;
use secrecy::ExposeSecret as _;

use super::{Job, Performed};
use crate::accounts::Account;
use crate::codes::Code;
use crate::context::Context;
use crate::secrets::Pepper;
use crate::stop::Stop;
use crate::store::Transaction;

/// The roles there are.
const ROLES: [&str; 5] = ["administrator", "developer", "resource-administrator", "user", "auditor"];

/// Groups of four characters in a registration code: 40 bits.
const CODE_GROUPS: usize = 2;

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
    if let Some(unknown) = wanted.roles.iter().find(|role| !ROLES.contains(&role.as_str())) {
        let why = format!("There is no role {unknown:?}; there are {}.", ROLES.join(", "));
        return Ok(Performed::Impossible(why));
    }
    let account = Account::invited(name, wanted.logins, wanted.roles);
    match invite(ctx.tx(), ctx.random(), ctx.pepper(), &account, ctx.now)? {
        Some(created) => Performed::yielding(&created),
        None => Ok(Performed::Impossible(format!("There is an account {} already.", account.name))),
    }
}

/// Adds an invited account with a fresh code. None if its name is taken.
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
    let code = Code::new(random, CODE_GROUPS)?;
    let expires = now.plus(limits::CODE_LIFE);
    tx.put_code(&account.name, &code.mac_for_account(pepper, &account.name), expires)?;
    let code = code.spelled().expose_secret().to_owned();
    Ok(Some(AccountCreated { account: account.name.clone(), code, expires }))
}
