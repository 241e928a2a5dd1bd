//! What people hand over to be sent: from a file or on standard input, up to the largest body, and wrong.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use countersign_protocol::ipc::{Denial, DenyReason, FrameKind, Problem, ProblemKind, Reply, read_frame};
use countersign_protocol::limits;
use countersign_protocol::message::result::PolicyText;

use crate::program::{countersign, countersign_at};
use crate::scripted_agent::{ScriptedAgent, hear, lend, say};

fn no() -> Reply {
    Reply::Denied(Denial {
        reason: DenyReason::Policy,
        message: "No.".to_owned(),
        correlation: "7K3M-Q2ZD".parse().unwrap(),
    })
}

/// Text for a policy document whose request has a body of `size` bytes.
fn text(size: usize) -> String {
    let around = serde_json::to_vec(&PolicyText { over: None, text: String::new() }).unwrap().len();
    "x".repeat(size - around)
}

const PUT_BIG: [&str; 7] = ["policy", "put", "-", "--name", "big", "--new", "--no-check"];

#[test]
fn what_comes_on_standard_input_is_sent_like_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wards.json");
    fs::write(&path, r#"{"type":"object"}"#).unwrap();
    let asked = |schema: &str, input: &str| {
        let agent = ScriptedAgent::new(|stream| {
            let asked = hear(stream).1;
            say(stream, &no());
            asked
        });
        let words = ["collection", "create", "wards", "--schema", schema];
        countersign_at(&agent.socket(), &words, input).refused(3, &["No."]);
        agent.end()
    };
    let from_file = asked(path.to_str().unwrap(), "");
    assert!(from_file.contains(r#""resource":"collection/wards","body":""#), "{from_file}");
    assert_eq!(asked("-", r#"{"type":"object"}"#), from_file);
}

#[test]
fn a_body_of_one_mebibyte_goes_into_memory_that_the_agent_lends() {
    let agent = ScriptedAgent::new(|stream| {
        let asked = hear(stream).1;
        let memory = lend(stream, limits::JOB_BODY);
        let filled = read_frame(stream).unwrap();
        let mut body = vec![0; limits::JOB_BODY];
        memory.read_exact_at(&mut body, 0).unwrap();
        say(stream, &no());
        (asked, filled.kind, filled.body.to_vec(), body)
    });
    let text = text(limits::JOB_BODY);
    countersign_at(&agent.socket(), &PUT_BIG, &text).refused(3, &["No."]);
    let (asked, kind, announced, body) = agent.end();
    assert_eq!(asked, r#"{"request":"job","operation":"create","resource":"policy/big","body":1048576}"#);
    assert_eq!((kind, announced), (FrameKind::Body, 1_048_576_u64.to_be_bytes().to_vec()));
    assert!(body == serde_json::to_vec(&PolicyText { over: None, text }).unwrap());
}

#[test]
fn one_byte_more_is_refused_with_the_limit_named_before_the_agent_hears_of_it() {
    let nobody = Path::new("/nonexistent/user.sock");
    let large = text(limits::JOB_BODY + 1);
    countersign_at(nobody, &PUT_BIG, &large)
        .refused(2, &["1048577 bytes", "at most 1048576", "Nothing was sent"]);
    let larger = "x".repeat(limits::JOB_BODY + 1);
    countersign_at(nobody, &PUT_BIG, &larger)
        .refused(1, &["the document on standard input is over 1048576 bytes"]);
    let schema = " ".repeat(limits::COLLECTION_SCHEMA + 1);
    countersign_at(nobody, &["collection", "create", "wards", "--schema", "-"], &schema)
        .refused(1, &["the schema on standard input is over 65536 bytes"]);
}

#[test]
fn an_agent_that_lends_nothing_says_why_and_one_of_an_older_release_hangs_up() {
    let agent = ScriptedAgent::new(|stream| {
        hear(stream);
        let message = "The agent holds too many large bodies at once.".to_owned();
        let correlation = "7K3M-Q2ZD".parse().unwrap();
        say(stream, &Reply::Failed(Problem { kind: ProblemKind::Busy, message, correlation }));
    });
    let ended = countersign_at(&agent.socket(), &PUT_BIG, &text(limits::JOB_BODY));
    assert!(ended.err.contains("too many large bodies"), "{ended:?}");
    let agent = ScriptedAgent::new(|stream| drop(hear(stream)));
    countersign_at(&agent.socket(), &PUT_BIG, &text(limits::JOB_BODY))
        .refused(7, &["hung up", "systemctl restart countersignd"]);
}

#[test]
fn memory_of_another_size_than_the_body_is_not_filled() {
    let agent = ScriptedAgent::new(|stream| {
        hear(stream);
        let memory = lend(stream, limits::JOB_BODY - 1);
        assert!(read_frame(stream).is_err(), "it hangs up");
        let mut byte = [7];
        memory.read_exact_at(&mut byte, 0).unwrap();
        byte
    });
    countersign_at(&agent.socket(), &PUT_BIG, &text(limits::JOB_BODY))
        .refused(1, &["lent 1048575 bytes for 1048576", "nothing was signed"]);
    assert_eq!(agent.end(), [0]);
}

#[test]
fn what_is_no_json_is_told_before_anything_is_asked() {
    let nobody = Path::new("/nonexistent/user.sock");
    for (schema, why) in [
        ("", "is not JSON: EOF"),
        ("{\"type\":\n", "is not JSON"),
        ("[]", "no object"),
        ("{} {}", "is not JSON"),
    ] {
        for action in ["create", "update"] {
            countersign_at(nobody, &["collection", action, "wards", "--schema", "-"], schema)
                .refused(1, &["the schema on standard input", why, "Nothing was sent"]);
        }
    }
}

#[test]
fn standard_input_is_one_thing_and_a_document_on_it_is_named() {
    countersign(&["--answers-from-stdin", "collection", "create", "wards", "--schema", "-"])
        .refused(2, &["the schema and the answers", "Name a file"]);
    countersign(&["policy", "put", "-", "--new"]).refused(2, &["has no name", "--name"]);
    countersign(&["register", "ana", "--adopt", "-"])
        .refused(1, &["standard input is not a certificate", "gpg --export"]);
    countersign(&["key", "revoke-certificate", "-"]).refused(2, &[]);
}
