//! A host asks what became of a request whose answer it never got: it is told once and for all.
//!
//! Either the request was decided, or its id is burned here and now: then it is never decided. A host that was killed
//! or cut off in the middle is never left with a request that may still happen.

mod recall;

pub(crate) use recall::recall;

use countersign_protocol::envelope::OpenError;
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::limits;
use countersign_protocol::message::{JobOutcome, JobOutcomeReply, JobReply};

use crate::context::Context;
use crate::draft::Draft;
use crate::instances::Instance;
use crate::prepared::Prepared;
use crate::refusal::Reason;
use crate::replies::{Recipient, StoredReply};
use crate::stop::Stop;

/// How far ahead of our time a request may say to be, in seconds. The clock of a host that is turned on may be wrong by
/// hours or a time zone, and what it signed then is burned for as long as it could come; but no row is kept for ever.
const AHEAD: i64 = 24 * 3600;

/// Tells what became of a request, or sees to it that nothing does.
pub(crate) fn job_outcome(
    ctx: &mut Context<'_>,
    instance: &Instance,
    prepared: Prepared,
) -> Result<Draft, Stop> {
    ctx.outside_handshakes()?;
    let asked: JobOutcome = ctx.body()?;
    if asked.id == ctx.message().id {
        return Err(Reason::Body("it asks about itself".into()).into());
    }
    if asked.time.seconds_since(ctx.now) > AHEAD {
        return Err(Reason::Body("it asks about a request of a day that has not come".into()).into());
    }
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    let answer = |reply: JobOutcomeReply| Ok(Draft::unrecorded(recipient.clone(), &reply)?.quietly(true));
    let known = ctx.tx().reply(&asked.id)?;
    let is_theirs = match &known {
        None => true,
        Some(stored) => stored.digest == asked.digest && was(ctx, instance, &stored.recipient)?,
    };
    match known {
        Some(_) if !is_theirs => Err(Reason::Envelope(OpenError::IdReused).into()),
        // Burned when it was asked about before, and that answer was lost: one entry says so.
        Some(stored) if stored.sealed.is_empty() && !stored.passing => match prepared {
            Prepared::NeverHappened(receipt) => answer(JobOutcomeReply::NeverHappened { receipt }),
            // A moment ago, or by an earlier version.
            _ => Ok(never_happened(ctx, instance, &asked)),
        },
        Some(stored) => {
            let reply = ctx.read_back(&stored)?.body::<JobReply>();
            let reply = reply.map_err(|error| Reason::Body(format!("not about a job: {error}")))?;
            answer(JobOutcomeReply::Answered { reply: Box::new(JobReply { result: None, ..reply }) })
        }
        None if is_forgotten(ctx, &asked)? => match prepared {
            Prepared::Recalled(Some(reply)) => answer(JobOutcomeReply::Answered { reply }),
            _ => answer(JobOutcomeReply::Forgotten {}),
        },
        None => {
            // The entry is the next one: nothing else is appended here.
            let place = ctx.tx().size()?;
            // It may be on its way still, and be as young as it says.
            let until = asked.time.max(ctx.now);
            let burned = StoredReply {
                id: asked.id,
                digest: asked.digest,
                recipient: recipient.clone(),
                sealed: Vec::new(),
                passing: false,
                never: Some(place),
            };
            ctx.tx().put_reply(&burned, until)?;
            Ok(never_happened(ctx, instance, &asked))
        }
    }
}

/// Whether this is the instance, or was before its key was rotated.
fn was(ctx: &Context<'_>, instance: &Instance, recipient: &Recipient) -> Result<bool, Stop> {
    let Recipient::Instance(name) = recipient else { return Ok(false) };
    Ok(ctx.tx().names(&instance.fingerprint)?.contains(name))
}

/// Whether the answer to it, had there been one, may have been deleted. It is too old to be taken then.
fn is_forgotten(ctx: &Context<'_>, asked: &JobOutcome) -> Result<bool, Stop> {
    let answered = asked.time.plus(-limits::CLOCK_SKEW);
    Ok(ctx.tx().forgotten()?.is_some_and(|before| before > answered))
}

fn never_happened(ctx: &Context<'_>, instance: &Instance, asked: &JobOutcome) -> Draft {
    let reason = "The request never came, and is refused from now on.";
    let mut entry = ctx.entry(EntryKind::NeverHappened, Outcome::Denied, reason);
    entry.instance = Some(instance.fingerprint.clone());
    entry.detail.insert("request".into(), asked.id.to_string());
    entry.detail.insert("request-digest".into(), asked.digest.to_string());
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    Draft::recorded(recipient, entry, None, |receipt| JobOutcomeReply::NeverHappened { receipt })
        .quietly(true)
}
