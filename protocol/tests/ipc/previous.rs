//! Agent and module of releases that follow one another work together: whoever upgrades has both for a while.
//!
//! `tests/messages/ipc-previous/` is the golden folder of the release before this one, as it was then. At a release it
//! becomes a copy of `ipc/good/`; in between nobody touches it.

use countersign_protocol::ipc::{LoginReply, Reply, Request, read_frame};

use crate::golden::frames;

/// The module of the previous release asks this agent.
#[test]
fn every_request_of_the_previous_release_is_understood_as_it_was_meant() {
    let mut seen = 0;
    for (name, bytes) in frames("ipc-previous").iter().filter(|(name, _)| name.starts_with("request.")) {
        let body = read_frame(&mut bytes.as_slice()).unwrap().body;
        let request: Request =
            serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        // Nothing was dropped on the way, and nothing was added.
        let again: serde_json::Value = serde_json::to_value(&request).unwrap();
        assert_eq!(again, serde_json::from_slice::<serde_json::Value>(&body).unwrap(), "{name}");
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

/// The agent of the previous release answers this module and this command line.
#[test]
fn every_reply_of_the_previous_release_is_understood() {
    let of_login = ["note", "prompt", "granted", "denied", "failed"];
    let mut seen = 0;
    for (name, bytes) in frames("ipc-previous").iter().filter(|(name, _)| name.starts_with("reply.")) {
        let body = read_frame(&mut bytes.as_slice()).unwrap().body;
        assert!(serde_json::from_slice::<Reply>(&body).is_ok(), "{name}");
        let kind = name.trim_start_matches("reply.").split('-').next().unwrap();
        if of_login.contains(&kind) {
            assert!(LoginReply::from_json(&body).is_some(), "{name}");
            seen += 1;
        }
    }
    assert!(seen > 8, "{seen}");
}

/// This agent answers the module of the previous release, which refuses every field that it does not know.
#[test]
fn the_replies_to_a_login_are_the_same_bytes_as_in_the_previous_release() {
    let now = frames("ipc/good");
    for (name, bytes) in frames("ipc-previous") {
        let stays =
            ["reply.note", "reply.prompt", "reply.granted", "reply.denied", "reply.failed", "request.a"];
        if stays.iter().any(|stays| name.starts_with(stays)) {
            let today = now.iter().find(|(golden, _)| *golden == name).map(|(_, bytes)| bytes);
            assert_eq!(today, Some(&bytes), "{name}");
        }
    }
}
