//! Whether a login costs the same where there is more of everything.

use std::fmt::Write as _;
use std::path::Path;

use countersign_server::config::Store;
use countersign_tests::Trouble;
use serde::Serialize;

use super::Plan;
use super::rate::{Meter, Rate};
use super::site::Site;
use crate::progress;

/// What a login costs beside so many of something.
#[derive(Debug, Serialize)]
pub(crate) struct Step {
    /// `accounts`, `first`, `policies` or `entries`.
    pub(crate) of: &'static str,
    pub(crate) many: u64,
    pub(crate) rate: Rate,
}

/// Clients of these measurements.
const CLIENTS: usize = 8;

/// How many people log in, however many there are: who was not seen for five minutes has their certificate read anew, which is
/// measured by itself (`first`).
const CROWD: usize = 100;

pub(super) fn measure(disk: &Path, plan: Plan) -> Result<Vec<Step>, Trouble> {
    let mut steps = Vec::new();
    for accounts in plan.steps_accounts {
        let site = Site::make(disk, Store::default(), accounts)?;
        steps.push(step(&site, None, ("accounts", accounts as u64), plan)?);
        if accounts >= plan.each {
            let running = site.start(None)?;
            let rate =
                Meter::of(&running).rate(&format!("{accounts} accounts, each once"), CLIENTS, plan.each)?;
            steps.push(Step { of: "first", many: accounts as u64, rate });
        }
    }
    let site = Site::make(disk, Store::default(), plan.accounts)?;
    for policies in plan.steps_policies {
        steps.push(step(&site, Some(&about_other_things(policies)), ("policies", policies as u64), plan)?);
    }
    for entries in plan.steps_entries {
        progress(&format!("a ledger of {entries} entries"));
        site.fill_ledger(entries)?;
        steps.push(step(&site, None, ("entries", entries), plan)?);
    }
    Ok(steps)
}

fn step(
    site: &Site,
    policy: Option<&str>,
    (of, many): (&'static str, u64),
    plan: Plan,
) -> Result<Step, Trouble> {
    let running = site.start(policy)?;
    let mut meter = Meter::of(&running).by(CROWD);
    meter.warm_up()?;
    let rate = meter.rate(&format!("{many} {of}"), CLIENTS, plan.each)?;
    Ok(Step { of, many, rate })
}

/// So many policies beside those that a new server begins with: each lets one account suspend another.
fn about_other_things(policies: usize) -> String {
    let mut text = String::new();
    for number in 0..policies {
        let _ = write!(
            text,
            "@id(\"other-{number}\")\n@reason(\"You may.\")\n\
             permit (principal == Account::\"p{number:06}\", action == Action::\"suspend\", resource is AccountResource)\n\
             when {{ resource.name == \"p{:06}\" }};\n",
            number + 1
        );
    }
    text
}
