//! Somebody who asks for documents, as an honest host does: what was accepted is fetched and acknowledged.

use countersign_protocol::envelope::Sealed;
use countersign_protocol::ids::MessageId;
use countersign_protocol::ledger::{EntryKind, Outcome, check_receipt};
use countersign_protocol::message::{
    Decision, JobAccepted, JobResultReply, JobResultRequest, JobStanding, ResultAck, ResultAckReply,
};
use serde_json::Value;

use crate::client::host::Host;
use crate::client::person::Person;

pub(super) struct Asker {
    pub(super) host: Host,
    pub(super) person: Person,
}

impl Asker {
    /// A request that is accepted. Its receipt is held to the ledger's key.
    pub(super) fn queue(&self, operation: &str, name: &str, body: &Value) -> MessageId {
        let bytes = body.to_string();
        let body = (!body.is_null()).then_some(bytes.as_bytes());
        let reply = self.host.job(&self.person, operation, &format!("counters/{name}"), body);
        assert_eq!(reply.decision, Decision::Allowed, "{operation} {name}: {}", reply.reason);
        let JobAccepted { job, .. } = reply.job.unwrap();
        job
    }

    pub(super) fn seal_fetch(&self, job: &MessageId) -> Sealed {
        self.host.seal(&self.host.message(&JobResultRequest { job: *job }))
    }

    /// Sends a fetch. Whatever is served is proven to be in the ledger as served by it.
    pub(super) fn send_fetch(&self, job: &MessageId, fetch: &Sealed) -> JobResultReply {
        let reply: JobResultReply = self.host.open(fetch, &self.host.send(fetch)).body().unwrap();
        assert_eq!(reply.job, *job);
        let is_served = matches!(reply.standing, JobStanding::Done | JobStanding::Failed);
        assert_eq!(reply.receipt.is_some(), is_served, "{:?}", reply.standing);
        if let Some(receipt) = &reply.receipt {
            let proven = check_receipt(receipt, &self.host.ledger_key).unwrap();
            proven.answers(&fetch.id(), None).unwrap();
            let entry = proven.entry();
            assert_eq!((entry.kind, entry.decision), (EntryKind::JobResult, Outcome::Allowed));
            assert_eq!(entry.detail["job"], job.to_string());
        } else {
            assert!(reply.result.is_none() && reply.sealed.is_none());
        }
        reply
    }

    pub(super) fn fetch(&self, job: &MessageId) -> (Sealed, JobResultReply) {
        let sealed = self.seal_fetch(job);
        let reply = self.send_fetch(job, &sealed);
        (sealed, reply)
    }

    pub(super) fn acknowledge(&self, job: &MessageId, fetch: &Sealed) {
        let ResultAckReply {} = self.host.ask(&ResultAck { job: *job, fetch: fetch.id() }).body().unwrap();
    }
}
