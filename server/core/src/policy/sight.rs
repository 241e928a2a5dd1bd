//! What policies say while some of the facts are not known: for rosters, which are made before anyone asks.
//!
//! | sight | unknown | a permit that needs it | a forbid that needs it |
//! |---|---|---|---|
//! | [`Sight::Beforehand`]: could the server permit it? | time, weekday, service, seat, terminal, claimed | taken without that condition | left out |
//! | [`Sight::Offline`]: does it hold without the server? | time, weekday, seat, terminal, claimed | left out | taken without that condition |
//!
//! Beforehand errs towards asking the server, offline towards denying.

use cedar_policy::{Effect, Policy};
use serde_json::Value;

use super::document::PolicyError;
use super::references::is_known;

/// For whom the policies are narrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// A host that wants to know whose cards to ask for. It asks the server with whatever they sign.
    Beforehand,
    /// A host that cannot ask the server.
    Offline,
}

/// What every policy may know of a session: the roster fixes it, or the host knows it itself.
const KNOWN: &[&[&str]] = &[
    &["principal", "name"],
    &["principal", "roles"],
    &["principal", "groups"],
    &["principal", "logins"],
    &["principal", "state"],
    &["resource", "name"],
    &["resource", "instance"],
    &["resource", "instance", "application"],
    &["resource", "instance", "state"],
    &["context", "instance"],
    &["context", "instance", "application"],
    &["context", "instance", "state"],
    &["context", "login"],
    &["context", "offline"],
    // A card answers only to its seat; whoever comes by a key of SSH is asked about as remote.
    &["context", "place"],
];

/// Known once somebody stands there.
pub(super) const SERVICE: &[&str] = &["context", "service"];

/// Annotations that change nothing of what a policy means. Any other, such as `@approvals`, may ask for what no host
/// has.
const HARMLESS: &[&str] = &["id", "reason"];

impl Sight {
    fn knows(self, path: &[&str]) -> bool {
        KNOWN.contains(&path) || (self == Self::Offline && path == SERVICE)
    }

    /// The policies as they are to be asked in this sight.
    pub(super) fn of(self, policies: &[Policy]) -> Result<Vec<Policy>, PolicyError> {
        policies.iter().filter_map(|policy| self.narrow(policy).transpose()).collect()
    }

    fn narrow(self, policy: &Policy) -> Result<Option<Policy>, PolicyError> {
        let unread = |why: String| PolicyError::general(format!("{}: {why}", policy.id()));
        let mut json = policy.to_json().map_err(|error| unread(error.to_string()))?;
        let Some(conditions) = json.get_mut("conditions").and_then(Value::as_array_mut) else {
            return Err(unread("it has no list of conditions".to_owned()));
        };
        let written = conditions.len();
        conditions.retain(|condition| {
            condition.get("body").is_some_and(|body| is_known(body, &|path| self.knows(path)))
        });
        let harmless = policy.annotations().all(|(name, _)| HARMLESS.contains(&name));
        if harmless && conditions.len() == written {
            return Ok(Some(policy.clone()));
        }
        if !harmless && self == Self::Offline {
            conditions.clear();
        }
        match (self, policy.effect()) {
            (Self::Beforehand, Effect::Forbid) | (Self::Offline, Effect::Permit) => Ok(None),
            (Self::Beforehand, Effect::Permit) | (Self::Offline, Effect::Forbid) => {
                let id = Some(policy.id().clone());
                Policy::from_json(id, json).map(Some).map_err(|error| unread(error.to_string()))
            }
        }
    }
}
