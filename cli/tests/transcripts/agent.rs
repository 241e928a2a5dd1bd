//! The conversation with an agent: absent, silent, asking, denying, granting.

use std::os::unix::net::UnixListener;

use countersign_protocol::ids::Nonce;
use countersign_protocol::ipc::{
    Denial, DenyReason, FrameKind, Grant, NoteKind, Problem, ProblemKind, Prompt, PromptKind, Reply,
};

use crate::program::countersign_at;
use crate::scripted_agent::{ScriptedAgent, hear, hung_up, say};

fn denied(reason: DenyReason, message: &str) -> Reply {
    Reply::Denied(Denial { reason, message: message.to_owned(), correlation: "7K3M-Q2ZD".parse().unwrap() })
}

fn pin_prompt() -> Reply {
    Reply::Prompt(Prompt {
        kind: PromptKind::Hidden, text: "PIN for card …AAAA (3 tries left): ".to_owned()
    })
}

#[test]
fn an_agent_that_does_not_run_is_named_with_the_command_that_starts_it() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("user.sock");
    countersign_at(&missing, &["status"], "").refused(6, &["not running", "systemctl start countersignd"]);
    // A socket file left behind by an agent that died.
    drop(UnixListener::bind(&missing).unwrap());
    countersign_at(&missing, &["status"], "").refused(6, &["not running"]);
}

#[test]
fn an_agent_that_hangs_up_at_once_is_one_that_does_not_permit_it() {
    let agent = ScriptedAgent::new(|stream| hear(stream).1);
    countersign_at(&agent.socket(), &["card", "list"], "").refused(7, &["hung up", "journalctl"]);
    assert_eq!(agent.end(), r#"{"request":"card-list"}"#);
}

#[test]
fn an_agent_that_dies_in_the_middle_is_not_one_that_does_not_permit_it() {
    let agent = ScriptedAgent::new(|stream| {
        hear(stream);
        say(stream, &pin_prompt());
        hear(stream);
    });
    let words = ["login", "try", "ana", "--answers-from-stdin"];
    countersign_at(&agent.socket(), &words, "123456\n").refused(1, &["in the middle"]);
}

#[test]
fn a_wrong_pin_ends_with_4_and_the_words_of_the_agent() {
    let agent = ScriptedAgent::new(|stream| {
        hear(stream);
        say(stream, &pin_prompt());
        let pin = hear(stream);
        say(stream, &denied(DenyReason::WrongPin, "The PIN was wrong; 2 tries are left."));
        pin
    });
    let ended = countersign_at(&agent.socket(), &["login", "try", "ana", "--answers-from-stdin"], "654321\n");
    ended.refused(4, &["PIN for card …AAAA", "2 tries are left", "quote 7K3M-Q2ZD"]);
    assert!(!ended.err.contains("654321"), "{}", ended.err);
    assert_eq!(agent.end(), (FrameKind::Secret, "654321".to_owned()));
}

#[test]
fn an_error_is_json_where_json_was_asked_for() {
    let agent = ScriptedAgent::new(|stream| {
        hear(stream);
        say(stream, &denied(DenyReason::CardGone, "The card was pulled."));
    });
    let ended = countersign_at(&agent.socket(), &["login", "try", "ana", "--json"], "");
    ended.refused(4, &[]);
    let expected = serde_json::json!(
        {"kind": "card-gone", "message": "The card was pulled.", "correlation": "7K3M-Q2ZD"});
    assert_eq!(ended.error(), expected);
}

#[test]
fn answers_that_run_out_cancel() {
    let agent = ScriptedAgent::new(|stream| {
        hear(stream);
        say(stream, &pin_prompt());
        let answer = hear(stream).1;
        say(stream, &denied(DenyReason::Cancelled, "Cancelled."));
        answer
    });
    countersign_at(&agent.socket(), &["login", "try", "ana", "--answers-from-stdin"], "")
        .refused(130, &["Cancelled"]);
    assert_eq!(agent.end(), r#"{"answer":"cancel"}"#);
}

#[test]
fn notes_go_to_standard_error_and_the_result_alone_to_standard_output() {
    let agent = ScriptedAgent::new(|stream| {
        hear(stream);
        say(stream, &Reply::Note { kind: NoteKind::Info, text: "Touch the card.".to_owned() });
        say(stream, &Reply::Cards { cards: Vec::new() });
    });
    let ended = countersign_at(&agent.socket(), &["--json", "card", "list"], "");
    assert_eq!(
        (ended.code, ended.out.as_str(), ended.err.as_str()),
        (Some(0), "{\"cards\":[]}\n", "Touch the card.\n")
    );
}

#[test]
fn a_grant_for_another_request_is_not_one_for_this() {
    let agent = ScriptedAgent::new(|stream| {
        hear(stream);
        say(
            stream,
            &Reply::Granted(Grant {
                nonce: Nonce::from_bytes([7; 32]),
                account: None,
                ledger_index: None,
                journal_index: None,
                statement: None,
                correlation: "7K3M-Q2ZD".parse().unwrap(),
            }),
        );
    });
    countersign_at(&agent.socket(), &["login", "try", "ana"], "").refused(9, &["another request"]);
}

#[test]
fn a_last_word_of_another_kind_is_not_believed() {
    let agent = ScriptedAgent::new(|stream| {
        hear(stream);
        say(stream, &Reply::Cards { cards: Vec::new() });
    });
    countersign_at(&agent.socket(), &["status"], "").refused(1, &["another question"]);
}

#[test]
fn text_from_elsewhere_cannot_command_the_terminal() {
    let agent = ScriptedAgent::new(|stream| {
        hear(stream);
        say(stream, &denied(DenyReason::Policy, "no\u{1b}]0;owned\u{7}"));
    });
    let ended = countersign_at(&agent.socket(), &["login", "try", "ana"], "");
    ended.refused(3, &["\\u{1b}]0;owned\\u{7}"]);
}

#[test]
fn every_kind_of_problem_has_its_exit_code() {
    for (kind, code) in [
        (ProblemKind::Usage, 2),
        (ProblemKind::Card, 4),
        (ProblemKind::Server, 5),
        (ProblemKind::Refused, 5),
        (ProblemKind::NotPermitted, 7),
        (ProblemKind::Enrolment, 8),
        (ProblemKind::Untrusted, 9),
        (ProblemKind::Cancelled, 130),
        (ProblemKind::Busy, 1),
        (ProblemKind::Internal, 1),
    ] {
        let agent = ScriptedAgent::new(move |stream| {
            hear(stream);
            let correlation = "7K3M-Q2ZD".parse().unwrap();
            say(
                stream,
                &Reply::Failed(Problem { kind, message: "It did not work.".to_owned(), correlation }),
            );
            hung_up(stream)
        });
        countersign_at(&agent.socket(), &["status"], "").refused(code, &["It did not work.", "7K3M-Q2ZD"]);
        assert!(agent.end());
    }
}
