//! New session subkeys.

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::message::{KeyUpdate, KeyUpdateReply};

use super::{check_in, session_key};
use crate::context::Context;
use crate::draft::Draft;
use crate::instances::Instance;
use crate::keys::{self, Owner};
use crate::refusal::Reason;
use crate::replies::Recipient;
use crate::stop::{Failure, Stop};

/// Puts the subkeys in force that the instance's primary key announces.
pub(crate) fn key_update(ctx: &mut Context<'_>, instance: Instance) -> Result<Draft, Stop> {
    ctx.outside_handshakes()?;
    let body: KeyUpdate = ctx.body()?;
    if instance.forked.is_some() {
        return Err(Reason::Forked.into());
    }
    let cert = keys::receive(&body.certificate.0, ctx.now)?;
    if certificate::fingerprint(&cert).map_err(Reason::certificate)? != instance.fingerprint {
        return Err(Reason::OtherPrimary.into());
    }
    let signing_key = session_key::only(&cert, ctx.now)?.ok_or(Reason::NoSigningKey)?;
    keys::claim_all(ctx.tx(), &cert, &Owner::Instance(instance.fingerprint.clone()), ctx.now)?;
    let bytes = certificate::to_bytes(&cert).map_err(Reason::certificate)?;
    let announced =
        ctx.tx().announce_keys(&instance.fingerprint, &bytes, &signing_key, body.counter, ctx.now)?;
    let why = if announced {
        "new session keys"
    } else {
        second_host(ctx, &instance, cert, &signing_key, body.counter)?;
        "session keys of the second host that was seen with this key, for logins"
    };

    let mut entry = ctx.entry(EntryKind::KeyUpdate, Outcome::Allowed, why);
    entry.instance = Some(instance.fingerprint.clone());
    entry.key = Some(instance.fingerprint.clone());
    entry.detail.insert("signing-key".into(), signing_key.to_string());
    let recipient = Recipient::Instance(instance.fingerprint);
    let draft =
        Draft::recorded(recipient, entry, None, move |receipt| KeyUpdateReply { signing_key, receipt });
    Ok(draft.quietly(announced))
}

/// A counter that was used before: there are two hosts with one key (W25). Which is the true one only an
/// administrator can tell, so both go on letting people in, and neither gets further keys.
fn second_host(
    ctx: &mut Context<'_>,
    instance: &Instance,
    cert: Cert,
    signing_key: &Fingerprint,
    counter: u64,
) -> Result<(), Stop> {
    let failed = |error: String| Stop::from(Failure::Reply(error));
    let first = certificate::parse(&instance.certificate).map_err(|error| failed(error.to_string()))?;
    let both = first.merge_public(cert).map_err(|error| failed(error.to_string()))?;
    let both = certificate::to_bytes(&both).map_err(|error| failed(error.to_string()))?;
    if !ctx.tx().fork_with_key(&instance.fingerprint, &both, signing_key, ctx.now)? {
        return Err(Reason::Forked.into());
    }
    check_in::alarm(ctx, instance, counter)
}
