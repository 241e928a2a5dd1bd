//! A code for one's own second card.

use countersign_protocol::limits;
use countersign_protocol::message::result::AccountCreated;
use secrecy::ExposeSecret as _;

use super::create_account::CODE_GROUPS;
use super::{Job, Performed};
use crate::codes::Code;
use crate::context::Context;
use crate::stop::Stop;

/// Makes a registration code for the account that asks: its first card vouches for the second one. Nobody has one made
/// for somebody else's account, whatever policy says.
pub(super) fn perform(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let name = &job.statement.account;
    if job.statement.resource.name() != name.as_str() {
        return Ok(Performed::impossible(
            "A second card is added only with the card that the account has. Its person runs: countersign register \
             ACCOUNT --second",
        ));
    }
    let account = ctx.tx().account(name)?;
    if account.is_some_and(|account| account.second.is_some()) {
        return Ok(Performed::impossible(format!(
            "The account {name} has two cards already. If one of them is lost, an administrator ends it: countersign \
             admin key revoke CARD"
        )));
    }
    let code = Code::new(ctx.random(), CODE_GROUPS)?;
    let expires = ctx.now.plus(limits::OWN_CODE_LIFE);
    ctx.tx().put_code(name, &code.mac_for_account(ctx.pepper(), name), ctx.now, expires)?;
    let created = AccountCreated {
        account: name.clone(),
        code: code.spelled().expose_secret().to_owned(),
        expires,
        totp: None,
    };
    Performed::noting(&created, [("second-card", "a code was made for one".to_owned())])
}
