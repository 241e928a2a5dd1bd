//! A new collection, and whose it is.

use countersign_protocol::ids::{CollectionName, Role};
use countersign_protocol::life::Life;
use countersign_protocol::limits;
use countersign_protocol::message::result::NewCollection;

use super::change_collection::shown;
use super::{Job, Performed};
use crate::accounts::AccountState;
use crate::api;
use crate::collections::Collection;
use crate::context::Context;
use crate::policy;
use crate::stop::Stop;

/// Whoever has the role `resource` makes one for themselves; only administrators make one for somebody else.
pub(super) fn perform(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let Ok(name) = job.statement.resource.name().parse::<CollectionName>() else {
        let why = "That is no collection's name: 1 to 64 of a-z 0-9 . _ -, beginning with a letter.";
        return Ok(Performed::impossible(why));
    };
    if policy::is_own_collection(name.as_str()) {
        return Ok(Performed::Impossible(format!(
            "{name} is the name of one of the server's own collections."
        )));
    }
    let wanted: NewCollection = match job.body("an owner and a schema, or {}") {
        Ok(wanted) => wanted,
        Err(why) => return Ok(why),
    };
    if let Err(why) = schema_fits(wanted.schema.as_deref()) {
        return Ok(why);
    }
    let owner = wanted.owner.unwrap_or_else(|| job.account.name.clone());
    if owner != job.account.name && !job.account.roles.contains(&Role::Administrator) {
        let why = "A collection is made for oneself. An administrator makes one for somebody else.";
        return Ok(Performed::impossible(why));
    }
    let account = ctx.tx().account(&owner)?;
    let may_own = account.is_some_and(|account| {
        account.state != AccountState::Retired && account.roles.contains(&Role::Resource)
    });
    if !may_own {
        let why = format!(
            "There is no account {owner} with the role resource, which owners of collections have. An administrator \
             gives it: countersign admin user update {owner} --role resource"
        );
        return Ok(Performed::Impossible(why));
    }
    let collection = Collection { name, owner, schema: wanted.schema, state: Life::Active, created: ctx.now };
    if !ctx.tx().add_collection(&collection)? {
        return Ok(Performed::Impossible(format!("There is a collection {} already.", collection.name)));
    }
    let owner = collection.owner.to_string();
    Performed::noting(&shown(ctx, collection, false)?, [("owner", owner)])
}

/// Whether documents can be held to it.
pub(super) fn schema_fits(schema: Option<&str>) -> Result<(), Performed> {
    let Some(schema) = schema else { return Ok(()) };
    if schema.len() > limits::COLLECTION_SCHEMA {
        let why = format!("A schema has at most {} bytes.", limits::COLLECTION_SCHEMA);
        return Err(Performed::Impossible(why));
    }
    match serde_json::from_str::<serde_json::Value>(schema) {
        Ok(serde_json::Value::Object(_)) => match api::schema_fault(schema) {
            None => Ok(()),
            Some(why) => {
                Err(Performed::Impossible(format!("No document could be held to that schema: {why}.")))
            }
        },
        Ok(_) => Err(Performed::impossible("A schema is a JSON object.")),
        Err(error) => Err(Performed::Impossible(format!("The schema is not JSON: {error}."))),
    }
}
