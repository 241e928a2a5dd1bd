//! Another emergency code, for oneself.

use countersign_protocol::message::result::EmergencyCodeMade;

use super::{Job, Performed};
use crate::context::Context;
use crate::emergency;
use crate::stop::Stop;

/// Makes a code for the account that asks, with its own card. Nobody has one made for somebody else, whatever policy
/// says: whoever has a code logs in as its account. An administrator can end one, by suspending the account.
pub(super) fn perform(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let account = &job.statement.account;
    if job.statement.resource.name() != account.as_str() {
        return Ok(Performed::impossible(
            "An emergency code is made only with the card of the account that it is for. Its person runs: countersign \
             emergency-code ACCOUNT",
        ));
    }
    if !ctx.rules().emergency_codes {
        return Ok(Performed::impossible(
            "This server has no emergency codes. Register a second card instead: countersign register ACCOUNT --second",
        ));
    }
    let code = emergency::new_code(ctx.tx(), ctx.random(), account, ctx.now)?;
    let made = EmergencyCodeMade { account: account.clone(), code };
    Performed::noting(&made, [("emergency-code-renewed", account.to_string())])
}
