//! A token that lets one host in without waiting.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::limits;
use countersign_protocol::message::result::TokenCreated;
use countersign_protocol::random::Random;
use secrecy::ExposeSecret as _;

use super::{Job, Performed};
use crate::codes::Code;
use crate::context::Context;
use crate::secrets::Pepper;
use crate::stop::Stop;
use crate::store::Transaction;
use crate::tokens;

pub(super) fn perform(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let name = job.statement.resource.name();
    match new_token(ctx.tx(), ctx.random(), ctx.pepper(), name, ctx.now)? {
        Some(created) => Performed::yielding(&created),
        None => Ok(Performed::Impossible(format!("There is an enrolment token {name} already."))),
    }
}

/// Adds a fresh token. None if the name is taken.
///
/// # Errors
/// The store's, or no randomness.
pub fn new_token(
    tx: &dyn Transaction,
    random: &dyn Random,
    pepper: &Pepper,
    name: &str,
    now: Timestamp,
) -> Result<Option<TokenCreated>, Stop> {
    let code = Code::new(random, tokens::GROUPS)?;
    let expires = now.plus(limits::TOKEN_LIFE);
    if !tx.add_token(name, &code.mac_of_token(pepper), expires)? {
        return Ok(None);
    }
    Ok(Some(TokenCreated { token: code.spelled().expose_secret().to_owned(), expires }))
}
