//! How large a schema is with all that it refers to in the place of the references: so much of it is gone through for each part of
//! a document.

use std::collections::HashMap;

use serde_json::Value;

/// Most nodes, with every reference followed.
const NODES: u64 = 2000;

/// Most regular expressions.
const PATTERNS: u64 = 100;

/// Refuses what would take a time or memory that nobody knows beforehand.
///
/// # Errors
/// What is too much, in words.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    let mut expansion = Expansion { root: schema, known: HashMap::new(), patterns: 0 };
    let nodes = expansion.size(schema, true)?;
    if nodes > NODES {
        return Err(format!(
            "it is {nodes} nodes large with all references followed, and at most {NODES} are taken"
        ));
    }
    match expansion.patterns {
        0..=PATTERNS => Ok(()),
        more => Err(format!("it has {more} patterns, and at most {PATTERNS} are taken")),
    }
}

struct Expansion<'a> {
    root: &'a Value,
    /// Of what is referred to: how large it is; none while that is being found out.
    known: HashMap<&'a str, Option<u64>>,
    patterns: u64,
}

impl<'a> Expansion<'a> {
    fn size(&mut self, node: &'a Value, is_root: bool) -> Result<u64, String> {
        let mut size: u64 = 1;
        match node {
            Value::Array(parts) => {
                for part in parts {
                    size = size.saturating_add(self.size(part, false)?);
                }
            }
            Value::Object(members) => {
                for (name, part) in members {
                    let more = match (name.as_str(), part) {
                        ("$ref", Value::String(to)) => self.referred(to)?,
                        ("$dynamicRef" | "$recursiveRef", Value::String(_)) => {
                            return Err(format!("{name} is not taken; use $ref"));
                        }
                        ("$id" | "$anchor" | "$dynamicAnchor", Value::String(_)) if !is_root => {
                            return Err(format!("{name} is not taken within a schema; refer to #/…"));
                        }
                        ("pattern", Value::String(_)) => {
                            self.patterns += 1;
                            1
                        }
                        ("patternProperties", Value::Object(patterns)) => {
                            self.patterns += u64::try_from(patterns.len()).unwrap_or(u64::MAX);
                            self.size(part, false)?
                        }
                        // What is only referred to counts where it is.
                        ("$defs" | "definitions", _) => 1,
                        _ => self.size(part, false)?,
                    };
                    size = size.saturating_add(more);
                }
            }
            _ => {}
        }
        Ok(size)
    }

    fn referred(&mut self, to: &'a str) -> Result<u64, String> {
        match self.known.get(to) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => return Err(format!("{to} refers to itself, round in a circle")),
            None => {}
        }
        let pointer = to.strip_prefix('#').ok_or_else(|| format!("{to} is elsewhere; refer to #/…"))?;
        let target = self.root.pointer(pointer).ok_or_else(|| format!("{to} leads nowhere; refer to #/…"))?;
        self.known.insert(to, None);
        let size = self.size(target, false)?;
        self.known.insert(to, Some(size));
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_of_ordinary_size_is_taken_with_what_it_refers_to() {
        let schema = json!({"$id": "https://wards.example/ward", "$defs": {"name": {"type": "string", "pattern": "^[A-Z]"}},
            "properties": {"ward": {"$ref": "#/$defs/name"}, "nurse": {"$ref": "#/$defs/name"}}});
        assert_eq!(check(&schema), Ok(()));
        assert_eq!(check(&json!(true)), Ok(()));
    }

    #[test]
    fn what_grows_without_bounds_is_refused_and_named() {
        let mut doubled = serde_json::Map::new();
        for n in 0..40 {
            let next = format!("#/$defs/a{}", n + 1);
            doubled.insert(format!("a{n}"), json!({"allOf": [{"$ref": next}, {"$ref": next}]}));
        }
        doubled.insert("a40".into(), json!({"type": "object"}));
        let patterns: Vec<Value> = (0..101).map(|n| json!({"pattern": format!("x{n}")})).collect();
        for (schema, why) in [
            (json!({"$defs": doubled, "$ref": "#/$defs/a0"}), "nodes large"),
            (json!({"properties": {"next": {"$ref": "#"}}}), "round in a circle"),
            (
                json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
                "round in a circle",
            ),
            (json!({"anyOf": patterns}), "101 patterns"),
            (json!({"$ref": "https://elsewhere.example"}), "is elsewhere"),
            (json!({"$ref": "#/$defs/none"}), "leads nowhere"),
            (json!({"properties": {"a": {"$id": "b"}}}), "$id is not taken within"),
            (json!({"$dynamicRef": "#a"}), "use $ref"),
        ] {
            let said = check(&schema).unwrap_err();
            assert!(said.contains(why), "{why}: {said}");
        }
    }
}
