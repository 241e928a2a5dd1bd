//! Which file does what: an operation on a collection's resources.

use countersign_protocol::limits;

use super::{
    Job, KEY_CHANGED, OPEN_SESSION, Performed, add_key, approve_instance, approve_request, change_account,
    change_application, change_collection, change_grant, change_instance, change_version, contacts,
    create_account, create_application, create_collection, create_enrolment_token, erase_account, explain,
    list, list_applications, list_collections, open_session, own_jobs, own_keys, policy, read_ledger,
    recoveries, renew_emergency_code, requests, revoke_key, update_account,
};
use crate::context::Context;
use crate::queue;
use crate::stop::Stop;

/// The table of jobs.
pub(super) fn perform(ctx: &mut Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Some(size) = job.body.map(<[u8]>::len).filter(|size| *size > limits::JOB_BODY) {
        let why = format!("The body has {size} bytes; at most {} are taken.", limits::JOB_BODY);
        return Ok(Performed::Impossible(why));
    }
    match (job.statement.operation.as_str(), job.statement.resource.collection()) {
        (OPEN_SESSION, "session") => open_session::perform(ctx, job),
        ("add-key", "account") => add_key::perform(ctx, job),
        ("add-contact", "account") => contacts::add(ctx, job),
        ("confirm-contact", "account") => contacts::confirm(ctx, job),
        ("remove-contact", "account") => contacts::remove(ctx, job),
        ("read-contacts", "account") => contacts::read(ctx, job),
        ("renew-emergency-code", "account") => renew_emergency_code::perform(ctx, job),
        ("create", "account") => create_account::perform(ctx, job),
        ("create", "application") => create_application::perform(ctx, job),
        ("create", "enrolment-token") => create_enrolment_token::perform(ctx, job),
        ("approve", "instance") => approve_instance::perform(ctx, job),
        ("approve", "request") => approve_request::perform(ctx, job),
        ("withdraw", "request") => requests::withdraw(ctx, job),
        ("read", "request") => requests::read(ctx, job),
        ("list", "request") => requests::list(ctx, job),
        ("read", "ledger") => read_ledger::perform(ctx, job),
        ("read", "accounts") => list::accounts(ctx, job),
        ("read", "account") => list::account(ctx, job),
        ("read", "instances") => list::instances(ctx, job),
        ("read", "instance") => list::instance(ctx, job),
        ("read", "policy") => policy::read(ctx, job),
        ("explain", "policy") => explain::perform(ctx, job),
        ("create", "policy") => policy::create(ctx, job),
        ("update", "policy") => policy::update(ctx, job),
        ("delete", "policy") => policy::delete(ctx, job),
        ("revoke", "key") => revoke_key::perform(ctx, job),
        ("rotate-key", "account") => own_keys::rotate(ctx, job),
        ("renew-recovery-code", "account") => own_keys::renew_recovery_code(ctx, job),
        ("read", "recoveries") => recoveries::list(ctx, job),
        ("approve", "recovery") => recoveries::approve(ctx, job),
        ("withdraw", "recovery") => recoveries::withdraw(ctx, job),
        ("read", "applications") => list_applications::applications(ctx, job),
        ("read", "application") => list_applications::application(ctx, job),
        ("approve", "application") => change_application::approve(ctx, job),
        ("suspend", "application") => change_application::suspend(ctx, job),
        ("resume", "application") => change_application::resume(ctx, job),
        ("retire", "application") => change_application::retire(ctx, job),
        ("publish", "application") => change_version::publish(ctx, job),
        ("retire-version", "application") => change_version::retire(ctx, job),
        ("create", "collection") => create_collection::perform(ctx, job),
        ("update", "collection") => change_collection::update(ctx, job),
        ("suspend", "collection") => change_collection::suspend(ctx, job),
        ("resume", "collection") => change_collection::resume(ctx, job),
        ("retire", "collection") => change_collection::retire(ctx, job),
        ("grant", "collection") => change_grant::grant(ctx, job),
        ("withdraw", "collection") => change_grant::withdraw(ctx, job),
        ("appoint", "collection") => change_grant::appoint(ctx, job),
        ("dismiss", "collection") => change_grant::dismiss(ctx, job),
        ("read", "collections") => list_collections::collections(ctx, job),
        ("read", "collection") => list_collections::collection(ctx, job),
        ("update", "account") => update_account::update(ctx, job),
        ("erase", "account") => erase_account::perform(ctx, job),
        ("retire", "account") => update_account::retire(ctx, job),
        ("suspend", "account") => change_account::suspend(ctx, job),
        ("resume", "account") => change_account::resume(ctx, job),
        ("suspend", "instance") => change_instance::suspend(ctx, job),
        ("resume", "instance") => change_instance::resume(ctx, job),
        ("revoke", "instance") => change_instance::revoke(ctx, job),
        ("read", "jobs") => own_jobs::list(ctx, job),
        ("cancel", "job") => own_jobs::cancel(ctx, job),
        ("list", "collection") => match job.own_key() {
            Some(key) => queue::list(ctx, key, job.statement, job.body).map(Performed::accepted),
            None => Ok(Performed::impossible(KEY_CHANGED)),
        },
        (_, documents) if queue::is_documents(documents) => match job.own_key() {
            Some(key) => {
                let accepted = queue::accept(ctx, key, job.statement, job.body)?;
                Ok(accepted.map_or(Performed::Unknown, Performed::accepted))
            }
            None => Ok(Performed::impossible(KEY_CHANGED)),
        },
        _ => Ok(Performed::Unknown),
    }
}
