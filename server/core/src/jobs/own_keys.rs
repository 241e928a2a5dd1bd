//! What the account's own card has made: a code for other keys in its place, and another recovery code.

use countersign_protocol::limits;
use countersign_protocol::message::result::{AccountCreated, RecoveryCodeMade};
use secrecy::ExposeSecret as _;

use super::create_account::CODE_GROUPS;
use super::{Job, Performed};
use crate::codes::Code;
use crate::context::Context;
use crate::recovery;
use crate::stop::Stop;

/// Makes a code with which other keys take the place of the key that signs this. Nobody has one made for somebody else's
/// account, whatever policy says.
pub(super) fn rotate(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(why) = own(job) {
        return Ok(why);
    }
    let name = &job.account.name;
    let code = Code::new(ctx.random(), CODE_GROUPS)?;
    let expires = ctx.now.plus(limits::OWN_CODE_LIFE);
    ctx.tx().put_code(name, &code.mac_for_account(ctx.pepper(), name), ctx.now, expires)?;
    ctx.tx().mark_replacement(name, job.key)?;
    let created = AccountCreated {
        account: name.clone(),
        code: code.spelled().expose_secret().to_owned(),
        expires,
        totp: None,
    };
    Performed::noting(&created, [("to-be-replaced", job.key.to_string())])
}

/// Makes another recovery code. It ends with a revoked card of the account: whoever stole that may have had it made.
pub(super) fn renew_recovery_code(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(why) = own(job) {
        return Ok(why);
    }
    let name = &job.account.name;
    let code = recovery::new_code(ctx.tx(), ctx.random(), ctx.pepper(), name, true, ctx.now)?;
    let made = RecoveryCodeMade { account: name.clone(), code };
    Performed::noting(&made, [("recovery-code-renewed", name.to_string())])
}

fn own(job: &Job<'_>) -> Result<(), Performed> {
    job.without_body()?;
    if job.statement.resource.name() == job.account.name.as_str() {
        return Ok(());
    }
    Err(Performed::impossible("That is done only with the card of the account itself, by its person."))
}
