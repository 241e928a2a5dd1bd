//! What comes over the agent's sockets, from anybody on the machine.

use countersign_protocol::ipc::{Answer, FrameKind, LoginReply, Reply, Request, read_frame, write_frame};
use countersign_protocol::limits;

use crate::same;

/// Frames, one after the other.
pub(crate) fn play(bytes: &[u8]) -> bool {
    let (mut rest, mut taken) = (bytes, false);
    while !rest.is_empty() {
        let before = rest;
        let Ok(frame) = read_frame(&mut rest) else { return false };
        let mut written = Vec::new();
        let again = write_frame(&mut written, frame.kind, &frame.body);
        let read = before.len() - rest.len();
        assert!(again.is_ok() && before.get(..read) == Some(written.as_slice()), "another frame");
        assert!(frame.kind == FrameKind::Body || frame.body.len() <= limits::FRAME_BODY, "too large a frame");
        taken = match frame.kind {
            FrameKind::Json => json(&frame.body),
            _ => true,
        };
    }
    taken
}

fn json(body: &[u8]) -> bool {
    // The module has a smaller reader of its own, which its fuzzer compares with this one.
    let _login = LoginReply::from_json(body);
    same::json::<Request>(body) | same::json::<Answer>(body) | same::json::<Reply>(body)
}
