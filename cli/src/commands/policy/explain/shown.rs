//! An explanation as a person reads it.

use std::fmt;

use countersign_protocol::approval;
use countersign_protocol::message::Decision;
use countersign_protocol::message::result::{OwnDecision, PolicyExplained, PolicyWhy};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Report;

pub(super) fn own(decision: OwnDecision) -> Result<Report, Failure> {
    Report::of(&Own { decision })
}

pub(super) fn explained(explained: PolicyExplained) -> Result<Report, Failure> {
    Report::of(&Explained { explained })
}

#[derive(Serialize)]
struct Own {
    #[serde(flatten)]
    decision: OwnDecision,
}

#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    explained: PolicyExplained,
}

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OwnDecision { decision, reason, time } = &self.decision;
        writeln!(f, "{} on {time}: {reason}", capital(*decision))
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let explained = &self.explained;
        let PolicyExplained {
            question,
            decision,
            reason,
            policy_epoch,
            permits,
            forbids,
            nearest,
            notes,
            approvals,
        } = explained;
        writeln!(f, "{question}")?;
        writeln!(f, "{} by the policies of epoch {policy_epoch}: {reason}", capital(*decision))?;
        if !approvals.is_empty() {
            writeln!(f, "It waits for {} before it is done.", approval::any_of(approvals))?;
        }
        for permit in permits {
            writeln!(f, "\nPermitted by {permit}")?;
            if let Some(needs) = &permit.approvals {
                writeln!(f, "  It asks for {needs}.")?;
            }
        }
        for why in forbids {
            writeln!(f, "\nForbidden by {}", why.policy)?;
            writeln!(f, "  It would not be if one of these were so:")?;
            conditions(f, why)?;
        }
        for why in nearest {
            writeln!(f, "\nNot permitted by {}", why.policy)?;
            writeln!(
                f,
                "  It would be if {} so:",
                if why.conditions.len() == 1 { "this were" } else { "all of these were" }
            )?;
            conditions(f, why)?;
        }
        if *decision == Decision::Denied && permits.is_empty() && nearest.is_empty() && forbids.is_empty() {
            writeln!(f, "\nNo policy permits anything of the kind.")?;
        }
        if !notes.is_empty() {
            writeln!(f)?;
        }
        notes.iter().try_for_each(|note| writeln!(f, "{note}"))
    }
}

fn conditions(f: &mut fmt::Formatter<'_>, why: &PolicyWhy) -> fmt::Result {
    for condition in &why.conditions {
        writeln!(f, "  - {}", condition.words)?;
        writeln!(f, "      {}", condition.written)?;
    }
    Ok(())
}

const fn capital(decision: Decision) -> &'static str {
    match decision {
        Decision::Allowed => "Allowed",
        Decision::Denied => "Denied",
    }
}
