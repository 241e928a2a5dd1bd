//! The code on paper.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::AccountName;
use countersign_protocol::random::Random;
use countersign_protocol::recovery::{self, RecoveryCode};
use secrecy::ExposeSecret as _;

use crate::codes::{self, Code};
use crate::context::Context;
use crate::registration::Registration;
use crate::secrets::Pepper;
use crate::stop::{Failure, Stop};
use crate::store::Transaction;

/// Gives an account a fresh code; any earlier one is worth nothing any more.
///
/// # Errors
/// The store's, or no randomness.
pub(crate) fn new_code(
    tx: &dyn Transaction,
    random: &dyn Random,
    pepper: &Pepper,
    account: &AccountName,
    by_card: bool,
    now: Timestamp,
) -> Result<RecoveryCode, Stop> {
    let code = Code::new(random, recovery::GROUPS)?;
    tx.put_recovery_code(account, &code.mac_for_recovery(pepper, account), by_card, now)?;
    let typed = RecoveryCode::typed(code.spelled().expose_secret());
    typed.map_err(|error| Failure::Reply(error.to_string()).into())
}

/// Counts a try, then compares. Wrong, used, ended and no such account are one answer. The paper is used up only when a
/// recovery begins: until then the card may be pulled, or its PIN mistyped.
pub(crate) fn compare(ctx: &Context<'_>, registration: &Registration, typed: &str) -> Result<bool, Stop> {
    let account = &registration.account;
    let mac = Code::typed(typed).mac_for_recovery(ctx.pepper(), account);
    let kept = ctx.tx().try_recovery_code(account, &registration.instance, ctx.now)?;
    let same = codes::equal(&kept.unwrap_or_default(), &mac);
    Ok(kept.is_some() && same)
}
