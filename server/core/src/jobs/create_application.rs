//! A new application, and the file its copies ship with.

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, CertificateError};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, ApplicationName, Role};
use countersign_protocol::life::Life;
use countersign_protocol::message::result::ApplicationBundle;

use super::{Job, Performed};
use crate::applications::Application;
use crate::context::Context;
use crate::identity::Identity;
use crate::keys::{self, Owner};
use crate::stop::{Failure, Stop};
use crate::store::Transaction;

/// Of an administrator it is in use at once; of anybody else it waits for one. The bundle comes with this answer and never
/// again: nothing that the server keeps for longer has its key in it.
pub(super) fn perform(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let Ok(name) = job.statement.resource.name().parse::<ApplicationName>() else {
        let why = "That is no application name: 1 to 64 of a-z 0-9 . _ -, beginning with a letter.";
        return Ok(Performed::Impossible(why.into()));
    };
    let state = match job.account.roles.contains(&Role::Administrator) {
        true => Life::Active,
        false => Life::Pending,
    };
    let owner = Some(&job.account.name);
    match new_application(ctx.tx(), ctx.identity(), &name, owner, state, ctx.now)? {
        Some(bundle) => Performed::noting(&bundle, [("state", state.to_string())]),
        None => Ok(Performed::Impossible(format!("There is an application {name} already."))),
    }
}

/// Adds an application with a fresh key. The secret half is in the bundle and nowhere else. None if the name is
/// taken.
///
/// # Errors
/// The store's or the OpenPGP library's.
pub fn new_application(
    tx: &dyn Transaction,
    identity: &Identity,
    name: &ApplicationName,
    owner: Option<&AccountName>,
    state: Life,
    now: Timestamp,
) -> Result<Option<ApplicationBundle>, Stop> {
    let failed = |error: CertificateError| Stop::from(Failure::Reply(error.to_string()));
    let cert = certificate::generate_software(name.as_str(), now, None).map_err(failed)?;
    let application = Application {
        name: name.clone(),
        fingerprint: certificate::fingerprint(&cert).map_err(failed)?,
        certificate: certificate::to_bytes(&cert).map_err(failed)?,
        state,
        owner: owner.cloned(),
        created: now,
    };
    if !tx.add_application(&application)? {
        return Ok(None);
    }
    keys::claim_all(tx, &cert, &Owner::Application(name.clone()), now)?;
    Ok(Some(ApplicationBundle {
        application: name.clone(),
        secret_key: Binary(certificate::to_secret_bytes(&cert).map_err(failed)?.to_vec()),
        server_certificate: Binary(certificate::to_bytes(identity.certificate()).map_err(failed)?),
        server_url: identity.url().to_owned(),
    }))
}
