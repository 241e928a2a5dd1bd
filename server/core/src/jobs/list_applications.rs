//! Applications: all, one's own, or one with its versions.

use countersign_protocol::message::result::{ApplicationList, ApplicationShown, VersionShown};

use super::change_application::named;
use super::list::{PAGE, after, page};
use super::{Job, Performed};
use crate::applications::{Application, Version};
use crate::context::Context;
use crate::stop::Stop;

pub(super) fn applications(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let (after, own) = match after(job) {
        Ok(after) => after,
        Err(why) => return Ok(why),
    };
    let owner = own.then_some(&job.statement.account);
    let found = ctx.tx().applications_after(&after, owner, PAGE + 1)?;
    let (applications, more) = page(found, |application| Ok(show(application, Vec::new())))?;
    Performed::yielding(&ApplicationList { applications, more })
}

pub(super) fn application(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let application = match named(ctx, job)? {
        Ok(application) => application,
        Err(why) => return Ok(why),
    };
    let versions = ctx.tx().versions(&application.name)?;
    // The oldest are left out where they would not fit one reply.
    let (versions, more) = page(versions, |version| Ok(show_version(version)))?;
    Performed::yielding(&ApplicationList { applications: vec![show(application, versions)], more })
}

fn show(application: Application, versions: Vec<VersionShown>) -> ApplicationShown {
    ApplicationShown {
        application: application.name,
        owner: application.owner,
        state: application.state,
        key: application.fingerprint,
        created: application.created,
        versions,
    }
}

fn show_version(version: Version) -> VersionShown {
    VersionShown {
        version: version.name,
        digest: version.digest,
        notes: version.notes,
        published: version.published,
        retired: version.retired,
        hosts: version.hosts,
    }
}
