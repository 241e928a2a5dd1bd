//! The first word: which account, and which key.

use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::limits;
use countersign_protocol::message::{RegistrationMethod, RegistrationReply, RegistrationRequest, Transcript};

use super::{Registration, alone};
use crate::context::Context;
use crate::draft::Draft;
use crate::instances::Instance;
use crate::replies::Recipient;
use crate::stop::Stop;

/// Remembers the commitment. Whether there is such an account is not even looked up (W13), unless the answer goes to an
/// address: see [`alone`].
pub(crate) fn request(ctx: &Context<'_>, instance: Instance) -> Result<Draft, Stop> {
    ctx.outside_handshakes()?;
    let body: RegistrationRequest = ctx.body()?;
    let by_recovery = body.method == Some(RegistrationMethod::Recovery);
    if let Some(method) = body.method.clone().filter(|_| !by_recovery) {
        return alone::request(ctx, &instance, body, method);
    }
    let heard = Transcript::registration().then(ctx.literal());
    let expires = ctx.now.plus(limits::HANDSHAKE_LIFE);
    let reply = RegistrationReply { registration: ctx.message().id, expires, totp: None, unavailable: None };

    let mut entry =
        ctx.entry(EntryKind::RegistrationTry, Outcome::Noted, "a key asks to become an account's");
    entry.instance = Some(instance.fingerprint.clone());
    entry.account = Some(body.account.clone());
    entry.detail.insert("commitment".into(), body.commitment.to_string());

    let id = ctx.message().id;
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    let draft = Draft::recorded(recipient, entry, None, move |_receipt| reply)
        .quietly(true)
        .with_transcript(heard.digest())
        .remembering(move |tx, literal| {
            let registration = Registration {
                id,
                instance: instance.fingerprint,
                account: body.account,
                commitment: body.commitment,
                transcript: heard.then(literal).digest(),
                expires,
                server_nonce: None,
                mac: None,
            };
            tx.add_registration(&registration)?;
            if by_recovery {
                tx.mark_recovery(&id)?;
            }
            Ok(())
        });
    Ok(draft)
}
