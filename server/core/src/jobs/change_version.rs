//! The versions of an application: published once, retired once.

use countersign_protocol::life::Life;
use countersign_protocol::limits;
use countersign_protocol::message::result::{NamedVersion, NewVersion, VersionChanged};

use super::change_application::named;
use super::{Job, Performed};
use crate::applications::Version;
use crate::context::Context;
use crate::stop::Stop;

/// A version has one digest for ever: whoever checks what they install by it is never told another one.
pub(super) fn publish(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let wanted: NewVersion = match job.body("a version, its SHA-256 and notes") {
        Ok(wanted) => wanted,
        Err(why) => return Ok(why),
    };
    let application = match named(ctx, job)? {
        Ok(application) => application,
        Err(why) => return Ok(why),
    };
    if application.state != Life::Active {
        let why = format!(
            "The application {} is {}: nothing is published in it.",
            application.name, application.state
        );
        return Ok(Performed::Impossible(why));
    }
    let plain = |c: char| c == '\n' || !c.is_control();
    if wanted.notes.len() > limits::VERSION_NOTES || !wanted.notes.chars().all(plain) {
        let why =
            format!("Notes are text without control characters, of at most {} bytes.", limits::VERSION_NOTES);
        return Ok(Performed::Impossible(why));
    }
    let version = Version {
        name: wanted.version,
        digest: wanted.digest,
        notes: wanted.notes,
        published: ctx.now,
        retired: None,
        hosts: 0,
    };
    if !ctx.tx().publish_version(&application.name, &version)? {
        let there = ctx.tx().version(&application.name, &version.name)?;
        let why = match there {
            Some(_) => format!("There is a version {} of {} already.", version.name, application.name),
            None => format!("{} has {} versions, more are not kept.", application.name, limits::VERSIONS),
        };
        return Ok(Performed::Impossible(why));
    }
    let detail = [("version", version.name.to_string()), ("digest", version.digest.to_string())];
    let result = VersionChanged {
        application: application.name,
        version: version.name,
        state: Life::Active,
        hosts: 0,
        changed: true,
    };
    Performed::noting(&result, detail)
}

/// No copy that says it is of this version enrols any more. Those that run it go on, and are shown.
pub(super) fn retire(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let wanted: NamedVersion = match job.body("the version to retire") {
        Ok(wanted) => wanted,
        Err(why) => return Ok(why),
    };
    let application = match named(ctx, job)? {
        Ok(application) => application,
        Err(why) => return Ok(why),
    };
    let changed = ctx.tx().retire_version(&application.name, &wanted.version, ctx.now)?;
    let Some(version) = ctx.tx().version(&application.name, &wanted.version)? else {
        let why = format!("There is no version {} of {}.", wanted.version, application.name);
        return Ok(Performed::Impossible(why));
    };
    let result = VersionChanged {
        application: application.name,
        version: version.name,
        state: Life::Retired,
        hosts: version.hosts,
        changed,
    };
    let named = ("version", wanted.version.to_string());
    if changed {
        Performed::noting(&result, [named])
    } else {
        Performed::noting(&result, [named, ("nothing-changed", "it was retired before".to_owned())])
    }
}
