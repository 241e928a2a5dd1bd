//! Which entries somebody wants to see.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::entry::{Entry, EntryKind, Outcome, detail};
use crate::clock::Timestamp;
use crate::ids::{AccountName, ApplicationName, CorrelationId, InvalidId, Operation};

/// What an entry must be to be wanted: everything that is said here. Nothing said wants every entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryFilter {
    /// Asked by this account, or about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
    /// From this host, or about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostDigits>,
    /// From a copy of this application, or about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationName>,
    /// This was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// It was asked on this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourcePart>,
    /// It ended like this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Outcome>,
    /// It is of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<EntryKind>,
    /// From then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Under this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<CorrelationId>,
}

impl EntryFilter {
    /// Whether nothing is said.
    #[must_use]
    pub fn wants_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether this entry is wanted.
    #[must_use]
    pub fn wants(&self, entry: &Entry) -> bool {
        self.wants_its_time(entry)
            && is_or_any(self.kind, Some(entry.kind))
            && is_or_any(self.decision, Some(entry.decision))
            && is_or_any(self.correlation.as_ref(), Some(&entry.correlation))
            && is_or_any(self.operation.as_ref(), entry.operation.as_ref())
            && self.resource.as_ref().is_none_or(|part| part.holds(entry))
            && self.application.as_ref().is_none_or(|name| {
                entry.application.as_ref() == Some(name) || is_on(entry, "application", name.as_str())
            })
            && self.account.as_ref().is_none_or(|name| {
                entry.account.as_ref() == Some(name)
                    || entry.detail.get(detail::OF_ACCOUNT).is_some_and(|of| of == name.as_str())
                    || is_on(entry, "account", name.as_str())
            })
            && self.host.as_ref().is_none_or(|host| host.is_named_in(entry))
    }

    fn wants_its_time(&self, entry: &Entry) -> bool {
        self.since.is_none_or(|since| entry.time >= since)
            && self.until.is_none_or(|until| entry.time < until)
    }
}

fn is_or_any<T: PartialEq>(wanted: Option<T>, there: Option<T>) -> bool {
    wanted.is_none() || wanted == there
}

fn is_on(entry: &Entry, collection: &str, name: &str) -> bool {
    entry.resource.as_ref().is_some_and(|on| on.collection() == collection && on.name() == name)
}

/// A host by its fingerprint, or by the end of it as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostDigits(String);

impl HostDigits {
    /// Fewer digits would name other hosts, too.
    const FEWEST: usize = 8;

    fn is_named_in(&self, entry: &Entry) -> bool {
        let named = |text: &str| text.ends_with(&self.0);
        entry.instance.as_ref().is_some_and(|instance| named(&instance.to_string()))
            || ["retired", "told-by"].iter().any(|name| entry.detail.get(*name).is_some_and(|of| named(of)))
            || entry
                .resource
                .as_ref()
                .is_some_and(|on| matches!(on.collection(), "instance" | "session") && named(on.name()))
    }
}

impl FromStr for HostDigits {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digits: String = text.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).collect();
        let good =
            (Self::FEWEST..=64).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit());
        let expected = "a host's fingerprint, or at least its last 8 digits";
        if good { Ok(Self(digits)) } else { Err(InvalidId { expected }) }
    }
}

/// A collection, or one thing in it: `account`, `account/ana`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourcePart(String);

impl ResourcePart {
    fn holds(&self, entry: &Entry) -> bool {
        let Some(on) = &entry.resource else { return false };
        match self.0.contains('/') {
            true => on.as_str() == self.0,
            false => on.collection() == self.0,
        }
    }
}

impl FromStr for ResourcePart {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let whole = if text.contains('/') { text.to_owned() } else { format!("{text}/x") };
        match whole.parse::<crate::ids::ResourceName>() {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(InvalidId { expected: "a collection, or a resource such as account/ana" }),
        }
    }
}

macro_rules! as_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

as_text!(HostDigits);
as_text!(ResourcePart);

/// In words, for a person: `by or about account ana, denied`.
impl fmt::Display for EntryFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said: Vec<String> = Vec::new();
        let mut say =
            |what: &str, value: Option<String>| said.extend(value.map(|value| format!("{what} {value}")));
        say("account", self.account.as_ref().map(ToString::to_string));
        say("host", self.host.as_ref().map(ToString::to_string));
        say("application", self.application.as_ref().map(ToString::to_string));
        say("operation", self.operation.as_ref().map(ToString::to_string));
        say("resource", self.resource.as_ref().map(ToString::to_string));
        say("decision", self.decision.map(|decision| decision.as_str().to_owned()));
        say("kind", self.kind.map(|kind| kind.as_str().to_owned()));
        say("since", self.since.map(|since| since.to_string()));
        say("until", self.until.map(|until| until.to_string()));
        say("correlation", self.correlation.as_ref().map(ToString::to_string));
        match said.is_empty() {
            true => f.write_str("every entry"),
            false => f.write_str(&said.join(", ")),
        }
    }
}
