//! Which facts an expression of a policy needs, read from Cedar's JSON form of it.
//!
//! Only what is recognised here counts as known: another operator, another way to name a thing, or a later Cedar's
//! novelty makes the whole expression unknown.

use serde_json::Value;

/// Operators whose operands are expressions, and nothing but those.
const OPERATORS: &[&str] = &[
    "!",
    "neg",
    "==",
    "!=",
    "in",
    "<",
    "<=",
    ">",
    ">=",
    "&&",
    "||",
    "+",
    "-",
    "*",
    "contains",
    "containsAll",
    "containsAny",
    "isEmpty",
    "if-then-else",
];

/// Whether everything that `expression` needs is known: `knows` is asked about each path, such as
/// `["context", "instance", "state"]`.
pub(super) fn is_known(expression: &Value, knows: &dyn Fn(&[&str]) -> bool) -> bool {
    let Some((operator, operands)) = sole(expression) else { return false };
    let known = |operand: &Value| is_known(operand, knows);
    match operator {
        "Value" => true,
        // The whole context holds more than a host knows.
        "Var" => matches!(operands.as_str(), Some("principal" | "action" | "resource")),
        "." | "has" => attributes(operands).is_some_and(|path| knows(&path)),
        "Set" => operands.as_array().is_some_and(|members| members.iter().all(known)),
        "Record" => operands.as_object().is_some_and(|members| members.values().all(known)),
        "like" => operands.get("left").is_some_and(known),
        "is" => operands.get("left").is_some_and(known) && operands.get("in").is_none_or(known),
        // An extension's function, such as `decimal`: its arguments make a list.
        _ if operands.is_array() => operands.as_array().is_some_and(|arguments| arguments.iter().all(known)),
        _ if OPERATORS.contains(&operator) => {
            operands.as_object().is_some_and(|operands| operands.values().all(known))
        }
        _ => false,
    }
}

/// The path that an attribute access or a test for one follows: from a variable, by names alone.
fn attributes(operands: &Value) -> Option<Vec<&str>> {
    let mut path = base(operands.get("left")?)?;
    match operands.get("attr")? {
        Value::String(name) => path.push(name),
        Value::Array(names) => {
            for name in names {
                path.push(name.as_str()?);
            }
        }
        _ => return None,
    }
    Some(path)
}

fn base(expression: &Value) -> Option<Vec<&str>> {
    match sole(expression)? {
        ("Var", name) => Some(vec![name.as_str()?]),
        (".", operands) => attributes(operands),
        _ => None,
    }
}

/// The one operator of an expression, and what it is applied to.
fn sole(expression: &Value) -> Option<(&str, &Value)> {
    let mut members = expression.as_object()?.iter();
    match (members.next(), members.next()) {
        (Some((operator, operands)), None) => Some((operator, operands)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use cedar_policy::Policy;

    use super::*;

    /// Whether the condition `text` is known where only `context.login` and `principal.roles` are.
    fn known(text: &str) -> bool {
        let policy = format!("permit (principal, action, resource) when {{ {text} }};");
        let json = Policy::parse(None, policy).unwrap().to_json().unwrap();
        is_known(&json["conditions"][0]["body"], &|path| {
            matches!(path, ["context", "login"] | ["principal", "roles"])
        })
    }

    #[test]
    fn what_needs_known_facts_alone_is_known() {
        for text in [
            "true",
            "context.login == \"ana\"",
            "context has login && context.login like \"svc-*\"",
            "principal.roles.containsAny([\"a\", \"b\"]) || !principal.roles.isEmpty()",
            "principal == Account::\"ana\" && resource is Session && principal in Account::\"ana\"",
            "if context has login then 1 + 2 * 3 < 8 else -1 >= 0",
            "decimal(\"1.5\").lessThan(decimal(\"2.5\"))",
            "[context.login, \"root\"].contains(\"root\")",
            "{a: context.login} == {a: \"ana\"}",
            "action == Action::\"open-session\"",
        ] {
            assert!(known(text), "{text}");
        }
    }

    #[test]
    fn one_unknown_fact_anywhere_makes_the_whole_unknown() {
        for text in [
            "context.time > datetime(\"2026-01-01\")",
            "context has time",
            "context has login.time",
            "context == {login: \"ana\"}",
            "true || context.service == \"sshd\"",
            "if true then true else context.other",
            "[\"x\", context.other].contains(\"x\")",
            "{a: context.other} == {a: \"x\"}",
            "{login: context}.login == {login: \"x\"}",
            "principal.name like \"a*\"",
            "principal.roles.containsAll(context.others)",
            "Account::\"ben\".roles.contains(\"a\")",
            "(if true then principal else principal).roles.contains(\"a\")",
            "principal.hasTag(\"x\")",
            "principal.getTag(\"x\") == 1",
            "!(-(context.number) == 1)",
            "principal is Account in context.group",
            "context.number.lessThan(decimal(\"1.0\"))",
        ] {
            assert!(!known(text), "{text}");
        }
    }

    #[test]
    fn what_cedar_does_not_write_today_is_unknown() {
        for json in [
            serde_json::json!({}),
            serde_json::json!({"Slot": "?principal"}),
            serde_json::json!({"Unknown": {"name": "x"}}),
            serde_json::json!({"novelty": {"left": {"Value": 1}}}),
            serde_json::json!({"Value": 1, "Var": "context"}),
            serde_json::json!("context"),
            serde_json::json!({"has": {"left": {"Var": "context"}, "attr": 1}}),
        ] {
            assert!(!is_known(&json, &|_| true), "{json}");
        }
    }
}
