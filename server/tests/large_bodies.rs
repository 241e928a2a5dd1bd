//! Bodies as large as a job's may be come to an answer whatever is in them, and so does one byte more.

use std::sync::Arc;

use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::ids::Role;
use countersign_protocol::ledger::EntryKind;
use countersign_protocol::limits;

use crate::client::carrier::Http;
use crate::client::newcomer::Newcomer;
use crate::client::person::Person;
use crate::fixture::{Server, denied, register};
use crate::program::{Program, init};

/// `size` bytes: `begin`, as often `again` as there is room, spaces, and `end`.
fn filled(begin: &str, again: &str, end: &str, size: usize) -> Vec<u8> {
    let room = size - begin.len() - end.len();
    let body = [begin, &again.repeat(room / again.len()), &" ".repeat(room % again.len()), end].concat();
    assert_eq!(body.len(), size);
    body.into_bytes()
}

#[test]
fn a_body_of_the_largest_size_is_answered_by_its_operation() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let clinic = server.person(&host, &admin, "clinic", &[Role::Resource]);
    host.job(&clinic, "create", "collection/wards", Some(b"{}"));
    let largest = |begin: &str, again: &str, end: &str| filled(begin, again, end, limits::JOB_BODY);
    let nonsense = largest("", "x", "");
    let a_field = largest("{\"", "x", "\":1}");
    let text = largest("{\"text\":\"", "// ", "\"}");
    for (who, operation, resource, body, why) in [
        (&admin, "create", "policy/hours", &text, "at most 262144 are accepted"),
        (
            &clinic,
            "create",
            "collection/beds",
            &largest("{\"schema\":\"", "x", "\"}"),
            "A schema has at most 65536",
        ),
        (
            &clinic,
            "grant",
            "collection/wards",
            &largest("{\"account\":\"ana\",\"access\":[", "\"read\",", "\"read\"]}"),
            "access is named twice",
        ),
        (
            &admin,
            "create",
            "account/bob",
            &largest("{\"logins\":[],\"roles\":[", "\"user\",", "\"user\"]}"),
            "role is named twice",
        ),
        (
            &admin,
            "update",
            "account/ana",
            &largest("{\"logins\":[", "\"ana\",", "\"ana\"]}"),
            "at most 100 login names",
        ),
        (
            &admin,
            "explain",
            "policy/all",
            &largest(
                "{\"question\":{\"account\":\"ana\",\"operation\":\"read\",\"resource\":\"x/y\",\"claimed\":\"",
                "x",
                "\"}}",
            ),
            "more than 8192 bytes",
        ),
        (&admin, "read", "ledger/entries", &a_field, "The body is not"),
        (&admin, "read", "accounts/all", &a_field, "The body is not"),
        (&admin, "create", "account/bob", &largest("", "[", ""), "The body is not"),
        (&admin, "create", "account/bob", &nonsense, "The body is not"),
        (&admin, "suspend", "account/ana", &nonsense, "takes no body"),
        (&admin, "create", "nothing/known", &nonsense, "No policy"),
    ] {
        denied(&host.job(who, operation, resource, Some(body)), why);
        let entry = server.newest(EntryKind::Job);
        assert!(entry.reason.contains(why), "{operation} {resource}: {}", entry.reason);
    }
}

#[test]
fn one_byte_more_than_the_largest_body_is_refused_with_the_limit_named() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let body = filled("{\"text\":\"", "x", "\"}", limits::JOB_BODY + 1);
    let reply = host.job(&admin, "create", "policy/hours", Some(&body));
    denied(&reply, "The body has 1048577 bytes; at most 1048576 are taken.");
}

#[test]
fn the_largest_body_comes_over_http_too() {
    let made = init();
    let program = Program::start(&made.config, &[]);
    let carrier = Arc::new(Http { port: program.port });
    let host = Newcomer::new(&made.bundle, carrier, Arc::new(SystemClock)).enrol(Some(&made.token));
    let admin = Person::new("admin", SystemClock.now());
    register(&host, &admin, &made.code);
    let body = filled("{\"text\":\"", "x", "\"}", limits::JOB_BODY);
    denied(&host.job(&admin, "create", "policy/hours", Some(&body)), "at most 262144 are accepted");
}
