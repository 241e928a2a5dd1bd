//! Collections: all, those that concern oneself, or one.

use countersign_protocol::message::result::{CollectionList, CollectionShown};

use super::change_collection::{named, shown};
use super::list::{PAGE, after, page};
use super::{Job, Performed};
use crate::collections::Collection;
use crate::context::Context;
use crate::stop::Stop;

pub(super) fn collections(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let (after, own) = match after(job) {
        Ok(after) => after,
        Err(why) => return Ok(why),
    };
    let concerning = own.then_some(&job.account.name);
    let found = ctx.tx().collections_after(&after, concerning, PAGE + 1)?;
    let (collections, more) = page(found, |collection| in_list(ctx, job, collection, own))?;
    Performed::yielding(&CollectionList { collections, more, unchanged: false })
}

pub(super) fn collection(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    match named(ctx, job)? {
        Ok(collection) => Performed::yielding(&shown(ctx, collection, false)?),
        Err(why) => Ok(why),
    }
}

/// Whoever was only granted something sees that, and not what others were.
fn in_list(
    ctx: &Context<'_>,
    job: &Job<'_>,
    collection: Collection,
    own: bool,
) -> Result<CollectionShown, Stop> {
    let asks = &job.account.name;
    let mut administrators = ctx.tx().appointed(&collection.name)?;
    let may_grant = collection.owner == *asks || administrators.contains(asks);
    let only_own = own && !may_grant;
    if only_own {
        administrators.clear();
    }
    let grants = ctx.tx().grants(&collection.name, only_own.then_some(asks))?;
    Ok(CollectionShown {
        collection: collection.name,
        owner: collection.owner,
        state: collection.state,
        created: collection.created,
        schema: None,
        administrators,
        grants,
    })
}
