//! A collection's schema, and its way to its end.

use countersign_protocol::ids::CollectionName;
use countersign_protocol::life::{Life, Step};
use countersign_protocol::message::result::{CollectionList, CollectionShown, CollectionUpdate};

use super::create_collection::schema_fits;
use super::{Job, Performed};
use crate::collections::Collection;
use crate::context::Context;
use crate::stop::Stop;

pub(super) fn suspend(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    change(ctx, job, Step::Suspend)
}

pub(super) fn resume(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    change(ctx, job, Step::Resume)
}

pub(super) fn retire(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    change(ctx, job, Step::Retire)
}

/// Another schema, or none.
pub(super) fn update(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let wanted: CollectionUpdate = match job.body("a schema, or {} for none") {
        Ok(wanted) => wanted,
        Err(why) => return Ok(why),
    };
    if let Err(why) = schema_fits(wanted.schema.as_deref()) {
        return Ok(why);
    }
    let collection = match alive(ctx, job)? {
        Ok(collection) => collection,
        Err(why) => return Ok(why),
    };
    if collection.schema == wanted.schema {
        return Performed::noting(
            &shown(ctx, collection, true)?,
            [("nothing-changed", "the same schema".into())],
        );
    }
    if !ctx.tx().put_schema(&collection.name, wanted.schema.as_deref())? {
        return Ok(Performed::impossible("Somebody else decided about this collection just now."));
    }
    let digest = |schema: &Option<String>| match schema {
        Some(schema) => countersign_protocol::ids::Digest::of(schema.as_bytes()).to_string(),
        None => "none".to_owned(),
    };
    let detail = [("schema", digest(&wanted.schema)), ("schema-before", digest(&collection.schema))];
    Performed::noting(&shown(ctx, Collection { schema: wanted.schema, ..collection }, false)?, detail)
}

fn change(ctx: &Context<'_>, job: &Job<'_>, step: Step) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let before = match named(ctx, job)? {
        Ok(collection) => collection,
        Err(why) => return Ok(why),
    };
    let (was, name) = (before.state, before.name.clone());
    let after = match before.clone().after(step) {
        Ok(after) => after,
        Err(_) if as_asked(step, was) => {
            let detail = [("nothing-changed", format!("it was {was} before"))];
            return Performed::noting(&shown(ctx, before, true)?, detail);
        }
        Err(_) => {
            return Ok(Performed::Impossible(format!(
                "The collection {name} is {was}, so that cannot be done to it."
            )));
        }
    };
    if !ctx.tx().move_collection(&name, was, after.state, ctx.now)? {
        return Ok(Performed::impossible("Somebody else decided about this collection just now."));
    }
    let detail = [("state", after.state.to_string()), ("state-before", was.to_string())];
    Performed::noting(&shown(ctx, after, false)?, detail)
}

const fn as_asked(step: Step, is: Life) -> bool {
    matches!(
        (step, is),
        (Step::Suspend, Life::Suspended) | (Step::Resume, Life::Active) | (Step::Retire, Life::Retired)
    )
}

/// The collection that the request names.
pub(super) fn named(ctx: &Context<'_>, job: &Job<'_>) -> Result<Result<Collection, Performed>, Stop> {
    let name = job.statement.resource.name();
    let there = match name.parse::<CollectionName>() {
        Ok(name) => ctx.tx().collection(&name)?,
        Err(_) => None,
    };
    Ok(there.ok_or_else(|| Performed::Impossible(format!("There is no collection {name}."))))
}

/// The same, if it is not over.
pub(super) fn alive(ctx: &Context<'_>, job: &Job<'_>) -> Result<Result<Collection, Performed>, Stop> {
    Ok(named(ctx, job)?.and_then(|collection| match collection.state {
        Life::Retired => {
            Err(Performed::Impossible(format!("The collection {} is retired for good.", collection.name)))
        }
        Life::Pending | Life::Active | Life::Suspended => Ok(collection),
    }))
}

/// Everything of one collection, for whoever may change it.
pub(super) fn shown(
    ctx: &Context<'_>,
    collection: Collection,
    unchanged: bool,
) -> Result<CollectionList, Stop> {
    let administrators = ctx.tx().appointed(&collection.name)?;
    let grants = ctx.tx().grants(&collection.name, None)?;
    let shown = CollectionShown {
        collection: collection.name,
        owner: collection.owner,
        state: collection.state,
        created: collection.created,
        schema: collection.schema,
        administrators,
        grants,
    };
    Ok(CollectionList { collections: vec![shown], more: false, unchanged })
}
