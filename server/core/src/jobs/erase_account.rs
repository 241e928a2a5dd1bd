//! What is kept of a person goes.

use countersign_protocol::message::result::AccountErased;

use super::change_account::named;
use super::{Job, Performed};
use crate::accounts::AccountState;
use crate::context::Context;
use crate::erasure;
use crate::stop::Stop;

/// Of an account that is retired: nothing of it can be needed to let anybody in.
pub(super) fn perform(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let account = match named(ctx, job)? {
        Ok(account) => account,
        Err(why) => return Ok(why),
    };
    if account.state != AccountState::Retired {
        return Ok(Performed::impossible(format!(
            "The account {0} is {1}. End it first: countersign admin user retire {0}",
            account.name,
            account.state.as_str()
        )));
    }
    // Nobody waits until the whole ledger is looked through.
    let Some((mut places, upto)) = job.signed.clone() else {
        return Ok(Performed::impossible("Who may erase an account changed a moment ago. Ask again."));
    };
    // What was signed since it was looked for.
    places.extend(erasure::signed_by(ctx.tx(), &account.name, upto)?.0);
    let Some(statements) = ctx.tx().erase_account(&account.name, &places)? else {
        return Ok(Performed::impossible("Somebody changed this account just now."));
    };
    let erased = AccountErased { account: account.name, statements };
    Performed::noting(&erased, [("erased-statements", statements.to_string())])
}
