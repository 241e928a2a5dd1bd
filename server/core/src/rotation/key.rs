//! The new key takes the old one's place.

use countersign_protocol::certificate;
use countersign_protocol::ids::{Digest, Fingerprint};
use countersign_protocol::key_words::key_words;
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::message::{RotationKey, RotationRecord, Transcript};

use crate::context::Context;
use crate::draft::Draft;
use crate::enrolment::session_key;
use crate::instances::{Counting, Instance};
use crate::keys::{self, Owner};
use crate::refusal::Reason;
use crate::replies::Recipient;
use crate::stop::Stop;

/// What the instance had – its state, its application, its count – is the new key's. The old one is retired for good.
pub(crate) fn key(ctx: &Context<'_>, old: Instance, newcomer: Fingerprint) -> Result<Draft, Stop> {
    let body: RotationKey = ctx.body()?;
    let carried = ctx.message().transcript.ok_or(Reason::Transcript)?;
    let rotation =
        ctx.tx().use_rotation(&old.fingerprint, &carried, ctx.now)?.ok_or(Reason::HandshakeOver)?;
    let cert = keys::receive(&body.certificate.0, ctx.now)?;
    // Of the very bytes that came: written anew, a certificate may be in another order.
    if Digest::of(&body.certificate.0) != rotation.commitment {
        return Err(Reason::Commitment.into());
    }
    if body.server_nonce != rotation.server_nonce {
        return Err(Reason::ServerNonce.into());
    }
    if certificate::fingerprint(&cert).map_err(Reason::certificate)? != newcomer {
        return Err(Reason::UnknownSender.into());
    }
    keys::claim_all(ctx.tx(), &cert, &Owner::Instance(newcomer.clone()), ctx.now)?;
    let made = ctx.message().time;
    match old.counting(body.counter, made, ctx.now) {
        Counting::Next => {}
        Counting::Late => return Err(Reason::Late.into()),
        Counting::LateByItsClock => return Err(Reason::LateByItsClock.into()),
        // What it says next marks it as seen twice; here nothing is left of a refusal.
        Counting::Again => return Err(Reason::Forked.into()),
    }
    if !ctx.tx().retire_instance(&old.fingerprint, &newcomer, body.counter, ctx.now)? {
        return Err(Reason::Forked.into());
    }
    let retired = old.fingerprint.clone();
    let new = Instance {
        fingerprint: newcomer.clone(),
        certificate: certificate::to_bytes(&cert).map_err(Reason::certificate)?,
        signing_key: session_key::only(&cert, ctx.now)?,
        key_words: key_words(&newcomer),
        key_place: body.key_store,
        counter: body.counter,
        counted: Some(old.counted_now(made, ctx.now)),
        since: ctx.now,
        enrolled: ctx.now,
        ..old
    };
    if !ctx.tx().add_instance(&new, ctx.now)? {
        return Err(Reason::KeyBelongsToAnother.into());
    }

    let transcript = Transcript::resume(carried).then(ctx.literal()).digest();
    let mut entry = ctx.entry(EntryKind::Rotation, Outcome::Allowed, "a new key took the host's key's place");
    entry.instance = Some(newcomer.clone());
    entry.application = Some(new.application.clone());
    entry.key = Some(newcomer.clone());
    entry.detail.insert("retired".into(), retired.to_string());
    entry.detail.insert("key-words".into(), new.key_words);
    entry.detail.insert("claimed-hostname".into(), new.claimed_hostname);
    entry.detail.insert("key-store".into(), new.key_place.in_words());
    entry.detail.insert("transcript".into(), transcript.to_string());
    let application = new.application;
    let recipient = Recipient::Instance(newcomer.clone());
    let draft = Draft::recorded(recipient, entry, None, move |receipt| RotationRecord {
        instance: newcomer,
        retired,
        application,
        transcript,
        receipt,
    });
    Ok(draft.with_transcript(transcript))
}
