//! The announcement.

use countersign_protocol::ids::Nonce;
use countersign_protocol::limits;
use countersign_protocol::message::{RotationReply, RotationRequest, Transcript};

use super::Rotation;
use crate::context::Context;
use crate::draft::Draft;
use crate::instances::Instance;
use crate::refusal::Reason;
use crate::replies::Recipient;
use crate::stop::Stop;

/// Remembers what the host committed to. It leaves no entry: nothing was decided yet.
pub(crate) fn request(ctx: &Context<'_>, instance: &Instance) -> Result<Draft, Stop> {
    let body: RotationRequest = ctx.body()?;
    ctx.outside_handshakes()?;
    if instance.forked.is_some() {
        return Err(Reason::Forked.into());
    }
    let heard = Transcript::rotation().then(ctx.literal());
    let server_nonce = Nonce::new(ctx.random())?;
    let expires = ctx.now.plus(limits::HANDSHAKE_LIFE);
    let (fingerprint, commitment) = (instance.fingerprint.clone(), body.commitment);
    let draft = Draft::unrecorded(
        Recipient::Instance(fingerprint.clone()),
        &RotationReply { server_nonce, expires },
    )?
    .quietly(true)
    .with_transcript(heard.digest())
    .remembering(move |tx, literal| {
        let transcript = heard.then(literal).digest();
        let rotation = Rotation { instance: fingerprint, transcript, commitment, server_nonce, expires };
        Ok(tx.put_rotation(&rotation)?)
    });
    Ok(draft)
}
