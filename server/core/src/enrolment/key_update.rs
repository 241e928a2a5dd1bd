//! New session subkeys.

use countersign_protocol::certificate;
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::message::{KeyUpdate, KeyUpdateReply};

use super::session_key;
use crate::context::Context;
use crate::draft::Draft;
use crate::instances::Instance;
use crate::keys::{self, Owner};
use crate::refusal::Reason;
use crate::replies::Recipient;
use crate::stop::Stop;

/// Puts the subkeys in force that the instance's primary key announces.
pub(crate) fn key_update(ctx: &Context<'_>, instance: Instance) -> Result<Draft, Stop> {
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
    if !ctx.tx().announce_keys(&instance.fingerprint, &bytes, &signing_key)? {
        return Err(Reason::Forked.into());
    }

    let mut entry = ctx.entry(EntryKind::KeyUpdate, Outcome::Allowed, "new session keys");
    entry.instance = Some(instance.fingerprint.clone());
    entry.key = Some(instance.fingerprint.clone());
    entry.detail.insert("signing-key".into(), signing_key.to_string());
    let recipient = Recipient::Instance(instance.fingerprint);
    Ok(Draft::recorded(recipient, entry, None, move |receipt| KeyUpdateReply { signing_key, receipt }))
}
