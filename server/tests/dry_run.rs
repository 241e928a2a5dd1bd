//! Requests that are only tried.

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate;
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{EntryKind, Outcome, detail};
use countersign_protocol::message::result::{AccountList, NewAccount, PolicyText};
use countersign_protocol::message::{
    Decision, InstanceState, JobReply, JobRequest, OfflineUseReply, OfflineVerdict,
};
use countersign_protocol::statement::{SignedStatement, Statement};

use crate::client::host::Host;
use crate::client::person::Person;
use crate::client::refusal;
use crate::fixture::Server;

/// Asks only what would come of it, and holds reply and entry to having done nothing.
fn try_only(
    server: &Server,
    host: &Host,
    person: &Person,
    operation: &str,
    resource: &str,
    body: Option<&[u8]>,
) -> (Decision, String) {
    let mut statement = host.statement(person, operation, resource);
    statement.body = body.map(Digest::of);
    tried(server, &host.request(person, &Statement { dry_run: true, ..statement }, body))
}

fn tried(server: &Server, reply: &JobReply) -> (Decision, String) {
    let would = reply.dry_run.unwrap();
    assert_eq!(
        (reply.decision, &reply.result),
        (Decision::Denied, &None),
        "nothing happened, whoever reads it"
    );
    let entry = server.newest(EntryKind::Job);
    assert_eq!(entry.decision, Outcome::Noted);
    assert_eq!(entry.detail[detail::DRY_RUN], would.as_str());
    assert!(entry.detail.keys().all(|name| name == detail::DRY_RUN), "{:?}", entry.detail);
    assert_eq!(entry.reason, reply.reason);
    (would, reply.reason.clone())
}

#[test]
fn a_request_that_is_only_tried_says_what_would_come_of_it_and_changes_nothing() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let body =
        serde_json::to_vec(&NewAccount { logins: Vec::new(), roles: Vec::new(), totp: false }).unwrap();
    let policy = serde_json::to_vec(&PolicyText { over: None, text: "// x".into() }).unwrap();
    let other = serde_json::to_vec(&PolicyText { over: Some(7), text: "// x".into() }).unwrap();
    let key = format!("key/{}", certificate::fingerprint(&ana.cert).unwrap());
    let instance = format!("instance/{}", host.fingerprint());
    let allowed = "Dry run, nothing was changed. It would be allowed: You are an administrator.";
    for (operation, resource, body, expected) in [
        ("create", "account/eve", Some(body.as_slice()), allowed),
        ("create", "application/more", None, allowed),
        ("create", "policy/more", Some(policy.as_slice()), allowed),
        ("suspend", "account/ana", None, allowed),
        ("revoke", key.as_str(), None, allowed),
        ("suspend", instance.as_str(), None, "It would be denied: That is the host you are sitting at"),
        (
            "create",
            "account/ana",
            Some(body.as_slice()),
            "It would be denied: There is an account ana already",
        ),
        ("suspend", "account/admin", None, "It would be denied: admin is the last administrator"),
        (
            "update",
            "policy/default",
            Some(other.as_slice()),
            "It would be denied: The policy document default is at",
        ),
        (
            "become",
            "account/ana",
            None,
            "It would be denied: No policy lets account admin become account/ana.",
        ),
    ] {
        let (_, told) = try_only(&server, &host, &admin, operation, resource, body);
        assert!(told.contains(expected), "{operation} {resource}: {told}");
    }
    let told = try_only(&server, &host, &ana, "create", "account/eve", Some(&body));
    assert_eq!(told.0, Decision::Denied);
    // Everything is as it was.
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    let check_in = host.check_in(2, 0, &[]);
    assert_eq!((check_in.policy_epoch, check_in.state), (1, InstanceState::Active));
    let all = host.job(&admin, "read", "accounts/all", Some(b"{}")).result.unwrap();
    let all: AccountList = serde_json::from_value(all).unwrap();
    let names: Vec<_> = all.accounts.iter().map(|one| (one.account.as_str(), one.state.as_str())).collect();
    assert_eq!(names, [("admin", "active"), ("ana", "active")]);
    for (operation, resource, body) in
        [("create", "account/eve", Some(body.as_slice())), ("create", "policy/more", Some(policy.as_slice()))]
    {
        assert_eq!(host.job(&admin, operation, resource, body).decision, Decision::Allowed, "{resource}");
    }
}

#[test]
fn a_login_that_is_only_tried_is_no_login() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let session = host.session(&ana, "ana");
    let reply = host.request(&ana, &Statement { dry_run: true, ..session }, None);
    let (would, told) = tried(&server, &reply);
    assert_eq!(would, Decision::Allowed);
    assert!(told.ends_with("This login is bound to your account."), "{told}");
    // Nor is it one for a host that was cut off.
    let roster = host.check_in_for(1, &["ana"], &["sshd"]).roster;
    let session = Statement { dry_run: true, ..host.session(&ana, "ana") };
    let sealed = host.seal(&host.message(&host.offline_use(&ana, &session, &roster, 1)));
    let reply: OfflineUseReply = host.open(&sealed, &host.send(&sealed)).body().unwrap();
    assert_eq!(reply.verdict, OfflineVerdict::Disputed);
    assert!(reply.reason.contains("another dry run"), "{}", reply.reason);
}

/// What a card signed to be tried is never done, and what it signed to be done is never only tried.
#[test]
fn a_signature_to_try_is_none_to_do_and_the_other_way_round() {
    let server = Server::new();
    let (host, admin, _) = server.with_ana();
    let send = |signed: SignedStatement| {
        let sealed = host.seal(&host.message(&JobRequest { signed, body: None }));
        (host.send(&sealed), sealed)
    };
    let statement = Statement { dry_run: true, ..host.statement(&admin, "suspend", "account/ana") };
    let signed = admin.sign(&statement);
    assert_eq!(send(signed.clone()).0.status, 200);
    // Again, in another envelope.
    let (answer, sealed) = send(signed.clone());
    refusal(&answer, &host.server, &sealed);
    assert!(server.newest(EntryKind::Alarm).reason.contains("used before"));
    for (dry_run, words) in [(true, "\"dry_run\": true,"), (false, "")] {
        let statement = Statement { dry_run, ..host.statement(&admin, "suspend", "account/ana") };
        let signed = admin.sign(&statement);
        let text = String::from_utf8(signed.statement.0.clone()).unwrap();
        let other = if dry_run {
            assert!(text.contains(words), "{text}");
            text.replace(words, "")
        } else {
            text.replacen('{', "{\"dry_run\": true,", 1)
        };
        assert_eq!(Statement::from_bytes(other.as_bytes()).unwrap().dry_run, !dry_run);
        let (answer, sealed) = send(SignedStatement { statement: Binary(other.into_bytes()), ..signed });
        refusal(&answer, &host.server, &sealed);
    }
}
