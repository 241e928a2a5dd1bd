//! What a decision is made from, and how Cedar sees it.

use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, PoisonError, RwLock};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression, Schema,
};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{
    AccountName, ApplicationName, CollectionName, Fingerprint, GroupName, LoginName, Operation, ResourceName,
    Role, ServiceName,
};
use countersign_protocol::life::Life;
use countersign_protocol::message::InstanceState;
use countersign_protocol::message::result::Access;
use countersign_protocol::statement::{Place, Statement};

use crate::accounts::Account;
use crate::instances::Instance;

/// One question: everything that a policy can see, and nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Who asks.
    pub account: AccountFacts<'a>,
    /// Through which host: the one whose envelope carries the statement.
    pub instance: InstanceFacts<'a>,
    /// What is asked.
    pub operation: &'a Operation,
    /// On what.
    pub resource: &'a ResourceName,
    /// What is known of it beside its name. None where policies see no more: of sessions.
    pub about: Option<&'a ResourceFacts>,
    /// For `open-session`: the login name.
    pub login: Option<&'a LoginName>,
    /// For `open-session`: the PAM service. None when a roster is made, before anyone logs in.
    pub service: Option<&'a ServiceName>,
    /// For `open-session`: where the person is, as the host says. Who logs in by a key of SSH is remote; everybody else
    /// whom a host lets in is at it.
    pub place: Option<&'a Place>,
    /// For `open-session`: what the program that asks says of itself, and nobody checked.
    pub claimed: Option<&'a str>,
    /// When. None when a roster is made, which holds for longer than a moment.
    pub time: Option<Timestamp>,
    /// Whether the host decides, because the server cannot be asked.
    pub offline: bool,
}

impl<'a> Facts<'a> {
    /// What a statement asks that came through this host just now.
    #[must_use]
    pub fn of_request(
        account: &'a Account,
        instance: &'a Instance,
        statement: &'a Statement,
        about: Option<&'a ResourceFacts>,
        now: Timestamp,
    ) -> Self {
        Self {
            account: account.facts(),
            instance: instance.facts(),
            operation: &statement.operation,
            resource: &statement.resource,
            about,
            login: statement.login.as_ref(),
            service: statement.service.as_ref(),
            place: statement.place.as_ref(),
            claimed: statement.claimed.as_deref(),
            time: Some(now),
            offline: false,
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct AccountFacts<'a> {
    /// The account's name.
    pub name: &'a AccountName,
    /// `administrator`, `auditor`, …
    pub roles: &'a [Role],
    /// The groups that it is in.
    pub groups: &'a [GroupName],
    /// The login names bound to it.
    pub logins: &'a [LoginName],
    /// `pending`, `active`, `suspended` or `retired`.
    pub state: &'a str,
}

/// What is known of a resource. Of one that is not there: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceFacts {
    /// Whose it is.
    pub owner: Option<AccountName>,
    /// Where it stands.
    pub state: Option<Life>,
    /// Of a collection, and of its documents: who may grant on it beside its owner.
    pub administrators: Vec<AccountName>,
    /// Of a collection, and of its documents: what whoever asks was granted on it.
    pub granted: Vec<Access>,
}

/// Through which host.
#[derive(Debug, Clone, Copy)]
pub struct InstanceFacts<'a> {
    /// Primary fingerprint.
    pub fingerprint: &'a Fingerprint,
    /// Its application.
    pub application: &'a ApplicationName,
    /// Where it stands.
    pub state: InstanceState,
}

/// Whether this is one of the server's own collections, whose resources are no documents.
#[must_use]
pub fn is_own_collection(name: &str) -> bool {
    entity_type(name).is_some_and(|kind| kind != DOCUMENT)
}

/// The type of what is in the other collections.
const DOCUMENT: &str = "Document";

/// A collection's entity type in the schema; None for one that policies do not know.
pub(super) fn entity_type(collection: &str) -> Option<&'static str> {
    Some(match collection {
        "session" => "Session",
        "account" => "AccountResource",
        "accounts" => "AccountList",
        "key" => "KeyResource",
        "application" => "ApplicationResource",
        "applications" => "ApplicationList",
        "collection" => "CollectionResource",
        "collections" => "CollectionList",
        "recovery" => "RecoveryResource",
        "recoveries" => "RecoveryList",
        "instance" => "InstanceResource",
        "instances" => "InstanceList",
        "job" => "JobResource",
        "jobs" => "JobList",
        "enrolment-token" => "EnrolmentToken",
        "ledger" => "Ledger",
        "policy" => "PolicyDocument",
        "request" => "RequestResource",
        other if other.parse::<CollectionName>().is_ok() => DOCUMENT,
        _ => return None,
    })
}

impl Facts<'_> {
    /// What names the resource among those of its type.
    pub(super) fn resource_id(&self) -> &str {
        match entity_type(self.resource.collection()) {
            Some(DOCUMENT) => self.resource.as_str(),
            _ => self.resource.name(),
        }
    }

    /// What is asked, for a person.
    pub(super) fn in_a_line(&self) -> String {
        let Self { account, operation, resource, .. } = self;
        let mut line = format!("{} asks: {operation} {resource}", account.name);
        let place = self.place.map(|place| place.from.as_str());
        let words = [
            ("login", self.login.map(LoginName::as_str)),
            ("by", self.service.map(ServiceName::as_str)),
            ("place", place),
        ];
        for (label, word) in words {
            if let Some(word) = word {
                line.push_str(&format!(", {label} {word}"));
            }
        }
        if let Some(time) = self.time {
            line.push_str(&format!(", at {time}"));
        }
        line
    }

    /// What a policy sees by this path, as a person writes it; empty for an empty set.
    pub(super) fn value(&self, path: &[String]) -> Option<String> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let Self { account, instance, place, .. } = self;
        Some(match path.as_slice() {
            ["principal"] | ["principal", "name"] => account.name.to_string(),
            ["principal", "roles"] => {
                account.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ")
            }
            ["principal", "groups"] => {
                account.groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ")
            }
            ["principal", "logins"] => {
                account.logins.iter().map(LoginName::as_str).collect::<Vec<_>>().join(", ")
            }
            ["principal", "state"] => account.state.to_owned(),
            ["resource", "name" | "instance"] => self.resource.name().to_owned(),
            ["resource", "collection"] => self.resource.collection().to_owned(),
            ["context", "instance"] => instance.fingerprint.to_string(),
            ["context", "instance", "application"] => instance.application.to_string(),
            ["context", "instance", "state"] => instance.state.as_str().to_owned(),
            ["context", "login"] => self.login?.to_string(),
            ["context", "service"] => self.service?.to_string(),
            ["context", "place"] => (*place)?.from.as_str().to_owned(),
            ["context", "seat"] => (*place)?.seat.as_ref()?.to_string(),
            ["context", "terminal"] => (*place)?.terminal.as_ref()?.to_string(),
            ["context", "claimed"] => self.claimed?.to_owned(),
            ["context", "time"] => self.time?.to_string(),
            ["context", "weekday"] => weekday(self.time?).to_string(),
            ["context", "offline"] => self.offline.to_string(),
            _ => return None,
        })
    }

    /// The question in Cedar's terms, checked against the schema if there is one. The text of an error is for the log.
    pub(super) fn to_cedar(
        self,
        resource_type: &str,
        schema: Option<&Schema>,
    ) -> Result<(Request, Entities), String> {
        let instance_text = self.instance.fingerprint.to_string();
        let account = uid("Account", self.account.name.as_str())?;
        let instance = uid("Instance", &instance_text)?;
        let resource = uid(resource_type, self.resource_id())?;

        let resource_attributes = if resource_type == "Session" {
            vec![("instance", RestrictedExpression::new_entity_uid(uid("Instance", self.resource.name())?))]
        } else {
            self.resource_attributes(resource_type)
        };
        let entities = [
            entity(
                account.clone(),
                [
                    ("name", text(self.account.name.as_str())),
                    ("roles", texts(self.account.roles.iter().map(|role| role.as_str()))),
                    ("groups", texts(self.account.groups.iter().map(GroupName::as_str))),
                    ("logins", texts(self.account.logins.iter().map(LoginName::as_str))),
                    ("state", text(self.account.state)),
                ],
            )?,
            entity(
                instance.clone(),
                [
                    ("application", text(self.instance.application.as_str())),
                    ("state", text(self.instance.state.as_str())),
                ],
            )?,
            entity(resource.clone(), resource_attributes)?,
        ];
        // They are of the schema's types because they are made above; the request is what somebody sent, and is held to it.
        let entities = Entities::from_entities(entities, None).map_err(|error| error.to_string())?;

        let mut context = vec![
            ("instance".to_owned(), RestrictedExpression::new_entity_uid(instance)),
            ("offline".to_owned(), RestrictedExpression::new_bool(self.offline)),
        ];
        context.extend(self.time.map(|time| ("time".to_owned(), datetime(time))));
        let weekday = |time: Timestamp| RestrictedExpression::new_long(weekday(time));
        context.extend(self.time.map(|time| ("weekday".to_owned(), weekday(time))));
        let place = self.place;
        context.extend(place.map(|place| ("place".to_owned(), text(place.from.as_str()))));
        let seat = place.and_then(|place| place.seat.as_ref());
        context.extend(seat.map(|seat| ("seat".to_owned(), text(seat.as_str()))));
        let terminal = place.and_then(|place| place.terminal.as_ref());
        context.extend(terminal.map(|terminal| ("terminal".to_owned(), text(terminal.as_str()))));
        context.extend(self.claimed.map(|claimed| ("claimed".to_owned(), text(claimed))));
        context.extend(self.login.map(|login| ("login".to_owned(), text(login.as_str()))));
        context.extend(self.service.map(|service| ("service".to_owned(), text(service.as_str()))));
        let context = Context::from_pairs(context).map_err(|error| error.to_string())?;
        let action = uid("Action", self.operation.as_str())?;
        let request =
            Request::new(account, action, resource, context, schema).map_err(|error| error.to_string())?;
        Ok((request, entities))
    }
}

impl Facts<'_> {
    fn resource_attributes(&self, resource_type: &str) -> Vec<(&'static str, RestrictedExpression)> {
        let nothing = ResourceFacts::default();
        let about = self.about.unwrap_or(&nothing);
        let mut attributes = vec![("name", text(self.resource.name()))];
        if resource_type == DOCUMENT {
            attributes.push(("collection", text(self.resource.collection())));
        }
        if matches!(
            resource_type,
            "ApplicationResource"
                | "CollectionResource"
                | "JobResource"
                | "RecoveryResource"
                | "RequestResource"
                | DOCUMENT
        ) {
            attributes.extend(about.owner.as_ref().map(|owner| ("owner", text(owner.as_str()))));
            attributes.extend(about.state.map(|state| ("state", text(state.as_str()))));
        }
        if matches!(resource_type, "CollectionResource" | DOCUMENT) {
            let administrators = about.administrators.iter().map(AccountName::as_str);
            attributes.push(("administrators", texts(administrators)));
            attributes.push(("granted", texts(about.granted.iter().map(|access| access.as_str()))));
        }
        attributes
    }
}

/// A time. That of the second that it is now is kept: Cedar reads the name of the kind with the whole grammar each time.
fn datetime(time: Timestamp) -> RestrictedExpression {
    static NEWEST: RwLock<Option<(Timestamp, RestrictedExpression)>> = RwLock::new(None);
    let newest = NEWEST.read().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, kept)) = newest.as_ref().filter(|(at, _)| *at == time) {
        return kept.clone();
    }
    drop(newest);
    let made = RestrictedExpression::new_datetime(time.to_string());
    *NEWEST.write().unwrap_or_else(PoisonError::into_inner) = Some((time, made.clone()));
    made
}

/// 1 for Monday to 7 for Sunday, in UTC (ISO 8601). Cedar's dates cannot tell.
fn weekday(time: Timestamp) -> i64 {
    // The first of January 1970 was a Thursday.
    (time.seconds_since(Timestamp::from_seconds(0)).div_euclid(86_400) + 3).rem_euclid(7) + 1
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    Ok(EntityUid::from_type_name_and_id(named_type(kind)?, EntityId::new(id)))
}

/// The names of entity types, each read once: Cedar reads one with the whole grammar.
fn named_type(kind: &str) -> Result<EntityTypeName, String> {
    /// More than the schema has.
    const MOST: usize = 64;
    static NAMED: LazyLock<RwLock<HashMap<String, EntityTypeName>>> = LazyLock::new(RwLock::default);
    if let Some(named) = NAMED.read().unwrap_or_else(PoisonError::into_inner).get(kind) {
        return Ok(named.clone());
    }
    let named: EntityTypeName = kind.parse().map_err(|_| format!("{kind} is no entity type"))?;
    let mut all = NAMED.write().unwrap_or_else(PoisonError::into_inner);
    if all.len() < MOST {
        all.insert(kind.to_owned(), named.clone());
    }
    Ok(named)
}

fn entity<'a>(
    uid: EntityUid,
    attributes: impl IntoIterator<Item = (&'a str, RestrictedExpression)>,
) -> Result<Entity, String> {
    let attributes: HashMap<_, _> =
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Entity::new(uid, attributes, HashSet::new()).map_err(|error| error.to_string())
}

/// Made as a value, never by pasting into Cedar's syntax: no name can become code.
fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(values.map(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_are_those_of_the_calendar() {
        for (time, day) in [(0, 4), (-1, 3), (3 * 86_400, 7), (4 * 86_400, 1), (1_795_348_800, 7)] {
            assert_eq!(weekday(Timestamp::from_seconds(time)), day, "{time}");
        }
    }
}
