//! New session subkeys.

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::message::{KeyUpdate, KeyUpdateReply};

use super::{check_in, session_key};
use crate::context::Context;
use crate::draft::Draft;
use crate::instances::{BothKeys, Counting, Instance};
use crate::keys::{self, Owner};
use crate::refusal::Reason;
use crate::replies::Recipient;
use crate::stop::{Failure, Stop};

/// Puts the subkeys in force that the instance's primary key announces.
pub(crate) fn key_update(ctx: &mut Context<'_>, instance: Instance) -> Result<Draft, Stop> {
    ctx.outside_handshakes()?;
    let body: KeyUpdate = ctx.body()?;
    let cert = keys::receive(&body.certificate.0, ctx.now)?;
    if certificate::fingerprint(&cert).map_err(Reason::certificate)? != instance.fingerprint {
        return Err(Reason::OtherPrimary.into());
    }
    let signing_key = session_key::only(&cert, ctx.now)?.ok_or(Reason::NoSigningKey)?;
    keys::claim_all(ctx.tx(), &cert, &Owner::Instance(instance.fingerprint.clone()), ctx.now)?;
    let made = ctx.message().time;
    let (why, news) = match instance.counting(body.counter, made, ctx.now) {
        // Whoever was started anew must let people in, whichever of the two it is.
        _ if instance.forked.is_some() => {
            beside(ctx, &instance, cert, &signing_key)?;
            ("session keys of one of the two hosts that were seen with this key, for logins", false)
        }
        Counting::Next => {
            let bytes = certificate::to_bytes(&cert).map_err(Reason::certificate)?;
            let counted = instance.counted_now(made, ctx.now);
            let (tx, name) = (ctx.tx(), &instance.fingerprint);
            if !tx.announce_keys(name, &bytes, &signing_key, body.counter, counted)? {
                return Err(Reason::Late.into());
            }
            ("new session keys", false)
        }
        Counting::Late => return Err(Reason::Late.into()),
        Counting::LateByItsClock => return Err(Reason::LateByItsClock.into()),
        // There are two hosts with one key (W25). Which is the true one only an administrator can tell, so both go on
        // letting people in.
        Counting::Again => {
            beside(ctx, &instance, cert, &signing_key)?;
            check_in::alarm(ctx, &instance, body.counter)?;
            ("session keys of the second host that was seen with this key, for logins", true)
        }
    };

    let mut entry = ctx.entry(EntryKind::KeyUpdate, Outcome::Allowed, why);
    entry.instance = Some(instance.fingerprint.clone());
    entry.key = Some(instance.fingerprint.clone());
    entry.detail.insert("signing-key".into(), signing_key.to_string());
    let recipient = Recipient::Instance(instance.fingerprint);
    let draft =
        Draft::recorded(recipient, entry, None, move |receipt| KeyUpdateReply { signing_key, receipt });
    Ok(draft.quietly(!news))
}

/// Two sets of session keys, for two hosts: the newest, and the one announced before it. An older one ends. If it was
/// the other host's and not the sender's own from before a restart, that host is refused once and announces new ones,
/// which take the place of the set that nobody uses any more.
fn beside(ctx: &Context<'_>, instance: &Instance, cert: Cert, second: &Fingerprint) -> Result<(), Stop> {
    let failed = |error: String| Stop::from(Failure::Reply(error));
    let second_certificate = certificate::to_bytes(&cert).map_err(Reason::certificate)?;
    let (first, before) = match (&instance.second_key, &instance.second_certificate) {
        (Some(key), Some(certificate)) => (Some(key), Some(certificate)),
        // Nothing says which subkeys are whose.
        (Some(_), None) => (None, None),
        (None, _) => (instance.signing_key.as_ref(), Some(&instance.certificate)),
    };
    let both = match before {
        Some(before) => certificate::parse(before)
            .map_err(|error| failed(error.to_string()))?
            .merge_public(cert)
            .map_err(|error| failed(error.to_string()))?,
        None => cert,
    };
    let certificate = certificate::to_bytes(&both).map_err(|error| failed(error.to_string()))?;
    let both = BothKeys { certificate: &certificate, first, second, second_certificate: &second_certificate };
    if !ctx.tx().hold_both_keys(&instance.fingerprint, &both, ctx.now)? {
        return Err(Reason::InstanceRevoked.into());
    }
    Ok(())
}
