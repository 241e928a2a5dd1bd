//! A request about documents that policy permits becomes a job: what can be said against it without the documents is said now.

use countersign_protocol::certificate;
use countersign_protocol::envelope::can_seal_to;
use countersign_protocol::ids::{AccountName, CollectionName, DocumentName};
use countersign_protocol::life::Life;
use countersign_protocol::limits;
use countersign_protocol::message::JobAccepted;
use countersign_protocol::message::result::{
    Document, DocumentAsked, DocumentRemoval, DocumentUpdate, DocumentsAsked,
};
use countersign_protocol::statement::Statement;
use serde::de::DeserializeOwned;

use crate::accounts::AccountKey;
use crate::context::Context;
use crate::policy;
use crate::queue;
use crate::standing::Subject;
use crate::stop::Stop;

/// Whether the resources of this collection are documents.
pub(crate) fn is_documents(collection: &str) -> bool {
    !policy::is_own_collection(collection) && collection.parse::<CollectionName>().is_ok()
}

/// Why a request becomes no job, in words for whoever asked; or the job.
pub(crate) type Accepted = Result<JobAccepted, String>;

/// Accepts what is asked of one document; nothing where there is no such operation.
pub(crate) fn accept(
    ctx: &Context<'_>,
    asker: &AccountKey,
    statement: &Statement,
    body: Option<&[u8]>,
) -> Result<Option<Accepted>, Stop> {
    let resource = &statement.resource;
    let Ok(collection) = resource.collection().parse::<CollectionName>() else { return Ok(None) };
    if statement.operation.as_str() == "read"
        && let Some(why) = unreadable(ctx, asker)
    {
        return Ok(Some(Err(why)));
    }
    let fits = match statement.operation.as_str() {
        "create" => required::<Document>(body, "a document, which is a JSON object").map(drop),
        "read" => optional::<DocumentAsked>(body, "the version wanted"),
        "update" => {
            required::<DocumentUpdate>(body, "a document or a merge patch").and_then(|update| one(&update))
        }
        "delete" => optional::<DocumentRemoval>(body, "the version that is deleted"),
        _ => return Ok(None),
    };
    if let Err(why) = fits {
        return Ok(Some(Err(why)));
    }
    if resource.name().parse::<DocumentName>().is_err() {
        let why = "That is no document's name: 1 to 128 of A-Z a-z 0-9 . _ -, not beginning with a dot.";
        return Ok(Some(Err(why.into())));
    }
    take(ctx, &statement.account, &collection).map(Some)
}

/// Accepts a request for a list of a collection's documents.
pub(crate) fn list(
    ctx: &Context<'_>,
    asker: &AccountKey,
    statement: &Statement,
    body: Option<&[u8]>,
) -> Result<Accepted, Stop> {
    let Ok(collection) = statement.resource.name().parse::<CollectionName>() else {
        return Ok(Err("That is no collection's name.".into()));
    };
    if let Some(why) = unreadable(ctx, asker) {
        return Ok(Err(why));
    }
    match optional::<DocumentsAsked>(body, "what to list") {
        Ok(()) => take(ctx, &statement.account, &collection),
        Err(why) => Ok(Err(why)),
    }
}

fn take(ctx: &Context<'_>, asks: &AccountName, collection: &CollectionName) -> Result<Accepted, Stop> {
    if ctx.distrusts(&Subject::documents(collection)) {
        return Ok(Err(format!(
            "The collection {collection} was changed in the server's database and not by a request. Nothing goes by it until \
             an administrator of the server has looked: countersign-server check"
        )));
    }
    match ctx.tx().collection(collection)?.map(|collection| collection.state) {
        Some(Life::Active) => {}
        Some(Life::Retired) => return Ok(Err(format!("The collection {collection} is retired for good."))),
        Some(Life::Pending | Life::Suspended) => {
            return Ok(Err(format!("The collection {collection} is suspended. Ask its owner.")));
        }
        None => return Ok(Err(format!("There is no collection {collection}."))),
    }
    let (own, all) = ctx.tx().waiting_jobs(asks)?;
    if own >= limits::JOBS_OF_ONE {
        return Ok(Err(format!(
            "{own} jobs of yours wait to be done or fetched; more are taken when these are. See: countersign job list"
        )));
    }
    if all >= limits::JOBS_QUEUED {
        return Ok(Err(format!(
            "{all} jobs wait to be done, and more are not taken. Try again in a minute; if it stays so, an administrator of the \
             server must look why nothing is done."
        )));
    }
    let expires = ctx.now.plus(limits::JOB_LIFE);
    Ok(Ok(JobAccepted { job: ctx.message().id, expires }))
}

/// Why nothing can be told to whoever asks, if nothing can: it would be found out only when it is too late to say it.
fn unreadable(ctx: &Context<'_>, asker: &AccountKey) -> Option<String> {
    let can = certificate::parse(&asker.certificate).is_ok_and(|cert| can_seal_to(&cert, ctx.now));
    (!can).then(|| {
        "What documents hold is sealed to the encryption key of whoever asks, and your card has none that the server knows and \
         can use. Have your card make new keys: countersign key rotate"
            .into()
    })
}

fn one(update: &DocumentUpdate) -> Result<(), String> {
    match (&update.document, &update.merge) {
        (Some(_), None) | (None, Some(_)) => Ok(()),
        _ => Err("The body names either the whole document or a merge patch, and not both.".into()),
    }
}

fn required<B: DeserializeOwned>(body: Option<&[u8]>, what: &str) -> Result<B, String> {
    queue::body(body.ok_or_else(|| format!("The request needs a body: {what}."))?, what)
}

fn optional<B: DeserializeOwned>(body: Option<&[u8]>, what: &str) -> Result<(), String> {
    body.map_or(Ok(()), |body| queue::body::<B>(body, what).map(drop))
}
