//! What the server knows of the resource that a request is about: as much of it as policies see.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, ApplicationName, CollectionName, CorrelationId, ResourceName};
use countersign_protocol::message::result::Access;

use crate::approvals::RequestName;
use crate::policy::ResourceFacts;
use crate::queue;
use crate::stop::Stop;
use crate::store::Transaction;

/// Of a resource that is not there, nothing is known: policies that ask for more say no, and nobody learns by it what
/// there is.
pub(super) fn about(
    tx: &dyn Transaction,
    resource: &ResourceName,
    asks: &AccountName,
    now: Timestamp,
) -> Result<ResourceFacts, Stop> {
    Ok(match resource.collection() {
        "application" => match resource.name().parse::<ApplicationName>() {
            Ok(name) => application(tx, &name)?,
            Err(_) => ResourceFacts::default(),
        },
        "collection" => match resource.name().parse::<CollectionName>() {
            Ok(name) => collection(tx, &name, asks)?,
            Err(_) => ResourceFacts::default(),
        },
        "job" => {
            let owner = queue::own(tx, asks, resource.name())?.map(|found| found.job.account);
            ResourceFacts { owner, ..ResourceFacts::default() }
        }
        documents if queue::is_documents(documents) => match documents.parse::<CollectionName>() {
            Ok(name) => collection(tx, &name, asks)?,
            Err(_) => ResourceFacts::default(),
        },
        "recovery" => match resource.name().parse::<CorrelationId>() {
            Ok(id) => recovery(tx, &id, now)?,
            Err(_) => ResourceFacts::default(),
        },
        "request" => match resource.name().parse::<RequestName>() {
            Ok(name) => {
                let owner = tx.waiting_request(&name)?.map(|request| request.account);
                ResourceFacts { owner, ..ResourceFacts::default() }
            }
            Err(_) => ResourceFacts::default(),
        },
        _ => ResourceFacts::default(),
    })
}

fn recovery(tx: &dyn Transaction, id: &CorrelationId, now: Timestamp) -> Result<ResourceFacts, Stop> {
    let owner = tx.recovery(id, now)?.map(|recovery| recovery.account);
    Ok(ResourceFacts { owner, ..ResourceFacts::default() })
}

fn application(tx: &dyn Transaction, name: &ApplicationName) -> Result<ResourceFacts, Stop> {
    let Some(application) = tx.application_named(name)? else { return Ok(ResourceFacts::default()) };
    let state = Some(application.state);
    Ok(ResourceFacts { owner: application.owner, state, ..ResourceFacts::default() })
}

fn collection(
    tx: &dyn Transaction,
    name: &CollectionName,
    asks: &AccountName,
) -> Result<ResourceFacts, Stop> {
    let Some(collection) = tx.collection(name)? else { return Ok(ResourceFacts::default()) };
    let granted: Vec<Access> =
        tx.grants(name, Some(asks))?.into_iter().flat_map(|grant| grant.access).collect();
    Ok(ResourceFacts {
        owner: Some(collection.owner),
        state: Some(collection.state),
        administrators: tx.appointed(name)?,
        granted,
    })
}
