//! A request about a document, from a host to the auth server, to the API and back: two programs, one database.

use std::sync::Arc;
use std::time::Duration;

use countersign_protocol::certificate;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::envelope::open_from_card;
use countersign_protocol::ids::MessageId;
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::message::result::{AccountCreated, CollectionList, DocumentShown};
use countersign_protocol::message::{
    Decision, JobResultReply, JobResultRequest, JobStanding, ResultAck, ResultAckReply,
};
use countersign_server::data::DataFolder;

use super::*;
use crate::client::carrier::Http;
use crate::client::host::Host;
use crate::client::newcomer::Newcomer;
use crate::client::person::Person;
use crate::fixture::{done, entries, register};
use crate::program::{Program, get};

/// A host with ana, who was granted everything on `wards`.
fn enrolled(made: &Made, port: u16) -> (Host, Person) {
    let carrier = Arc::new(Http { port });
    let host = Newcomer::new(&made.bundle, carrier, Arc::new(SystemClock)).enrol(Some(&made.token));
    let admin = Person::new("admin", SystemClock.now());
    register(&host, &admin, &made.code);
    let person = |name: &str, role: &str| {
        let body = format!(r#"{{"logins":[],"roles":["{role}"]}}"#);
        let created: AccountCreated =
            done(host.job(&admin, "create", &format!("account/{name}"), Some(body.as_bytes())));
        let person = Person::new(name, SystemClock.now());
        register(&host, &person, &created.code);
        person
    };
    let (clinic, ana) = (person("clinic", "resource"), person("ana", "user"));
    let _made: CollectionList = done(host.job(&clinic, "create", "collection/wards", Some(b"{}")));
    let all = br#"{"account":"ana","access":["read","create","update","delete"]}"#;
    let _granted: CollectionList = done(host.job(&clinic, "grant", "collection/wards", Some(all)));
    (host, ana)
}

fn queue(host: &Host, who: &Person, operation: &str, body: Option<&[u8]>) -> MessageId {
    let reply = host.job(who, operation, "wards/north", body);
    assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
    reply.job.unwrap().job
}

/// Asks once.
fn fetch(host: &Host, job: MessageId) -> (MessageId, JobResultReply) {
    let sealed = host.seal(&host.message(&JobResultRequest { job }));
    (sealed.id(), host.open(&sealed, &host.send(&sealed)).body().unwrap())
}

/// Asks until it was done.
fn result(host: &Host, job: MessageId) -> JobResultReply {
    for _ in 0..200 {
        let (fetch, reply) = fetch(host, job);
        if reply.standing != JobStanding::Queued {
            assert_eq!(reply.standing, JobStanding::Done, "{}", reply.reason);
            let ResultAckReply {} = host.ask(&ResultAck { job, fetch }).body().unwrap();
            return reply;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nobody does it");
}

#[test]
fn w18_jobs_that_the_auth_server_queues_are_done_by_an_api_without_a_secret() {
    let parts = Parts::make();
    let config = std::fs::read_to_string(&parts.config).unwrap();
    std::fs::write(&parts.config, config + "[api]\nworkers = 3\n").unwrap();
    let log = parts.made.data.join("log");
    let mut auth = Command::new(BINARY);
    auth.args(["serve", "--role", "auth", "--config"]).arg(&parts.made.config);
    let auth = Program::spawn(auth.stderr(std::fs::File::create(&log).unwrap()));
    let (host, ana) = enrolled(&parts.made, auth.port);

    let created = queue(&host, &ana, "create", Some(br#"{"ward":"North"}"#));
    // A worker would have found it twice over.
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(fetch(&host, created).1.standing, JobStanding::Queued);
    let api = Api::begin(&parts).after_it_is_up();
    assert_eq!(result(&host, created).result.unwrap()["version"], 1);
    let _changed = result(&host, queue(&host, &ana, "update", Some(br#"{"merge":{"beds":4}}"#)));
    let figures = String::from_utf8(get(api.metrics, "/metrics").body).unwrap();
    assert!(figures.contains("countersign_jobs_total 2"), "{figures}");

    // It stops in good order; what is asked meanwhile waits for the next one.
    assert_eq!(api.stop().code(), Some(0));
    let read = queue(&host, &ana, "read", None);
    assert_eq!(fetch(&host, read).1.standing, JobStanding::Queued);
    let api = Api::begin(&parts).after_it_is_up();
    let reply = result(&host, read);
    let now = ana.cert.primary_key().key().creation_time().into();
    let mut key = certificate::decryptors_of(&ana.cert, now).unwrap().remove(0);
    let plain = open_from_card(&reply.sealed.unwrap().0, &mut key).unwrap();
    let shown: DocumentShown = serde_json::from_slice(&plain).unwrap();
    assert_eq!(
        serde_json::to_value(shown.document).unwrap(),
        serde_json::json!({"ward": "North", "beds": 4})
    );
    let _deleted = result(&host, queue(&host, &ana, "delete", None));

    // The auth server looked after what it looks after, and needed nothing that is not its own.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(get(auth.port, "/readyz").status, 200);
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(!said.contains("42501") && !said.contains("could not"), "{said}");
    drop((auth, api));
    let folder = DataFolder::at(parts.made.data.clone());
    let entries = entries(&folder).into_iter().filter(|entry| entry.kind == EntryKind::JobDone);
    let outcomes: Vec<Outcome> = entries.map(|entry| entry.decision).collect();
    assert_eq!(outcomes, [Outcome::Allowed; 4]);
}
