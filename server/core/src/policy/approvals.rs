//! `@approvals("2:operators")`: a permit for what so many people approve.

use cedar_policy::{Effect, Policy};
use countersign_protocol::approval::{self, Approvers, Needs, Requirement};
use countersign_protocol::ids::{Operation, ResourceName, Role};

use super::document::{Document, Fault};
use super::load::PolicySet;

/// The annotation.
pub(super) const APPROVALS: &str = "approvals";

/// What a policy asks for, if it asks for any.
pub(super) fn asked(document: &Document, policy: &Policy) -> Result<Option<Needs>, Fault> {
    let Some(written) = policy.annotation(APPROVALS) else { return Ok(None) };
    let id = policy.annotation("id").unwrap_or_default();
    let at = document.text.find(&format!("\"{id}\""));
    if policy.effect() == Effect::Forbid {
        let what = format!("{id} forbids, and nobody's approval lifts that. @approvals belongs on a permit");
        return Err(document.fault(at, what));
    }
    let needs = Needs::read(written)
        .map_err(|error| document.fault(at, format!("@approvals(\"{written}\") of {id}: {error}")))?;
    if needs.people() == 0 {
        let what = format!("@approvals of {id} names nobody. Write \"2:operators\", or leave it out");
        return Err(document.fault(at, what));
    }
    let is_anybody = |one: &Requirement| *one.of() == Approvers::Role(Role::User);
    if needs.requirements().iter().any(is_anybody) {
        let what = format!(
            "@approvals of {id} asks for users: where people register by themselves, anybody makes as many as they want. Name a \
             group"
        );
        return Err(document.fault(at, what));
    }
    Ok(Some(needs))
}

/// Whether a request waits for approvals. Somebody who logs in, or looks at something, does not stand there for a day; and an
/// approval that had to be approved would be none.
pub(super) fn waits(operation: &Operation, resource: &ResourceName) -> bool {
    resource.collection() != "request"
        && !matches!(operation.as_str(), "open-session" | "read" | "list" | "read-contacts" | "explain")
}

/// Whether by such a request somebody could get around the approvals that policies ask for: change the policies, become one of
/// those who are asked, make somebody one of them, or get a card of one of them.
fn weakens(operation: &Operation, resource: &ResourceName) -> bool {
    matches!(
        (operation.as_str(), resource.collection()),
        ("create" | "update" | "delete", "policy")
            | ("create" | "update" | "resume", "account")
            | ("approve", "recovery")
    )
}

impl PolicySet {
    /// What each policy asks for that asks for approvals, by its id.
    pub fn approvals(&self) -> impl Iterator<Item = (&str, &Needs)> {
        self.approvals.iter().map(|(id, needs)| (id.as_str(), needs))
    }

    /// Of each group and role the most approvals that any policy asks for: what it takes to weaken any of them.
    #[must_use]
    pub fn guard(&self) -> Needs {
        let all = self.approvals.values().flat_map(Needs::requirements);
        all.cloned().collect::<Vec<Requirement>>().into()
    }

    /// What a request needs that is permitted with these approvals: any of what is returned, and nothing if that is empty. A
    /// request by which one could get around what others need takes as many approvals as those do.
    #[must_use]
    pub fn demand(
        &self,
        operation: &Operation,
        resource: &ResourceName,
        permitted: Vec<Needs>,
    ) -> Vec<Needs> {
        let guard = self.guard();
        if guard.people() == 0 || !weakens(operation, resource) {
            return permitted;
        }
        match permitted.is_empty() {
            true => vec![guard],
            false => approval::least(permitted.iter().map(|needs| needs.and(&guard)).collect()),
        }
    }
}
