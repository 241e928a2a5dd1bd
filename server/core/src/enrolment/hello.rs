//! The first word of a host.

use countersign_protocol::ids::Nonce;
use countersign_protocol::limits;
use countersign_protocol::message::{Hello, HelloReply, Transcript};

use super::Handshake;
use crate::applications::Application;
use crate::context::Context;
use crate::draft::Draft;
use crate::keys;
use crate::refusal::Reason;
use crate::replies::Recipient;
use crate::stop::Stop;

/// Remembers what the host committed to, and answers to the one-time key it brought.
///
/// It leaves no ledger entry: everyone who has a copy of the application can say hello, for ever, and nothing
/// was decided yet.
pub(crate) fn hello(ctx: &Context<'_>, application: Application) -> Result<Draft, Stop> {
    let body: Hello = ctx.body()?;
    if ctx.message().transcript.is_some() {
        return Err(Reason::Transcript.into());
    }
    // It is stored with the reply.
    if body.ephemeral.0.len() > limits::EPHEMERAL_CERTIFICATE {
        return Err(Reason::BadCertificate("a one-time certificate that large".into()).into());
    }
    keys::receive(&body.ephemeral.0, ctx.now)?;

    let heard = Transcript::enrolment().then(ctx.literal());
    let server_nonce = Nonce::new(ctx.random())?;
    let expires = ctx.now.plus(limits::HANDSHAKE_LIFE);
    let version_retired = super::version_is_retired(ctx, &application.name, body.version.as_ref())?;
    let reply = HelloReply { server_nonce, expires, application: application.name.clone(), version_retired };
    let (now, commitment) = (ctx.now, body.commitment);
    let draft = Draft::unrecorded(Recipient::Ephemeral(body.ephemeral.0), &reply)?
        .quietly(true)
        .with_transcript(heard.digest())
        .remembering(move |tx, literal| {
            // Told, and not remembered: no key message continues it.
            if version_retired {
                return Ok(());
            }
            let transcript = heard.then(literal).digest();
            let application = application.name;
            let handshake = Handshake { transcript, application, commitment, server_nonce, expires };
            Ok(tx.add_handshake(&handshake, now)?)
        });
    Ok(draft)
}
