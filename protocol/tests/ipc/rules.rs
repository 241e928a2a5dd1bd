//! Each rule of the frames and messages, broken once.

use countersign_protocol::ipc::{FrameError, FrameKind, read_frame, write_frame};
use countersign_protocol::limits;

use crate::golden::{files, receive};

/// `WHAT.REASON.NAME` and the bytes, for the golden folder.
pub(crate) fn bad_frames() -> Vec<(&'static str, Vec<u8>)> {
    let nonce = "a5".repeat(32);
    let authenticate = |more: &str| {
        format!(r#"{{"request":"authenticate","login":"ana","service":"sudo","nonce":"{nonce}"{more}}}"#)
    };
    let job = |body: &str| {
        format!(r#"{{"request":"job","operation":"create","resource":"account/ana","body":{body}}}"#)
    };
    let json = |body: &str| raw(1, 1, body.as_bytes());
    vec![
        ("request.closed.empty", Vec::new()),
        ("request.version.0", raw(0, 1, b"{}")),
        ("request.version.2", raw(2, 1, b"{}")),
        ("request.version.http", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("request.kind.0", raw(1, 0, b"{}")),
        ("request.kind.4", raw(1, 4, b"{}")),
        ("request.truncated.header", vec![1, 1, 0, 0]),
        ("request.truncated.body", vec![1, 1, 0, 0, 0, 5, b'{']),
        ("request.truncated.largest", vec![1, 1, 0, 1, 0, 0]),
        ("request.oversize.one-more", vec![1, 1, 0, 1, 0, 1]),
        ("request.oversize.four-gibibytes", vec![1, 1, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("request.left-over.one-byte", [json(r#"{"request":"status"}"#), vec![0]].concat()),
        ("request.left-over.second-request", json(r#"{"request":"status"}"#).repeat(2)),
        ("request.out-of-place.secret", raw(1, 2, b"123456")),
        ("request.malformed.empty", json("")),
        ("request.malformed.not-json", json("status")),
        ("request.malformed.trailing", json(r#"{"request":"status"} x"#)),
        ("request.malformed.two-objects", json(r#"{"request":"status"}{"request":"status"}"#)),
        ("request.malformed.unknown-request", json(r#"{"request":"shutdown"}"#)),
        ("request.malformed.no-request", json(r#"{"login":"ana"}"#)),
        ("request.malformed.another-case", json(r#"{"request":"Status"}"#)),
        ("request.malformed.unknown-field", json(&authenticate(r#","uid":0"#))),
        ("request.malformed.unknown-field-of-status", json(r#"{"request":"status","login":"ana"}"#)),
        ("request.malformed.field-twice", json(&authenticate(r#","login":"root""#))),
        ("request.malformed.request-twice", json(&authenticate(r#","request":"status""#))),
        ("request.malformed.no-nonce", json(r#"{"request":"account","login":"ana","service":"cron"}"#)),
        ("request.malformed.short-nonce", json(&authenticate("").replace(&nonce, "a5a5"))),
        (
            "request.malformed.nonce-upper-case",
            json(&authenticate("").replace(&nonce, &nonce.to_uppercase())),
        ),
        ("request.malformed.login-newline", json(&authenticate("").replace("ana", r"ana\nroot"))),
        ("request.malformed.login-path", json(&authenticate("").replace("ana", "../ana"))),
        ("request.malformed.service-path", json(&authenticate("").replace("sudo", "../sudo"))),
        ("request.malformed.not-utf-8", raw(1, 1, b"{\"request\":\"\xff\"}")),
        ("request.malformed.deep", json(&"[".repeat(200))),
        ("request.malformed.job-body-negative", json(&job("-1"))),
        ("request.malformed.job-body-half", json(&job("1.5"))),
        ("request.malformed.job-body-json", json(&job(r#"{"schema":1}"#))),
        ("request.malformed.job-body-not-base64", json(&job(r#""{}""#))),
        ("request.malformed.job-body-twice", json(&job(r#""e30=","body":1048576"#))),
        ("answer.malformed.unknown-answer", json(r#"{"answer":"yes"}"#)),
        ("answer.malformed.unknown-field-of-cancel", json(r#"{"answer":"cancel","text":"123456"}"#)),
        ("answer.malformed.no-text", json(r#"{"answer":"text"}"#)),
        ("secret.oversize-secret.128", raw(1, 2, &[b'1'; 128])),
        ("secret.truncated.pin", vec![1, 2, 0, 0, 0, 6, b'1', b'2']),
        ("body.oversize.seven-bytes", raw(1, 3, &[0; 7])),
        ("body.oversize.nine-bytes", raw(1, 3, &[0; 9])),
        ("reply.malformed.unknown-reply", json(r#"{"reply":"welcome"}"#)),
        (
            "reply.malformed.unknown-reason",
            json(r#"{"reply":"denied","reason":"mood","message":"","correlation":"7K3M-Q2ZD"}"#),
        ),
        ("reply.malformed.bare-grant", json(r#"{"reply":"granted"}"#)),
        (
            "reply.malformed.correlation",
            json(r#"{"reply":"failed","kind":"server","message":"","correlation":"OIL0-UUUU"}"#),
        ),
    ]
}

/// A frame without the writer's checks.
fn raw(version: u8, kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[version, kind], length.as_slice(), body].concat()
}

#[test]
fn the_bad_frames_of_today_are_in_the_golden_folder() {
    let bad = files("bad");
    for (name, bytes) in bad_frames() {
        let golden = bad.iter().find(|(golden, _)| golden == name);
        assert_eq!(golden.map(|(_, bytes)| bytes), Some(&bytes), "{name}");
    }
}

#[test]
fn a_frame_cut_at_any_byte_is_refused() {
    for (name, bytes) in files("good") {
        let what = name.split('.').next().unwrap();
        for cut in 0..bytes.len() {
            let expected = if cut == 0 { "closed" } else { "truncated" };
            assert_eq!(receive(what, &bytes[..cut]).unwrap_err(), expected, "{name} cut at {cut}");
        }
    }
}

#[test]
fn what_follows_a_frame_is_not_part_of_it() {
    for (name, mut bytes) in files("good") {
        let length = bytes.len();
        bytes.extend_from_slice(b"garbage");
        let mut rest = bytes.as_slice();
        let frame = read_frame(&mut rest).unwrap();
        assert_eq!(frame.body.len() + 6, length, "{name}");
        assert!(matches!(read_frame(&mut rest), Err(FrameError::Version(b'g'))), "{name}");
    }
}

#[test]
fn an_oversize_frame_is_refused_before_its_body_is_awaited() {
    struct HeaderThenNothing(&'static [u8]);
    impl std::io::Read for HeaderThenNothing {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            assert!(!self.0.is_empty(), "nothing may be read after the header");
            std::io::Read::read(&mut self.0, buffer)
        }
    }
    let refused = read_frame(&mut HeaderThenNothing(&[1, 1, 0, 1, 0, 1]));
    assert!(matches!(refused, Err(FrameError::Oversize(65_537))));
    let refused = read_frame(&mut HeaderThenNothing(&[1, 2, 0, 0, 0, 128]));
    assert!(matches!(refused, Err(FrameError::OversizeSecret(128))));
}

#[test]
fn what_no_peer_would_read_is_not_written() {
    let mut written = Vec::new();
    let too_large = vec![b' '; limits::FRAME_BODY + 1];
    assert!(matches!(
        write_frame(&mut written, FrameKind::Json, &too_large),
        Err(FrameError::Oversize(65_537))
    ));
    assert!(matches!(
        write_frame(&mut written, FrameKind::Secret, &[b'1'; 128]),
        Err(FrameError::OversizeSecret(128))
    ));
    assert!(matches!(write_frame(&mut written, FrameKind::Body, &[0; 4]), Err(FrameError::Oversize(4))));
    assert!(written.is_empty());
    write_frame(&mut written, FrameKind::Json, &too_large[1..]).unwrap();
    assert_eq!(read_frame(&mut written.as_slice()).unwrap().body.len(), limits::FRAME_BODY);
}
