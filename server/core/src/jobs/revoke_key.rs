//! A person's key ends: a lost card, or somebody who leaves.

use countersign_protocol::ids::{AccountName, Fingerprint};
use countersign_protocol::ledger::detail;
use countersign_protocol::message::result::{KeyRevoked, KeyShown, RevokedBy};

use super::list::show_live_key as show_key;
use super::{ADMINISTRATOR, Job, Performed};
use crate::context::Context;
use crate::keys::Owner;
use crate::outbox::EndedBy;
use crate::revocation;
use crate::stop::Stop;

/// From now on no statement of it is taken, it is in no roster, and nobody can register it again. The account is
/// there as it was and waits for another key.
pub(super) fn perform(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if job.body.is_some() {
        return by_certificate(ctx, job);
    }
    let name = job.statement.resource.name();
    let Ok(wanted) = name.parse::<Fingerprint>() else {
        return Ok(Performed::impossible("A key is named by its fingerprint: 40 or 64 digits of 0-9 A-F."));
    };
    let Some(Owner::Account(owner)) = ctx.tx().owner(&wanted)? else {
        return Ok(Performed::impossible(format!(
            "No account has or had the key {wanted}. See: countersign admin user list"
        )));
    };
    let Some(account) = ctx.tx().account(&owner)? else {
        return Ok(Performed::impossible(format!("There is no account {owner}.")));
    };
    // Another fingerprint of a certificate names it, too. First those that open something now, whatever is said of the past.
    let found = account.keys().find(|key| key.holds(&wanted) || key.contains(&wanted));
    let Some(key) = found else {
        for gone in ctx.tx().revoked_keys(&owner)? {
            if gone.key.holds(&wanted) {
                let left = account.keys().next().map(show_key);
                let result = KeyRevoked { account: owner, key: gone.key.primary, changed: false, left };
                return Performed::noting(&result, [("nothing-changed", format!("revoked on {}", gone.at))]);
            }
        }
        return Ok(Performed::impossible(format!("The account {owner} has no key {wanted} any more.")));
    };
    if !ctx.tx().revoke_key(&owner, key, ADMINISTRATOR, ctx.now)? {
        return Ok(Performed::impossible(format!(
            "{owner} is the last administrator with a key: nobody could administer any more. Make another one first: \
             countersign admin user add NAME --role administrator"
        )));
    }
    let told = ctx.post().key_ended(&owner, &key.primary, EndedBy::Administrator(&job.account.name))?;
    let detail = [
        (detail::REVOKED_KEY, key.primary.to_string()),
        (detail::OF_ACCOUNT, owner.to_string()),
        ("contacts-told", told.to_string()),
    ];
    // Whoever stole the card may have had a second one registered with it: it is not to be overlooked.
    let left = left(ctx, &owner)?;
    let revoked = KeyRevoked { account: owner.clone(), key: key.primary.clone(), changed: true, left };
    Performed::noting(&revoked, detail)
}

/// A key that the account has all the same.
fn left(ctx: &Context<'_>, owner: &AccountName) -> Result<Option<KeyShown>, Stop> {
    Ok(ctx.tx().account(owner)?.and_then(|account| account.keys().next().map(show_key)))
}

/// The key's own revocation certificate comes with the request: it is checked, and kept.
fn by_certificate(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let RevokedBy { certificate } = match job.body("a revocation certificate") {
        Ok(body) => body,
        Err(why) => return Ok(why),
    };
    let ending = match revocation::ending(ctx, &certificate.0)? {
        Ok(ending) => ending,
        Err(why) => return Ok(Performed::Impossible(why)),
    };
    let primary = ending.key.primary.to_string();
    if job.statement.resource.name() != primary {
        return Ok(Performed::Impossible(format!(
            "The certificate is of the key {primary}, not of the one you name."
        )));
    }
    if revocation::end(ctx, &ending, ctx.now)?.is_none() {
        return Ok(Performed::impossible(format!(
            "{} is the last administrator with a key: nobody could administer any more. Make another one first: \
             countersign admin user add NAME --role administrator",
            ending.account
        )));
    }
    let left = left(ctx, &ending.account)?;
    let revoked =
        KeyRevoked { account: ending.account.clone(), key: ending.key.primary.clone(), changed: true, left };
    let [kind, digest, kept] = ending.detail();
    let named = [(detail::REVOKED_KEY, primary), (detail::OF_ACCOUNT, ending.account.to_string())];
    let [key, of] = named;
    Performed::noting(&revoked, [key, of, kind, digest, kept])
}
