//! What sshd reads.

use countersign_protocol::ipc::{NoteKind, Problem, ProblemKind, Reply, SshKey, SshKeysFound};
use serde_json::json;

use crate::program::{countersign, countersign_at};
use crate::scripted_agent::{ScriptedAgent, hear, say};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

fn found(accounts: &[&str]) -> Reply {
    let key = |account: &&str| SshKey { account: account.parse().unwrap(), key: KEY.parse().unwrap() };
    Reply::SshKeys(SshKeysFound { keys: accounts.iter().map(key).collect() })
}

#[test]
fn each_key_is_one_line_that_ends_with_the_account() {
    let agent = ScriptedAgent::new(|stream| {
        let asked = hear(stream).1;
        say(stream, &found(&["ana", "ana.two"]));
        asked
    });
    let ended = countersign_at(&agent.socket(), &["ssh-keys", "ana"], "");
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_eq!(ended.out, format!("{KEY} ana\n{KEY} ana.two\n"));
    assert_eq!(agent.end(), r#"{"request":"ssh-keys","login":"ana"}"#);
}

#[test]
fn what_the_agent_notes_is_no_line_of_authorized_keys() {
    let agent = ScriptedAgent::new(|stream| {
        hear(stream);
        say(stream, &Reply::Note { kind: NoteKind::Info, text: "ben needs no card on this host.".into() });
        say(stream, &found(&[]));
    });
    let ended = countersign_at(&agent.socket(), &["ssh-keys", "ben"], "");
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), ""));
    assert!(ended.err.contains("needs no card"), "{}", ended.err);
    agent.end();
}

#[test]
fn a_failure_prints_no_key_and_says_why() {
    let agent = ScriptedAgent::new(|stream| {
        hear(stream);
        let message = "No key is told: this host's roster expired at 2026-11-23 18:20 UTC.".to_owned();
        let correlation = "7K3M-Q2ZD".parse().unwrap();
        say(stream, &Reply::Failed(Problem { kind: ProblemKind::Server, message, correlation }));
    });
    countersign_at(&agent.socket(), &["ssh-keys", "ana"], "").refused(5, &["expired", "7K3M-Q2ZD"]);
    agent.end();
}

/// R22: whatever else the agent, or who poses as it, says in place of a key or a name never reaches sshd.
#[test]
fn a_reply_with_an_option_or_a_second_line_in_it_is_no_reply() {
    for (account, key) in [
        ("ana", format!("command=\"/bin/sh\" {KEY}")),
        ("ana", format!("{KEY}\n{KEY}")),
        ("ana\nssh-ed25519 AAAA", KEY.to_owned()),
        ("ana ben", KEY.to_owned()),
    ] {
        let reply = json!({ "reply": "ssh-keys", "keys": [{ "account": account, "key": key }] });
        let agent = ScriptedAgent::new(move |stream| {
            use countersign_protocol::ipc::{FrameKind, write_frame};
            hear(stream);
            write_frame(stream, FrameKind::Json, reply.to_string().as_bytes()).unwrap();
        });
        countersign_at(&agent.socket(), &["ssh-keys", "ana"], "").refused(1, &["the agent"]);
        agent.end();
    }
}

#[test]
fn a_name_that_is_none_is_refused_before_anybody_is_asked() {
    for name in ["ana ben", "ana\nben", "", "../ana", "ana:x"] {
        countersign(&["--socket", "/nonexistent", "ssh-keys", name]).refused(2, &["login name"]);
    }
}
