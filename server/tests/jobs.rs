//! A person's request: both signatures, once, and only what policy lets.

use countersign_protocol::binary::Binary;
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{EntryKind, Outcome, check_receipt};
use countersign_protocol::limits;
use countersign_protocol::message::result::{ApplicationBundle, LedgerPage, LedgerRange};
use countersign_protocol::message::{CheckIn, Decision, JobReply, JobRequest};
use countersign_protocol::statement::Statement;
use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::packet::UserID;
use openpgp::packet::signature::SignatureBuilder;
use openpgp::types::{KeyFlags, SignatureType};

use crate::client::host::Host;
use crate::client::keys;
use crate::client::newcomer::Newcomer;
use crate::client::person::Person;
use crate::client::refusal;
use crate::fixture::{Server, register};

fn login(host: &Host, person: &Person) -> Statement {
    let mut statement = host.statement(person, "open-session", &format!("session/{}", host.fingerprint()));
    statement.login = Some(person.account.as_str().parse().unwrap());
    statement.service = Some("sshd".parse().unwrap());
    statement
}

/// Sends `request` from `host`; it must be refused, for this reason.
fn refused(server: &Server, host: &Host, request: &JobRequest, why: &str) {
    let sealed = host.seal(&host.message(request));
    refusal(&host.send(&sealed), &host.server, &sealed);
    let entry = server.entries().pop().unwrap();
    assert!(matches!(entry.kind, EntryKind::Refusal | EntryKind::Alarm), "{entry:?}");
    assert!(entry.reason.contains(why), "{}", entry.reason);
}

#[test]
fn job_without_user_signature_is_refused() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let mut signed = ana.sign(&login(&host, &ana));
    signed.signature = Binary(Vec::new());
    refused(&server, &host, &JobRequest { signed, body: None }, "the statement is not good");

    // Signed by a key in software that claims to be ana.
    let malware = Person::new("ana", server.clock_now());
    let signed = malware.sign(&login(&host, &ana));
    refused(&server, &host, &JobRequest { signed, body: None }, "the statement is not good");

    // One letter changed after signing.
    let mut signed = ana.sign(&login(&host, &ana));
    let text =
        String::from_utf8(signed.statement.0).unwrap().replace("\"login\": \"ana\"", "\"login\": \"bob\"");
    signed.statement = Binary(text.into_bytes());
    refused(&server, &host, &JobRequest { signed, body: None }, "the statement is not good");
}

#[test]
fn job_whose_outer_signature_was_stripped_is_refused() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let request = JobRequest { signed: ana.sign(&login(&host, &ana)), body: None };
    let message = host.message(&request);
    let literal = message.to_bytes().unwrap();
    let now = server.clock_now();
    // Nobody's signature; then the application's, which every copy has.
    let mut naked = crate::client::forge::Forgery::honest(&literal, host.session_signer(), &host.server, now);
    naked.signers = Vec::new();
    assert_eq!(host.carrier.carry(&naked.seal()).unwrap().status, 400);
    let stranger = server.newcomer();
    let sealed = stranger.seal(&message, vec![keys::primary(&stranger.application)]);
    refusal(&host.send(&sealed), &host.server, &sealed);
    // The primary key's is not the session key's.
    let sealed = host.seal_as(&host.message(&request), keys::primary(&host.cert));
    refusal(&host.send(&sealed), &host.server, &sealed);
    // It was never used, so it still works through the host it names.
    let sealed = host.seal(&host.message(&request));
    assert_eq!(host.send(&sealed).status, 200);
}

#[test]
fn who_may_not_ask_has_no_persons_signature_checked() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let waiting = server.newcomer().enrol(None);
    // Looking at ana's key would now be told by another answer.
    server.intruder().run("UPDATE accounts SET primary_key = 'damaged' WHERE name = 'ana'");
    let request = JobRequest { signed: ana.sign(&login(&host, &ana)), body: None };
    let sealed = host.seal(&host.message(&request));
    assert_eq!(host.send(&sealed).status, 503);

    let stranger = server.newcomer();
    let sealed = stranger.seal(&stranger.message(&request), vec![keys::primary(&stranger.application)]);
    refusal(&host.send(&sealed), &host.server, &sealed);
    refused(&server, &waiting, &request, "(pending)");
}

#[test]
fn a_person_without_account_or_key_is_refused() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    server.invite(&host, &admin, "bob", &["bob"]);
    for name in ["bob", "nobody"] {
        let person = Person::new(name, server.clock_now());
        let request = JobRequest { signed: person.sign(&login(&host, &person)), body: None };
        refused(&server, &host, &request, "has no key");
    }
}

#[test]
fn job_rewrapped_by_another_instance_is_refused() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let other = server.second_host(&host, &admin);
    let captured = JobRequest { signed: ana.sign(&login(&host, &ana)), body: None };
    refused(&server, &other, &captured, "was made on the instance");
}

#[test]
fn expired_statement_is_refused() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let signed = ana.sign(&login(&host, &ana));
    server.clock.turn(121);
    refused(&server, &host, &JobRequest { signed, body: None }, "not valid now");
    let mut early = login(&host, &ana);
    early.time = server.clock_now().plus(200);
    early.expires = early.time.plus(60);
    refused(&server, &host, &JobRequest { signed: ana.sign(&early), body: None }, "not valid now");
}

#[test]
fn statement_for_another_server_is_refused() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let mut elsewhere = login(&host, &ana);
    elsewhere.server = "0123456789ABCDEF0123456789ABCDEF01234567".parse().unwrap();
    refused(&server, &host, &JobRequest { signed: ana.sign(&elsewhere), body: None }, "meant for the server");
}

#[test]
fn nonce_reused_in_another_envelope_is_refused_and_alarms() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let request = JobRequest { signed: ana.sign(&login(&host, &ana)), body: None };
    let sealed = host.seal(&host.message(&request));
    assert_eq!(host.send(&sealed).status, 200);
    refused(&server, &host, &request, "was used before");
    assert_eq!(server.newest(EntryKind::Alarm).decision, Outcome::Denied);
    // The same nonce in another statement is no better.
    let first: Statement = Statement::from_bytes(&request.signed.statement.0).unwrap();
    let mut again = login(&host, &ana);
    again.nonce = first.nonce;
    again.service = Some("sudo".parse().unwrap());
    refused(&server, &host, &JobRequest { signed: ana.sign(&again), body: None }, "was used before");
}

#[test]
fn body_that_was_not_signed_is_refused() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let mut statement = host.statement(&admin, "create", "account/eve");
    statement.body = Some(Digest::of(br#"{"logins":[],"roles":[]}"#));
    let signed = admin.sign(&statement);
    let other = Some(Binary(br#"{"logins":["root"],"roles":["administrator"]}"#.to_vec()));
    refused(
        &server,
        &host,
        &JobRequest { signed: signed.clone(), body: other },
        "not the one the statement names",
    );
    refused(&server, &host, &JobRequest { signed, body: None }, "not the one the statement names");
    let unsigned = admin.sign(&host.statement(&admin, "create", "enrolment-token/t"));
    let surplus = Some(Binary(b"{}".to_vec()));
    refused(
        &server,
        &host,
        &JobRequest { signed: unsigned, body: surplus },
        "not the one the statement names",
    );
}

#[test]
fn a_denied_request_gets_a_receipt_too_and_changes_nothing() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let reply = host.log_in(&ana, "root");
    assert_eq!(reply.decision, Decision::Denied);
    let proven = check_receipt(&reply.receipt, &host.ledger_key).unwrap();
    let entry = proven.entry();
    assert_eq!((entry.decision, entry.kind), (Outcome::Denied, EntryKind::Job));
    assert!(entry.checks.last().is_some_and(|check| !check.passed && check.name == "policy"));
    assert!(entry.evidence.is_some() && entry.statement.is_some() && entry.key.is_some());

    let reply =
        host.job(&ana, "create", "account/eve", Some(br#"{"logins":["root"],"roles":["administrator"]}"#));
    assert_eq!(reply.decision, Decision::Denied);
    assert!(reply.result.is_none());
    let store = server.store();
    assert!(store.begin().unwrap().account(&"eve".parse().unwrap()).unwrap().is_none());
}

#[test]
fn a_session_without_login_or_service_is_denied() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let (mut nobody, mut nowhere) = (login(&host, &ana), login(&host, &ana));
    nobody.login = None;
    nowhere.service = None;
    for (statement, why) in [(nobody, "No policy lets"), (nowhere, "names no service")] {
        let sealed = host.seal(&host.message(&JobRequest { signed: ana.sign(&statement), body: None }));
        let reply: JobReply = host.open(&sealed, &host.send(&sealed)).body().unwrap();
        assert_eq!(reply.decision, Decision::Denied);
        assert!(reply.reason.contains(why), "{}", reply.reason);
    }
}

#[test]
fn a_session_on_another_host_is_denied() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let other = server.second_host(&host, &admin);
    let mut statement = login(&host, &ana);
    statement.resource = format!("session/{}", other.fingerprint()).parse().unwrap();
    let sealed = host.seal(&host.message(&JobRequest { signed: ana.sign(&statement), body: None }));
    let reply: JobReply = host.open(&sealed, &host.send(&sealed)).body().unwrap();
    assert_eq!(reply.decision, Decision::Denied);
}

#[test]
fn what_does_not_exist_is_denied_in_the_words_of_what_is_forbidden() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let forbidden = host.job(&ana, "read", "ledger/entries", None).reason;
    for (who, operation, resource) in [
        (&ana, "read", "teapot/entries"),
        (&ana, "brew", "ledger/entries"),
        (&admin, "delete", "ledger/entries"),
        (&admin, "read", "ledger/secrets"),
        (&admin, "bind-key", "account/ana"),
    ] {
        let reply = host.job(who, operation, resource, None);
        assert_eq!(reply.decision, Decision::Denied, "{operation} {resource}");
        let same = forbidden
            .replace("account ana", &format!("account {}", who.account))
            .replace("read", operation)
            .replace("ledger/entries", resource);
        assert_eq!(reply.reason, same);
    }
}

#[test]
fn an_administrator_makes_accounts_applications_and_tokens_once_each() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let reply = host.job(&admin, "create", "application/kiosk", None);
    let bundle: ApplicationBundle = serde_json::from_value(reply.result.unwrap()).unwrap();
    assert_eq!(bundle.server_url, crate::fixture::URL);
    let token = host.job(&admin, "create", "enrolment-token/kiosk-1", None).result.unwrap();
    let token = token["token"].as_str().unwrap().to_owned();
    let kiosk = Newcomer::new(&bundle, server.door.clone(), server.clock.clone()).enrol(Some(&token));
    assert_eq!(kiosk.record.application.as_str(), "kiosk");
    for (resource, body) in [
        ("application/kiosk", None),
        ("enrolment-token/kiosk-1", None),
        ("account/ana", Some(br#"{"logins":[],"roles":[]}"#.as_slice())),
    ] {
        let reply = host.job(&admin, "create", resource, body);
        assert_eq!(reply.decision, Decision::Denied, "{resource}");
        assert!(reply.reason.contains("already"), "{}", reply.reason);
    }
    let reply = host.job(&admin, "create", "account/eve", Some(br#"{"logins":[],"roles":["god"]}"#));
    assert!(reply.reason.contains("unknown variant `god`"), "{}", reply.reason);
    let reply = host.job(&admin, "create", "account/eve", Some(br#"{"logins":[],"roles":[],"x":1}"#));
    assert!(reply.reason.contains("unknown field"), "{}", reply.reason);
}

#[test]
fn an_auditor_reads_the_ledger_with_its_evidence_and_certificates() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    let body = serde_json::to_vec(&LedgerRange { from: 0 }).unwrap();
    assert_eq!(host.job(&ana, "read", "ledger/entries", Some(&body)).decision, Decision::Denied);
    let before = server.entries();
    let reply = host.job(&admin, "read", "ledger/entries", Some(&body));
    let page: LedgerPage = serde_json::from_value(reply.result.unwrap()).unwrap();
    assert_eq!((page.from, page.entries.len()), (0, before.len()));
    assert_eq!(page.ledger_key, host.ledger_key.as_str());
    assert_eq!(page.certificates.len(), 2);
    for (entry, exported) in before.iter().zip(&page.entries) {
        assert_eq!(entry.to_bytes().unwrap(), exported.entry.0);
        assert_eq!(entry.evidence, exported.evidence.as_ref().map(|evidence| evidence.digest()));
    }
    let beyond = serde_json::to_vec(&LedgerRange { from: 1000 }).unwrap();
    let reply = host.job(&admin, "read", "ledger/entries", Some(&beyond));
    assert!(reply.reason.contains("none at 1000"), "{}", reply.reason);
}

#[test]
fn a_page_ends_where_its_certificates_no_longer_fit() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    // Certificates may be 64 KiB: twelve are more than a page holds.
    for n in 0..12 {
        let created = server.invite(&host, &admin, &format!("u{n}"), &[]);
        let mut person = Person { account: created.account, ..Person::new("u", server.clock_now()) };
        for name in ["x", "y"] {
            let name = UserID::from(name.repeat(30_000));
            let binding = SignatureBuilder::new(SignatureType::PositiveCertification)
                .set_signature_creation_time(server.clock_now().to_system_time())
                .unwrap();
            let binding = name.bind(&mut *keys::primary(&person.cert), &person.cert, binding).unwrap();
            let packets = [Packet::from(name), binding.into()];
            person.cert = person.cert.insert_packets(packets).unwrap().0;
        }
        register(&host, &person, &created.code);
    }
    let size = server.entries().len();
    let (mut from, mut pages) = (0, 0);
    while from < size {
        let body = serde_json::to_vec(&LedgerRange { from: u64::try_from(from).unwrap() }).unwrap();
        let reply = host.job(&admin, "read", "ledger/entries", Some(&body));
        let page: LedgerPage = serde_json::from_value(reply.result.unwrap()).unwrap();
        assert!(serde_json::to_vec(&page).unwrap().len() < limits::IPC_BODY);
        from += page.entries.len();
        pages += 1;
    }
    assert_eq!(pages, 2);
}

#[test]
fn a_host_that_cannot_read_the_answer_changes_nothing() {
    let server = Server::new();
    let (mut host, admin, _ana) = server.with_ana();
    // Its decryption key ends in an hour, its session key later.
    server.clock.turn(1);
    let subkey = host.cert.keys().subkeys().find(|key| key.key().pk_algo().for_encryption()).unwrap();
    let subkey = subkey.key().clone();
    let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_signature_creation_time(server.clock_now().to_system_time())
        .unwrap()
        .set_key_flags(KeyFlags::empty().set_transport_encryption())
        .unwrap()
        .set_key_validity_period(std::time::Duration::from_secs(3600))
        .unwrap()
        .sign_subkey_binding(&mut *keys::primary(&host.cert), Some(host.cert.primary_key().key()), &subkey)
        .unwrap();
    host.cert = host.cert.insert_packets([Packet::from(binding)]).unwrap().0;
    assert_eq!(host.key_update(Some(8 * 3600)).status, 200);
    server.clock.turn(3601);
    let statement = host.statement(&admin, "create", "application/kiosk");
    let sealed = host.seal(&host.message(&JobRequest { signed: admin.sign(&statement), body: None }));
    refusal(&host.send(&sealed), &host.server, &sealed);
    let newest = server.newest(EntryKind::Refusal);
    assert!(newest.reason.contains("could be sealed to"), "{}", newest.reason);
    assert!(server.entries().iter().all(|entry| entry.resource != Some(statement.resource.clone())));
}

#[test]
fn a_long_body_makes_no_long_entry() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let body = format!(r#"{{"logins":[],"roles":["{}"]}}"#, "x".repeat(100_000));
    let reply = host.job(&admin, "create", "account/eve", Some(body.as_bytes()));
    assert_eq!((reply.decision, reply.reason.len()), (Decision::Denied, 300));
    assert_eq!(server.newest(EntryKind::Job).reason, reply.reason);
}

#[test]
fn codes_and_tokens_do_not_lie_readable_in_the_database() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let created = server.invite(&host, &admin, "bob", &["bob"]);
    let bytes = server.everything_stored();
    for secret in [&created.code, &created.code.replace('-', ""), &server.made.token.token] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
}

#[test]
fn every_other_message_keeps_out_of_handshakes() {
    let server = Server::new();
    let (host, _admin, _ana) = server.with_ana();
    let body = CheckIn {
        server_certificate: None,
        counter: 1,
        ledger_size: 0,
        logins: Vec::new(),
        services: Vec::new(),
        version: None,
    };
    let sealed = host.seal(&host.message(&body).with_transcript(Digest::of(b"chain")));
    refusal(&host.send(&sealed), &host.server, &sealed);
}

#[test]
fn what_cannot_be_recorded_does_not_happen() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let database = server.intruder();
    let sealed = {
        let mut statement = host.statement(&admin, "create", "account/eve");
        let body = br#"{"logins":[],"roles":[]}"#;
        statement.body = Some(Digest::of(body));
        let body = Some(Binary(body.to_vec()));
        host.seal(&host.message(&JobRequest { signed: admin.sign(&statement), body }))
    };
    let count = |table: &str| database.number(&format!("SELECT count(*) FROM {table}"));
    let tables = ["accounts", "codes", "burned_nonces", "replies", "ledger_entries", "ledger_hashes"];
    let before: Vec<i64> = tables.iter().map(|table| count(table)).collect();

    database.either(
        "CREATE TRIGGER no_room BEFORE INSERT ON ledger_entries BEGIN SELECT RAISE(ABORT, 'disk full'); END",
        "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN RAISE EXCEPTION ''disk full''; END';
         CREATE TRIGGER no_room BEFORE INSERT ON ledger_entries EXECUTE FUNCTION fails()",
    );
    let answer = host.send(&sealed);
    assert_eq!(answer.status, 503, "neither done nor refused");
    assert!(String::from_utf8(answer.body).unwrap().contains("disk full"));
    assert_eq!(tables.iter().map(|table| count(table)).collect::<Vec<_>>(), before);

    // With room again, the same bytes are as good as new.
    database.either("DROP TRIGGER no_room", "DROP TRIGGER no_room ON ledger_entries");
    let reply: JobReply = host.open(&sealed, &host.send(&sealed)).body().unwrap();
    assert_eq!(reply.decision, Decision::Allowed);
}
