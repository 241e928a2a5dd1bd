//! Documents: asked for, done once, answered once.

mod approved;
mod attacks;
mod life;
mod queue;
mod results;
mod versions;

use countersign_protocol::certificate;
use countersign_protocol::envelope::{Sealed, open_from_card};
use countersign_protocol::ids::{MessageId, Role};
use countersign_protocol::message::result::{CollectionList, DocumentChanged, DocumentShown};
use countersign_protocol::message::{
    Decision, JobAccepted, JobReply, JobResultReply, JobResultRequest, JobStanding, ResultAck, ResultAckReply,
};
use countersign_server_core::core::Core;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::client::host::Host;
use crate::client::person::Person;
use crate::fixture::{Server, denied, done};

/// Wards of a clinic: `ward` is a text, and there are beds or there are none.
const SCHEMA: &str = r#"{"type":"object","required":["ward"],"properties":{"ward":{"type":"string"},
    "beds":{"type":"integer","minimum":0}},"additionalProperties":false}"#;

/// Everybody who has to do with the collection `wards`.
struct Scene {
    server: Server,
    core: Arc<Core>,
    host: Host,
    admin: Person,
    /// Owns it.
    clinic: Person,
    /// Was granted everything.
    ana: Person,
    /// Was granted nothing.
    ben: Person,
}

fn scene() -> Scene {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let clinic = server.person(&host, &admin, "clinic", &[Role::Resource]);
    let ben = server.person(&host, &admin, "ben", &[Role::User]);
    let body = json!({"schema": SCHEMA}).to_string();
    let _made: CollectionList = done(host.job(&clinic, "create", "collection/wards", Some(body.as_bytes())));
    let all = br#"{"account":"ana","access":["read","create","update","delete"]}"#;
    let _granted: CollectionList = done(host.job(&clinic, "grant", "collection/wards", Some(all)));
    let core = server.core_with(server.charter.rules);
    Scene { server, core, host, admin, clinic, ana, ben }
}

impl Scene {
    fn ask(&self, who: &Person, operation: &str, resource: &str, body: &Value) -> JobReply {
        let bytes = body.to_string();
        self.host.job(who, operation, resource, (!body.is_null()).then_some(bytes.as_bytes()))
    }

    /// A request that is accepted.
    fn queue(&self, who: &Person, operation: &str, resource: &str, body: &Value) -> JobAccepted {
        let reply = self.ask(who, operation, resource, body);
        assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
        assert!(reply.result.is_none());
        reply.job.unwrap()
    }

    /// The API does what waits, and the ledger says so.
    fn work(&self) {
        let api = self.core.api().unwrap();
        while api.work().unwrap().is_more {}
        self.core.record_jobs().unwrap();
    }

    fn fetch(&self, job: &MessageId) -> (Sealed, JobResultReply) {
        let sealed = self.host.seal(&self.host.message(&JobResultRequest { job: *job }));
        let reply = self.host.open(&sealed, &self.host.send(&sealed)).body().unwrap();
        (sealed, reply)
    }

    fn acknowledge(&self, job: &MessageId, fetch: &Sealed) {
        let ResultAckReply {} = self.host.ask(&ResultAck { job: *job, fetch: fetch.id() }).body().unwrap();
    }

    /// From the request to its result, which is acknowledged.
    fn run(&self, who: &Person, operation: &str, resource: &str, body: &Value) -> JobResultReply {
        let JobAccepted { job, .. } = self.queue(who, operation, resource, body);
        self.work();
        let (fetch, reply) = self.fetch(&job);
        self.acknowledge(&job, &fetch);
        reply
    }

    fn change(&self, operation: &str, name: &str, body: &Value) -> DocumentChanged {
        let reply = self.run(&self.ana, operation, &format!("wards/{name}"), body);
        assert_eq!(reply.standing, JobStanding::Done, "{}", reply.reason);
        serde_json::from_value(reply.result.unwrap()).unwrap()
    }

    /// Why something was not done.
    fn failure(&self, who: &Person, operation: &str, resource: &str, body: &Value) -> String {
        let reply = self.run(who, operation, resource, body);
        assert_eq!((reply.standing, &reply.result, &reply.sealed), (JobStanding::Failed, &None, &None));
        reply.reason
    }

    fn read(&self, name: &str) -> DocumentShown {
        opened(&self.ana, &self.run(&self.ana, "read", &format!("wards/{name}"), &Value::Null))
    }
}

/// What a result yields that is sealed to this person.
pub(crate) fn opened<R: DeserializeOwned>(who: &Person, reply: &JobResultReply) -> R {
    assert_eq!(reply.standing, JobStanding::Done, "{}", reply.reason);
    assert!(reply.result.is_none(), "contents are for the person alone");
    let now = who.cert.primary_key().key().creation_time().into();
    let mut key = certificate::decryptors_of(&who.cert, now).unwrap().remove(0);
    let plain = open_from_card(&reply.sealed.as_ref().unwrap().0, &mut key).unwrap();
    serde_json::from_slice(&plain).unwrap()
}
