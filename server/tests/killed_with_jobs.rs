//! Requests about documents, and servers that die: each is done once, what came of it is served once, and none is lost.

mod asker;
mod soak;
mod writes;

use std::sync::Arc;

use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::message::result::{AccountCreated, CollectionList, TokenCreated};
use serde_json::{Value, json};

use self::asker::Asker;
use crate::client::carrier::Carrier;
use crate::client::host::Host;
use crate::client::newcomer::Newcomer;
use crate::client::person::Person;
use crate::fixture::{done, register};
use crate::program::Made;

/// Documents that count.
const SCHEMA: &str = r#"{"type":"object","required":["count"],"properties":{"count":{"type":"integer","minimum":0}},
    "additionalProperties":false}"#;

/// A server with a collection `counters`, and who lets others in.
struct Office {
    host: Host,
    admin: Person,
    clinic: Person,
}

impl Office {
    /// At a server that runs for the first time.
    fn open(made: &Made, carrier: Arc<dyn Carrier>) -> Self {
        let host = Newcomer::new(&made.bundle, carrier, Arc::new(SystemClock)).enrol(Some(&made.token));
        let admin = Person::new("admin", SystemClock.now());
        register(&host, &admin, &made.code);
        let clinic = person(&host, &admin, "clinic", "resource");
        let body = json!({"schema": SCHEMA}).to_string();
        let _made: CollectionList =
            done(host.job(&clinic, "create", "collection/counters", Some(body.as_bytes())));
        Self { host, admin, clinic }
    }

    /// Somebody at a host of their own, who may do everything with the documents.
    fn asker(&self, made: &Made, name: &str) -> Asker {
        let reply = self.host.job(&self.admin, "create", &format!("enrolment-token/{name}"), None);
        let token: TokenCreated = done(reply);
        let newcomer = Newcomer::new(&made.bundle, self.host.carrier.clone(), Arc::new(SystemClock));
        let host = newcomer.enrol(Some(&token.token));
        let person = person(&self.host, &self.admin, name, "user");
        let body = json!({"account": name, "access": ["read", "create", "update", "delete"]}).to_string();
        let _granted: CollectionList =
            done(self.host.job(&self.clinic, "grant", "collection/counters", Some(body.as_bytes())));
        Asker { host, person }
    }
}

/// A registered account with this role.
fn person(host: &Host, admin: &Person, name: &str, role: &str) -> Person {
    let body = json!({"logins": Value::Array(Vec::new()), "roles": [role]}).to_string();
    let created: AccountCreated =
        done(host.job(admin, "create", &format!("account/{name}"), Some(body.as_bytes())));
    let person = Person::new(name, SystemClock.now());
    register(host, &person, &created.code);
    person
}
