//! The code that an administrator handed over, that a message brought, or that an authenticator program shows.

use countersign_protocol::ids::Nonce;
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::message::{RegistrationCode, RegistrationCodeReply, Transcript};

use super::accepted::Acceptance;
use super::{Registration, alone};
use crate::codes::{self, Code};
use crate::context::Context;
use crate::draft::Draft;
use crate::instances::Instance;
use crate::recovery;
use crate::refusal::Reason;
use crate::replies::Recipient;
use crate::stop::Stop;

/// Counts a try, then compares. Wrong, used up, too old and no such account are one answer (W13).
pub(crate) fn code(ctx: &Context<'_>, instance: &Instance) -> Result<Draft, Stop> {
    let body: RegistrationCode = ctx.body()?;
    let registration = ctx
        .tx()
        .registration(&body.registration, ctx.now)?
        .filter(|found| found.instance == instance.fingerprint)
        .ok_or(Reason::HandshakeOver)?;
    if registration.server_nonce.is_some() || ctx.message().transcript != Some(registration.transcript) {
        return Err(Reason::Transcript.into());
    }

    let by_recovery = ctx.tx().is_recovery(&registration.id)?;
    let right = match ctx.tx().alone(&registration.id)? {
        Some(_) => alone::compare(ctx, &registration, &body.code)?,
        None if by_recovery => recovery::compare(ctx, &registration, &body.code)?,
        None => compare(ctx, &registration, &body)?,
    };
    let heard = Transcript::resume(registration.transcript).then(ctx.literal());
    let (outcome, why, reply) = if right {
        let server_nonce = Nonce::new(ctx.random())?;
        (Outcome::Allowed, "the code was right", RegistrationCodeReply::Accepted { server_nonce })
    } else {
        let why = "the code was wrong, used up or too old, or there is no such account waiting for a key";
        (Outcome::Denied, why, RegistrationCodeReply::Rejected)
    };
    // Whoever has the paper has a way to begin.
    let kind = if by_recovery { EntryKind::Alarm } else { EntryKind::RegistrationTry };
    let mut entry = ctx.entry(kind, outcome, why);
    if by_recovery {
        let word = if right { "right" } else { "refused" };
        entry.detail.insert("recovery-code".into(), word.into());
    }
    entry.instance = Some(instance.fingerprint.clone());
    entry.account = Some(registration.account.clone());

    let recipient = Recipient::Instance(instance.fingerprint.clone());
    let accepted = match &reply {
        RegistrationCodeReply::Accepted { server_nonce } => Some(*server_nonce),
        RegistrationCodeReply::Rejected => None,
    };
    let accepted = match accepted {
        Some(nonce) => Some((nonce, Acceptance::of(ctx, &registration, &nonce)?)),
        None => None,
    };
    let draft = Draft::recorded(recipient, entry, None, move |_receipt| reply)
        .quietly(true)
        .with_transcript(heard.digest())
        .remembering(move |tx, literal| {
            let Some((server_nonce, acceptance)) = accepted else { return Ok(()) };
            let transcript = heard.then(literal).digest();
            let mac = acceptance.mac(&transcript);
            if tx.accept_registration(&registration.id, &server_nonce, &transcript, &mac)? {
                Ok(())
            } else {
                Err(Reason::HandshakeOver.into())
            }
        });
    Ok(draft)
}

fn compare(ctx: &Context<'_>, registration: &Registration, typed: &RegistrationCode) -> Result<bool, Stop> {
    let account = &registration.account;
    let mac = Code::typed(&typed.code).mac_for_account(ctx.pepper(), account);
    let kept = ctx.tx().try_code(account, ctx.now)?;
    let factor = ctx.tx().second_factor(account)?;
    // Compared with something in any case, so that time does not tell whether there is a code.
    let same = codes::equal(&kept.unwrap_or_default(), &mac);
    if kept.is_none() || !same {
        return Ok(false);
    }
    let shown = typed.totp.as_deref().unwrap_or_default();
    let right = factor.map_or(Ok(true), |factor| factor.accepts(ctx, account, shown))?;
    Ok(right && ctx.tx().use_code(account, ctx.now)?)
}
