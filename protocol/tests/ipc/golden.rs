//! A folder of frames that must go on being read, and refused, as on the day they were made.
//!
//! `tests/messages/ipc/good/WHAT.NAME.bin` is one frame; read and written again it is the same bytes.
//! `bad/WHAT.REASON.NAME.bin` is refused for that reason. Drop a file in and it is tested.

use std::path::{Path, PathBuf};

use countersign_protocol::ipc::{
    Answer, DenyReason, Frame, FrameError, FrameKind, LoginReply, LoginRequest, NoteKind, Reply, Request,
    read_frame, write_frame,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::messages::every_message;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages/ipc")
}

pub(crate) fn files(kind: &str) -> Vec<(String, Vec<u8>)> {
    frames(&format!("ipc/{kind}"))
}

/// The frames of a folder of `tests/messages`.
pub(crate) fn frames(folder: &str) -> Vec<(String, Vec<u8>)> {
    let messages = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages");
    let mut files: Vec<_> = std::fs::read_dir(messages.join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// What a receiver of `what` makes of these bytes: the frame as it would write it again, or why not.
pub(crate) fn receive(what: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut rest = bytes;
    let frame = read_frame(&mut rest).map_err(|error| reason(&error).to_owned())?;
    if !rest.is_empty() {
        return Err("left-over".into());
    }
    let body = match what {
        "request" => again::<Request>(&frame)?,
        "answer" => again::<Answer>(&frame)?,
        "reply" => again::<Reply>(&frame)?,
        "secret" if frame.kind == FrameKind::Secret => frame.body.to_vec(),
        "body" if frame.kind == FrameKind::Body => frame.body.to_vec(),
        _ => return Err("out-of-place".into()),
    };
    let mut written = Vec::new();
    write_frame(&mut written, frame.kind, &body).map_err(|error| reason(&error).to_owned())?;
    Ok(written)
}

fn again<T: DeserializeOwned + Serialize>(frame: &Frame) -> Result<Vec<u8>, String> {
    if frame.kind != FrameKind::Json {
        return Err("out-of-place".into());
    }
    let value: T = serde_json::from_slice(&frame.body).map_err(|_| "malformed".to_owned())?;
    Ok(serde_json::to_vec(&value).unwrap())
}

fn reason(error: &FrameError) -> &'static str {
    match error {
        FrameError::Closed => "closed",
        FrameError::Truncated => "truncated",
        FrameError::Version(_) => "version",
        FrameError::Kind(_) => "kind",
        FrameError::Oversize(_) => "oversize",
        FrameError::OversizeSecret(_) => "oversize-secret",
        FrameError::Malformed(_) => "malformed",
        FrameError::TimedOut => "timed-out",
        FrameError::Io(_) => "io",
    }
}

#[test]
fn golden_good_frames_are_read_and_written_again_as_the_same_bytes() {
    let good = files("good");
    assert!(!good.is_empty());
    for (name, bytes) in good {
        let what = name.split('.').next().unwrap();
        assert_eq!(receive(what, &bytes).as_deref(), Ok(bytes.as_slice()), "{name}");
    }
}

#[test]
fn golden_bad_frames_are_refused_for_the_reason_in_their_name() {
    let bad = files("bad");
    assert!(!bad.is_empty());
    for (name, bytes) in bad {
        let mut parts = name.split('.');
        let (what, expected) = (parts.next().unwrap(), parts.next().unwrap());
        assert_eq!(receive(what, &bytes).unwrap_err(), expected, "{name}");
    }
}

/// A message whose bytes changed is another protocol: raise the version, or do not change it.
#[test]
fn every_message_of_today_is_in_the_golden_folder() {
    let good = files("good");
    for (name, kind, body) in every_message() {
        let mut frame = Vec::new();
        write_frame(&mut frame, kind, &body).unwrap();
        let golden = good.iter().find(|(golden, _)| *golden == name);
        assert_eq!(golden.map(|(_, bytes)| bytes.as_slice()), Some(frame.as_slice()), "{name}");
    }
}

/// The module reads replies into another type; it must understand the same bytes the same way.
#[test]
fn the_module_reads_the_replies_to_a_login_as_everybody_does() {
    for (name, bytes) in files("good").iter().filter(|(name, _)| name.starts_with("reply.")) {
        let body = read_frame(&mut bytes.as_slice()).unwrap().body;
        let everybody: Reply = serde_json::from_slice(&body).unwrap();
        let module = LoginReply::from_json(&body);
        match (everybody, module) {
            (Reply::Note { kind, text }, Some(LoginReply::Note { kind: k, text: t })) => {
                assert_eq!((kind, text), (k, t), "{name}");
            }
            (Reply::Prompt(one), Some(LoginReply::Prompt(other))) => assert_eq!(one, other, "{name}"),
            (Reply::Granted(one), Some(LoginReply::Granted(other))) => assert_eq!(one, other, "{name}"),
            (Reply::Denied(one), Some(LoginReply::Denied(other))) => assert_eq!(one, other, "{name}"),
            (Reply::Noted(one), Some(LoginReply::Noted(other))) => assert_eq!(one, other, "{name}"),
            (Reply::Failed(one), Some(LoginReply::Failed { kind, message, correlation })) => {
                assert_eq!(serde_json::to_value(one.kind).unwrap(), kind, "{name}");
                assert_eq!((one.message, one.correlation), (message, correlation), "{name}");
            }
            (
                Reply::Note { kind: NoteKind::Authenticator, .. }
                | Reply::Status(_)
                | Reply::Journal(_)
                | Reply::JournalChecked(_)
                | Reply::Cards { .. }
                | Reply::CardDetails(_)
                | Reply::CardMade(_)
                | Reply::CardChanged(_)
                | Reply::CardChecked(_)
                | Reply::Enrolled(_)
                | Reply::Registered(_)
                | Reply::SshKeys(_)
                | Reply::JobDone(_),
                None,
            ) => {}
            (everybody, module) => panic!("{name}: {everybody:?}, but the module reads {module:?}"),
        }
    }
}

/// And it writes its requests itself.
#[test]
fn the_module_writes_its_requests_as_everybody_does() {
    let mut seen = 0;
    for (name, bytes) in files("good").iter().filter(|(name, _)| name.starts_with("request.")) {
        let body = read_frame(&mut bytes.as_slice()).unwrap().body;
        let request = match serde_json::from_slice(&body).unwrap() {
            Request::Authenticate(ask) => LoginRequest::Authenticate(ask),
            Request::Account(ask) => LoginRequest::Account(ask),
            Request::SessionOpened(ask) => LoginRequest::SessionOpened(ask),
            Request::SessionClosed(ask) => LoginRequest::SessionClosed(ask),
            Request::PinCheck(ask) => LoginRequest::PinCheck(ask),
            Request::PinChange(ask) => LoginRequest::PinChange(ask),
            _ => continue,
        };
        assert_eq!(*request.to_json(), *body, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 10);
}

#[test]
fn every_reason_of_a_denial_is_read_by_the_module_and_one_it_does_not_know_is_a_no_too() {
    let denied = |reason: &str| {
        let body =
            format!(r#"{{"reply":"denied","reason":"{reason}","message":"No.","correlation":"7K3M-Q2ZD"}}"#);
        (LoginReply::from_json(body.as_bytes()), serde_json::from_str::<Reply>(&body))
    };
    for reason in [
        DenyReason::Policy,
        DenyReason::WrongPin,
        DenyReason::CardBlocked,
        DenyReason::LastTryRefused,
        DenyReason::NoCard,
        DenyReason::CardGone,
        DenyReason::TouchTimeout,
        DenyReason::CardFailed,
        DenyReason::RemoteSession,
        DenyReason::ServerUnavailable,
        DenyReason::NotEnrolled,
        DenyReason::Cancelled,
        DenyReason::TimedOut,
        DenyReason::Busy,
        DenyReason::Internal,
    ] {
        let word = serde_json::to_value(reason).unwrap();
        match denied(word.as_str().unwrap()) {
            (Some(LoginReply::Denied(one)), Ok(Reply::Denied(other))) => {
                assert_eq!((one.reason, other.reason), (reason, reason));
            }
            other => panic!("{reason:?}: {other:?}"),
        }
    }
    let (module, everybody) = denied("a-reason-of-next-year");
    assert!(matches!(module, Some(LoginReply::Denied(denial)) if denial.reason == DenyReason::Internal));
    assert!(everybody.is_err());
}

#[test]
#[ignore = "writes the golden folder anew; for whoever adds a message"]
fn write_the_golden_folder() {
    for (name, kind, body) in every_message() {
        let mut frame = Vec::new();
        write_frame(&mut frame, kind, &body).unwrap();
        std::fs::write(folder().join("good").join(format!("{name}.bin")), frame).unwrap();
    }
    for (name, bytes) in crate::rules::bad_frames() {
        std::fs::write(folder().join("bad").join(format!("{name}.bin")), bytes).unwrap();
    }
}
