//! What would have to be so, for a person who does not read Cedar.

use serde_json::Value;

use super::parts::Part;
use crate::policy::facts::Facts;

/// What would have to be so for `part` to hold; `otherwise`, for it not to.
pub(super) fn needed(part: &Part, facts: &Facts<'_>, otherwise: bool) -> String {
    match part {
        Part::Principal(scope) => named(scope, "the account", facts.account.name.as_str(), !otherwise),
        Part::Resource(scope) => named(scope, "the resource", facts.resource.as_str(), !otherwise),
        Part::Condition(expression, must) => said(expression, facts, *must != otherwise),
    }
}

fn said(expression: &Value, facts: &Facts<'_>, must: bool) -> String {
    spoken(expression, facts, must).unwrap_or_else(|| general(expression, facts, must))
}

fn named(scope: &Value, what: &str, is: &str, must: bool) -> String {
    let name = scope.get("entity").and_then(|entity| entity.get("id")).and_then(Value::as_str);
    let wanted = name.or_else(|| scope.get("entity_type").and_then(Value::as_str)).unwrap_or("another one");
    format!("{what} would {} be {wanted}; it is {is}", have_to(must))
}

const fn have_to(must: bool) -> &'static str {
    if must { "have to" } else { "have not to" }
}

/// Expressions whose meaning can be said.
fn spoken(expression: &Value, facts: &Facts<'_>, must: bool) -> Option<String> {
    let (operator, operands) = expression.as_object()?.iter().next()?;
    let (left, right) = (operands.get("left"), operands.get("right"));
    let has = have_to(must);
    match operator.as_str() {
        "has" => {
            let mut path = path(left?)?;
            path.push(operands.get("attr")?.as_str()?.to_owned());
            let name = path.last()?;
            Some(if must {
                format!("the request would have to say its {name}; it says none")
            } else {
                format!("the request would have to say no {name}")
            })
        }
        "!" => Some(said(operands.get("arg")?, facts, !must)),
        "&&" | "||" => {
            let joint = if (operator == "&&") == must { "and" } else { "or" };
            Some(format!("{}, {joint} {}", said(left?, facts, must), said(right?, facts, must)))
        }
        "is" => {
            let kind = operands.get("entity_type")?.as_str()?;
            let variable = left?.get("Var")?.as_str()?;
            Some(format!("the {variable} would {has} be a {kind}"))
        }
        "contains" => contains(left?, right?, facts, has),
        "containsAny" | "containsAll" => {
            let (path, wanted) = (path(left?)?, list(right?)?);
            let which = if operator == "containsAny" { "one of" } else { "all of" };
            let (subject, value) = subject(&path, facts);
            Some(format!("{subject} would {has} hold {which} {wanted}; {value}"))
        }
        "like" => {
            let (subject, value) = subject(&path(left?)?, facts);
            let pattern = pattern(operands.get("pattern")?);
            Some(format!("{subject} would {has} be like {pattern}; {value}"))
        }
        comparison @ ("==" | "!=" | "<" | "<=" | ">" | ">=") => {
            let (subject, value) = subject(&path(left?)?, facts);
            let (wanted, also) = match path(right?) {
                Some(other) => {
                    let (name, value) = self::subject(&other, facts);
                    (name, format!("; {value}"))
                }
                None => (literal(right?)?, String::new()),
            };
            let must = must != (comparison == "!=");
            let how = match comparison {
                "<" => "less than ",
                "<=" => "at most ",
                ">" => "more than ",
                ">=" => "at least ",
                _ => "",
            };
            Some(format!("{subject} would {} be {how}{wanted}; {value}{also}", have_to(must)))
        }
        _ => None,
    }
}

fn contains(set: &Value, member: &Value, facts: &Facts<'_>, has: &str) -> Option<String> {
    if let Some(wanted) = list(set) {
        let (subject, value) = subject(&path(member)?, facts);
        return Some(format!("{subject} would {has} be one of {wanted}; {value}"));
    }
    let set = path(set)?;
    let member = match path(member) {
        Some(path) => facts.value(&path).unwrap_or_else(|| subject(&path, facts).0),
        None => literal(member)?,
    };
    let (subject, value) = subject(&set, facts);
    Some(format!("{subject} would {has} hold {member}; {value}"))
}

/// What a path is called, and what it is now.
fn subject(path: &[String], facts: &Facts<'_>) -> (String, String) {
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    let name = match words.as_slice() {
        ["principal", "name"] | ["principal"] => "the account",
        ["principal", "roles"] => "the account's roles",
        ["principal", "groups"] => "the account's groups",
        ["principal", "logins"] => "the account's logins",
        ["principal", "state"] => "the account's state",
        ["context", "instance"] => "the host that asks",
        ["context", "instance", "state"] => "the host's state",
        ["context", "instance", "application"] => "the host's application",
        ["resource", "instance"] => "the host of the session",
        ["resource", "name"] => "the resource's name",
        ["context", "login"] => "the login",
        ["context", "service"] => "the service",
        ["context", "place"] => "the place",
        ["context", "seat"] => "the seat",
        ["context", "terminal"] => "the terminal",
        ["context", "time"] => "the time",
        ["context", "weekday"] => "the weekday",
        ["context", "claimed"] => "the claimed command",
        ["context", "offline"] => "whether the host decides by itself",
        _ => "",
    };
    let name = if name.is_empty() { path.join(".") } else { name.to_owned() };
    let value = match facts.value(path) {
        Some(value) if value.is_empty() => format!("{name}: none"),
        Some(value) => format!("{name}: {value}"),
        None => format!("{name}: not said"),
    };
    (name, value)
}

/// For everything else: the values of what it speaks of.
fn general(expression: &Value, facts: &Facts<'_>, must: bool) -> String {
    let mut paths = Vec::new();
    gather(expression, &mut paths);
    paths.sort();
    paths.dedup();
    let values: Vec<String> = paths.iter().map(|path| subject(path, facts).1).collect();
    let values = if values.is_empty() { String::new() } else { format!("; {}", values.join("; ")) };
    format!("this condition would {}{values}", if must { "have to hold" } else { "have not to hold" })
}

fn gather(expression: &Value, paths: &mut Vec<Vec<String>>) {
    if let Some(path) = path(expression).filter(|path| path.len() > 1) {
        paths.push(path);
        return;
    }
    match expression {
        Value::Object(members) => members.values().for_each(|one| gather(one, paths)),
        Value::Array(members) => members.iter().for_each(|one| gather(one, paths)),
        _ => {}
    }
}

/// `principal`, `context.instance.state` …
fn path(expression: &Value) -> Option<Vec<String>> {
    if let Some(name) = expression.get("Var") {
        return Some(vec![name.as_str()?.to_owned()]);
    }
    let access = expression.get(".")?;
    let mut path = path(access.get("left")?)?;
    path.push(access.get("attr")?.as_str()?.to_owned());
    Some(path)
}

fn list(expression: &Value) -> Option<String> {
    let members = expression.get("Set")?.as_array()?;
    let words: Option<Vec<String>> = members.iter().map(literal).collect();
    Some(words?.join(", "))
}

fn literal(expression: &Value) -> Option<String> {
    let value = expression.get("Value")?;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        other => Some(other.get("__entity")?.get("id")?.as_str()?.to_owned()),
    }
}

fn pattern(pattern: &Value) -> String {
    let parts = pattern.as_array().map(Vec::as_slice).unwrap_or_default();
    parts.iter().map(|part| part.get("Literal").and_then(Value::as_str).unwrap_or("*")).collect()
}
