//! What every entry says: who, from where, when, what, on what, what was checked, and what was signed.

use countersign_protocol::ledger::{Entry, EntryKind, Outcome, check_receipt};
use countersign_protocol::message::result::ExportedEntry;
use countersign_protocol::message::{Decision, HostEvent, HostEventKind, JobReply, JobRequest};
use countersign_protocol::statement::SignedStatement;
use countersign_server_core::store::Store as _;

use crate::client::host::{Host, Registered};
use crate::client::person::Person;
use crate::fixture::{Server, register};

fn newest(server: &Server) -> (Entry, ExportedEntry) {
    let store = server.read_store();
    let view = store.view().unwrap();
    let exported = view.entries(view.size().unwrap() - 1, 1).unwrap().remove(0);
    (Entry::from_bytes(&exported.entry.0).unwrap(), exported)
}

/// Signs and sends, and remembers what was signed.
fn ask(
    host: &Host,
    who: &Person,
    (operation, resource): (&str, &str),
    body: Option<&[u8]>,
) -> (SignedStatement, JobReply) {
    let mut statement = match operation {
        "open-session" => host.session(who, resource),
        _ => host.statement(who, operation, resource),
    };
    let request =
        |signed: SignedStatement| JobRequest { signed, body: body.map(|body| body.to_vec().into()) };
    statement.body = request(who.sign(&statement)).body_digest();
    let signed = who.sign(&statement);
    let reply = host.ask(&request(signed.clone())).body().unwrap();
    (signed, reply)
}

#[test]
fn every_request_of_a_person_has_an_entry_with_everything_and_a_receipt_also_if_it_was_denied() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let nobody = format!("instance/{}", "0".repeat(40));
    // Who asks for what, and the check that it ends with.
    for (who, asked, body, outcome, last) in [
        (&ana, ("open-session", "ana"), None, Outcome::Allowed, "policy"),
        (&ana, ("open-session", "root"), None, Outcome::Denied, "policy"),
        (
            &ana,
            ("create", "account/eve"),
            Some(&br#"{"logins":[],"roles":[]}"#[..]),
            Outcome::Denied,
            "policy",
        ),
        (&ana, ("brew", "account/ana"), None, Outcome::Denied, "policy"),
        (&admin, ("create", "account/eve"), Some(br#"{"logins":[],"roles":[]}"#), Outcome::Allowed, "policy"),
        (
            &admin,
            ("create", "account/ana"),
            Some(br#"{"logins":[],"roles":[]}"#),
            Outcome::Denied,
            "possible",
        ),
        (&admin, ("create", "account/eve"), Some(b"not JSON"), Outcome::Denied, "possible"),
        (&admin, ("suspend", nobody.as_str()), None, Outcome::Denied, "possible"),
        (&admin, ("read", "ledger/secrets"), None, Outcome::Denied, "known"),
    ] {
        let (signed, reply) = ask(&host, who, asked, body);
        let (entry, exported) = newest(&server);
        let case = format!("{asked:?}: {entry:?}");
        assert_eq!(entry.decision, outcome, "{case}");
        assert_eq!(reply.decision == Decision::Allowed, outcome == Outcome::Allowed, "{case}");
        // Who, from where, when, what, on what.
        assert_eq!(entry.account.as_ref(), Some(&who.account), "{case}");
        assert_eq!(entry.instance, Some(host.fingerprint()), "{case}");
        assert_eq!(entry.application.as_ref().map(|name| name.as_str()), Some("countersign"), "{case}");
        assert_eq!(entry.time, server.clock_now(), "{case}");
        assert_eq!(entry.operation.as_ref().unwrap().as_str(), asked.0, "{case}");
        assert!(entry.resource.is_some() && entry.key.is_some() && entry.message.is_some(), "{case}");
        // What was checked, and how it ended.
        let checks: Vec<&str> = entry.checks.iter().map(|check| check.name.as_str()).collect();
        let always = [
            "instance-signature",
            "instance-active",
            "statement-signature",
            "statement-body",
            "statement-unused",
        ];
        assert_eq!((&checks[..5], checks[5]), (&always[..], last), "{case}");
        assert_eq!(entry.checks[5].passed, outcome == Outcome::Allowed, "{case}");
        assert!(entry.checks[..5].iter().all(|check| check.passed) && entry.policy_epoch > 0, "{case}");
        assert_eq!(entry.reason, reply.reason, "{case}");
        // What was signed, and a receipt for it.
        assert_eq!(exported.evidence.unwrap().signed, signed, "{case}");
        let proven = check_receipt(&reply.receipt, &host.ledger_key).unwrap();
        assert_eq!(proven.entry(), &entry, "{case}");
    }
}

#[test]
fn every_other_entry_says_which_host_and_application_and_what_was_checked() {
    let server = Server::new();
    let host = server.host();
    let admin = server.administrator(&host);
    let created = server.invite(&host, &admin, "ana", &["ana"]);
    let ana = Person::new("ana", server.clock_now());
    assert!(matches!(host.register(&ana, "AAAA-AAAA").unwrap(), Registered::WrongCode));
    register(&host, &ana, &created.code);
    let waiting = server.newcomer().enrol(None);
    let _told = host.ask(&HostEvent {
        event: HostEventKind::WrongPin,
        at: server.clock_now(),
        correlation: "7K3M-Q2ZD".parse().unwrap(),
        told: "Wrong PIN.".into(),
        account: None,
        login: None,
        service: None,
        card: None,
    });
    let mut host = host;
    assert_eq!(host.key_update(Some(3600)).status, 200);
    let _rotated = host.rotate();
    let mut kinds = std::collections::BTreeSet::new();
    for entry in server.entries().into_iter().skip(1) {
        let case = format!("{entry:?}");
        kinds.insert(entry.kind.as_str());
        assert!(entry.instance.is_some() && entry.message.is_some() && !entry.reason.is_empty(), "{case}");
        assert_eq!(entry.application.as_ref().map(|name| name.as_str()), Some("countersign"), "{case}");
        assert!(!entry.checks.is_empty(), "{case}");
        let failed = entry.checks.iter().filter(|check| !check.passed).count();
        assert_eq!(failed, usize::from(entry.decision == Outcome::Denied), "{case}");
        assert!(entry.checks.iter().rev().skip(1).all(|check| check.passed), "{case}");
    }
    let expected =
        ["enrolment", "host-event", "job", "key-update", "registration", "registration-try", "rotation"];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
    drop(waiting);
}

#[test]
fn a_refused_request_leaves_what_was_claimed_in_the_ledger_and_who_carried_it() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    // Somebody else's card in ana's name.
    let eve = Person { account: ana.account.clone(), ..Person::new("eve", server.clock_now()) };
    let signed = eve.sign(&host.session(&ana, "ana"));
    let sealed = host.seal(&host.message(&JobRequest { signed: signed.clone(), body: None }));
    assert_eq!(host.send(&sealed).status, 400);
    let (entry, exported) = newest(&server);
    assert_eq!((entry.kind, entry.decision), (EntryKind::Refusal, Outcome::Denied));
    assert_eq!((entry.instance, entry.key, entry.account), (Some(host.fingerprint()), None, None));
    assert_eq!(entry.application.unwrap().as_str(), "countersign");
    let checks: Vec<(&str, bool)> =
        entry.checks.iter().map(|check| (check.name.as_str(), check.passed)).collect();
    assert_eq!(checks, [("instance-signature", true), ("statement", false)]);
    assert_eq!(exported.evidence.unwrap().signed, signed);
}
