//! A host's key becomes an instance.

use countersign_protocol::certificate;
use countersign_protocol::ids::{Digest, Fingerprint};
use countersign_protocol::key_words::key_words;
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::limits;
use countersign_protocol::message::{EnrolmentRecord, InstanceKey, InstanceState, Transcript};

use super::session_key;
use crate::applications::Application;
use crate::codes::Code;
use crate::context::Context;
use crate::draft::Draft;
use crate::instances::Instance;
use crate::keys::{self, Owner};
use crate::refusal::Reason;
use crate::replies::Recipient;
use crate::stop::Stop;

/// Longest name a host may give itself: what DNS allows.
const HOSTNAME: usize = 253;

/// Enrols the key that `application` and the key itself signed for, if a handshake of ours waits for exactly it.
pub(crate) fn instance_key(
    ctx: &Context<'_>,
    application: Application,
    newcomer: Fingerprint,
) -> Result<Draft, Stop> {
    let body: InstanceKey = ctx.body()?;
    let carried = ctx.message().transcript.ok_or(Reason::Transcript)?;
    let handshake =
        ctx.tx().use_handshake(&carried, &application.name, ctx.now)?.ok_or(Reason::HandshakeOver)?;
    let cert = keys::receive(&body.certificate.0, ctx.now)?;
    // Of the very bytes that came: written anew, a certificate may be in another order.
    if Digest::of(&body.certificate.0) != handshake.commitment {
        return Err(Reason::Commitment.into());
    }
    if body.server_nonce != handshake.server_nonce {
        return Err(Reason::ServerNonce.into());
    }
    if certificate::fingerprint(&cert).map_err(Reason::certificate)? != newcomer {
        return Err(Reason::UnknownSender.into());
    }
    let plain = |c: char| !c.is_control();
    if body.claimed_hostname.len() > HOSTNAME || !body.claimed_hostname.chars().all(plain) {
        return Err(Reason::Body("the host name is too long or has control characters".into()).into());
    }

    keys::claim_all(ctx.tx(), &cert, &Owner::Instance(newcomer.clone()), ctx.now)?;
    let waiting = Instance {
        fingerprint: newcomer.clone(),
        application: application.name.clone(),
        certificate: certificate::to_bytes(&cert).map_err(Reason::certificate)?,
        signing_key: session_key::only(&cert, ctx.now)?,
        second_key: None,
        second_certificate: None,
        key_words: key_words(&newcomer),
        claimed_hostname: body.claimed_hostname,
        key_place: body.key_store,
        state: InstanceState::Pending,
        counter: 0,
        counted: None,
        forked: None,
        since: ctx.now,
        enrolled: ctx.now,
        seen: None,
        successor: None,
        version: None,
    };
    let (instance, why) = vouched(ctx, waiting, body.token.as_deref())?;
    if instance.state == InstanceState::Pending {
        room_to_wait(ctx, &application)?;
    }
    // Never enrolled before, and so never revoked: the fingerprint is the instance's name for ever (W2).
    if !ctx.tx().add_instance(&instance, ctx.now)? {
        return Err(Reason::KeyBelongsToAnother.into());
    }

    let transcript = Transcript::resume(carried).then(ctx.literal()).digest();
    let mut entry = ctx.entry(EntryKind::Enrolment, Outcome::Allowed, why);
    entry.instance = Some(newcomer.clone());
    entry.application = Some(application.name.clone());
    entry.key = Some(newcomer.clone());
    entry.detail.insert("state".into(), instance.state.as_str().into());
    entry.detail.insert("key-words".into(), instance.key_words);
    entry.detail.insert("claimed-hostname".into(), instance.claimed_hostname);
    entry.detail.insert("transcript".into(), transcript.to_string());
    entry.detail.insert("key-store".into(), instance.key_place.in_words());
    let (state, ledger_key) = (instance.state, ctx.ledger().key().as_str().to_owned());
    let recipient = Recipient::Instance(newcomer.clone());
    let draft = Draft::recorded(recipient, entry, None, move |receipt| EnrolmentRecord {
        instance: newcomer,
        application: application.name,
        transcript,
        state,
        ledger_key,
        receipt,
    });
    // Whoever was not enrolled before watched for nothing, and is in nobody's roster.
    Ok(draft.with_transcript(transcript).quietly(true))
}

/// Everyone who has a copy of the application can let a host wait: not more at once than an administrator could look
/// through, and not for ever.
fn room_to_wait(ctx: &Context<'_>, application: &Application) -> Result<(), Stop> {
    let since = ctx.now.plus(-limits::PENDING_LIFE);
    let waiting = ctx.tx().expire_pending(&application.name, since, ctx.now)?;
    if waiting < limits::PENDING_INSTANCES { Ok(()) } else { Err(Reason::TooManyWaiting.into()) }
}

/// Active if a live token vouches for it; else it waits.
fn vouched(
    ctx: &Context<'_>,
    waiting: Instance,
    token: Option<&str>,
) -> Result<(Instance, &'static str), Stop> {
    let Some(token) = token else {
        return Ok((
            waiting,
            "enrolled without a token; it waits for an administrator to compare its key words",
        ));
    };
    let mac = Code::typed(token).mac_of_token(ctx.pepper());
    if ctx.tx().use_token(&mac, &waiting.fingerprint, ctx.now)? {
        Ok((waiting.approve()?, "enrolled with a token"))
    } else {
        Ok((waiting, "enrolled with a token that is wrong, used or too old; it waits for an administrator"))
    }
}
