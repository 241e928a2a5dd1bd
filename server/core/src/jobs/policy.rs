//! Policy documents: looking at them, and changing them.

use countersign_protocol::ids::{InvalidId, PolicyName};
use countersign_protocol::message::result::{
    PolicyAsked, PolicyChanged, PolicyList, PolicyRemoval, PolicyShown, PolicyText, PolicyVersion,
};

use super::{Job, Performed};
use crate::context::Context;
use crate::policy::{self, Asker, By, Change, Changed, Over};
use crate::stop::Stop;

/// In place of a name: all documents.
pub(super) const ALL: &str = "all";

/// Most versions told at once, the newest.
const HISTORY: usize = 1000;

/// The list of all, or one document with its history.
pub(super) fn read(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if job.statement.resource.name() == ALL {
        return match job.without_body() {
            Ok(()) => Performed::yielding(&PolicyList {
                documents: ctx.tx().newest_policies()?,
                epoch: ctx.tx().policy_epoch()?,
            }),
            Err(takes_none) => Ok(takes_none),
        };
    }
    let asked: PolicyAsked = match job.body("the version wanted") {
        Ok(asked) => asked,
        Err(why) => return Ok(why),
    };
    let Ok(name) = name(job) else { return Ok(missing(job.statement.resource.name())) };
    let mut history = ctx.tx().policy_history(&name)?;
    let wanted = |one: &&PolicyVersion| asked.version.is_none_or(|version| one.version == version);
    let Some(document) = history.iter().find(wanted).cloned() else {
        return Ok(match (history.first(), asked.version) {
            (Some(newest), Some(version)) => Performed::impossible(format!(
                "The policy document {name} has no version {version}; its newest is {}.",
                newest.version
            )),
            _ => missing(name.as_str()),
        });
    };
    let text = ctx.tx().policy_text(&name, document.version)?;
    history.truncate(HISTORY);
    Performed::yielding(&PolicyShown { document, text, history })
}

pub(super) fn create(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    put(ctx, job, true)
}

pub(super) fn update(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    put(ctx, job, false)
}

fn put(ctx: &Context<'_>, job: &Job<'_>, new: bool) -> Result<Performed, Stop> {
    let body: PolicyText = match job.body("the text of a policy document") {
        Ok(body) => body,
        Err(why) => return Ok(why),
    };
    let over = match (new, body.over) {
        (true, None) => Over::Nothing,
        (false, Some(version)) => Over::Version(version),
        (true, Some(_)) => return Ok(Performed::impossible("A new document replaces no version.")),
        (false, None) => {
            return Ok(Performed::impossible("The request does not say which version it replaces."));
        }
    };
    change(ctx, job, over, Some(&body.text))
}

pub(super) fn delete(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    match job.body::<PolicyRemoval>("the version that is taken out") {
        Ok(body) => change(ctx, job, Over::Version(body.over), None),
        Err(why) => Ok(why),
    }
}

fn change(ctx: &Context<'_>, job: &Job<'_>, over: Over, text: Option<&str>) -> Result<Performed, Stop> {
    let name = match name(job) {
        Ok(name) => name,
        Err(error) => return Ok(Performed::impossible(format!("That is {error}."))),
    };
    let by = By::Account(Asker { account: job.account, instance: job.instance });
    let change = Change { name: &name, over, text };
    let Changed { versions, set } = match policy::change(ctx.tx(), &[change], by, ctx.now)? {
        Ok(changed) => changed,
        Err(why) => return Ok(Performed::Impossible(why)),
    };
    let Some((document, changed)) = versions.into_iter().next() else { return Ok(missing(name.as_str())) };
    let detail = policy::recorded(&document);
    let policies = u64::try_from(set.size()).unwrap_or(u64::MAX);
    let result = PolicyChanged { document, epoch: set.epoch(), policies, changed };
    if changed {
        Performed::noting(&result, detail)
    } else {
        Performed::noting(&result, [("nothing-changed", "the text is the same".to_owned())])
    }
}

fn name(job: &Job<'_>) -> Result<PolicyName, InvalidId> {
    job.statement.resource.name().parse()
}

fn missing(name: &str) -> Performed {
    Performed::impossible(format!("There is no policy document {name}. See: countersign policy list"))
}
