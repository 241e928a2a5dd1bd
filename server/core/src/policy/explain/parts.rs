//! A policy taken apart.

use cedar_policy::{Policy, PolicyId};
use serde_json::{Value, json};

use crate::policy::document::PolicyError;

/// Something that must hold for the policy to apply.
pub(super) enum Part {
    /// `principal == …`, `principal is …`
    Principal(Value),
    /// `resource == …`, `resource is …`
    Resource(Value),
    /// An expression of a condition, and whether it must be true: a part of `unless` must not be.
    Condition(Value, bool),
}

impl Part {
    /// All of them, in the order in which Cedar looks at them. The action fits already.
    pub(super) fn of(policy: &Policy) -> Result<Vec<Self>, PolicyError> {
        let unread = |why: &str| PolicyError::general(format!("{}: {why}", policy.id()));
        let mut json = policy.to_json().map_err(|error| unread(&error.to_string()))?;
        let mut parts = Vec::new();
        for (variable, part) in
            [("principal", Self::Principal as fn(Value) -> Self), ("resource", Self::Resource)]
        {
            let scope = json.get_mut(variable).map(Value::take).ok_or_else(|| unread("it has no scope"))?;
            if scope.get("op").and_then(Value::as_str) != Some("All") {
                parts.push(part(scope));
            }
        }
        let conditions = json.get("conditions").and_then(Value::as_array);
        for condition in conditions.ok_or_else(|| unread("it has no list of conditions"))? {
            let body = condition.get("body").ok_or_else(|| unread("a condition has no body"))?;
            let must = condition.get("kind").and_then(Value::as_str) == Some("when");
            take_apart(body, must, &mut parts);
        }
        Ok(parts)
    }

    /// A policy that permits if this holds, and if nothing else does.
    pub(super) fn alone(&self) -> Result<Policy, PolicyError> {
        let all = json!({"op": "All"});
        let (principal, resource, conditions) = match self {
            Self::Principal(scope) => (scope, &all, json!([])),
            Self::Resource(scope) => (&all, scope, json!([])),
            Self::Condition(body, must) => {
                (&all, &all, json!([{"kind": if *must { "when" } else { "unless" }, "body": body}]))
            }
        };
        let policy = json!({
            "effect": "permit", "principal": principal, "action": all, "resource": resource,
            "conditions": conditions,
        });
        Policy::from_json(Some(PolicyId::new("part")), policy)
            .map_err(|error| PolicyError::general(error.to_string()))
    }

    /// In Cedar.
    pub(super) fn written(&self) -> String {
        let Some(text) = self.alone().ok().and_then(|policy| policy.to_cedar()) else { return String::new() };
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let part = match self {
            Self::Principal(_) => between(&text, "(", ","),
            Self::Resource(_) => between(&text, "action,", ")"),
            Self::Condition(..) => inside_braces(&text),
        };
        part.unwrap_or(text)
    }
}

fn take_apart(expression: &Value, must: bool, parts: &mut Vec<Part>) {
    let joined = expression.get(if must { "&&" } else { "||" });
    if let Some((left, right)) = joined.and_then(|both| Some((both.get("left")?, both.get("right")?))) {
        take_apart(left, must, parts);
        take_apart(right, must, parts);
        return;
    }
    if let Some(negated) = expression.get("!").and_then(|operand| operand.get("arg")) {
        take_apart(negated, !must, parts);
        return;
    }
    parts.push(Part::Condition(expression.clone(), must));
}

fn between(text: &str, begin: &str, end: &str) -> Option<String> {
    let (_, rest) = text.split_once(begin)?;
    Some(rest.split_once(end)?.0.trim().to_owned())
}

fn inside_braces(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('{')?;
    Some(rest.rsplit_once('}')?.0.trim().to_owned())
}
