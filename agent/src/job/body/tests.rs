use std::io::{IoSlice, PipeReader, Read as _, Write as _, pipe};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use countersign_protocol::ipc::{FrameKind, Request, write_frame};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use super::*;
use crate::body::tests::received;

const UID: u32 = 1000;

fn job(body: JobBody) -> Job {
    Job {
        operation: "create".parse().unwrap(),
        resource: "collection/letters".parse().unwrap(),
        body: Some(body),
        card: None,
        dry_run: false,
        approves: None,
    }
}

fn rooms() -> Arc<Gate> {
    Gate::new(limits::BODIES_PER_UID, limits::BODIES_PER_UID, limits::BODIES)
}

fn conversation() -> (Person, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Person::new(ours, Instant::now() + Duration::from_secs(60)), theirs)
}

fn frame(kind: FrameKind, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, kind, body).unwrap();
    bytes
}

fn taken(body: JobBody, client: impl FnOnce(UnixStream) + Send + 'static) -> Result<Held, Trouble> {
    let (mut person, theirs) = conversation();
    let client = thread::spawn(move || client(theirs));
    let taken = take(&rooms(), UID, &job(body), &mut person);
    drop(person);
    client.join().unwrap();
    taken
}

/// Takes what is lent, fills it and says so.
fn fill(socket: &mut UnixStream, body: &[u8]) {
    let (said, mut file) = received(socket);
    file.write_all(body).unwrap();
    socket.write_all(&said).unwrap();
}

/// Sends `bytes` with a descriptor beside them, and says at which end of a pipe to see what becomes of it.
fn send_with_a_descriptor(socket: &UnixStream, bytes: &[u8]) -> PipeReader {
    let (reader, writer) = pipe().unwrap();
    let numbers = [writer.as_raw_fd(); 3];
    let beside = [ControlMessage::ScmRights(&numbers)];
    let sent =
        sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], &beside, MsgFlags::empty(), None).unwrap();
    assert_eq!(sent, bytes.len());
    reader
}

/// A pipe ends when nobody has its other end.
fn assert_nobody_has(mut pipe: PipeReader) {
    assert_eq!(pipe.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_body_in_the_request_is_taken_as_ever() {
    let held = taken(JobBody::Here(Binary(b"{}".to_vec())), drop).unwrap();
    assert_eq!(held.body, Some(Binary(b"{}".to_vec())));
}

#[test]
fn a_body_of_one_mebibyte_is_taken_whole() {
    let body: Vec<u8> = (0..limits::JOB_BODY).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let sent = body.clone();
    let held = taken(JobBody::Beside(1_048_576), move |mut socket| fill(&mut socket, &sent)).unwrap();
    assert!(held.body == Some(Binary(body)));
}

#[test]
fn one_byte_more_is_refused_with_the_limit_named_and_nothing_is_lent() {
    for announced in [1_048_577, u64::MAX] {
        let refused = taken(JobBody::Beside(announced), |mut socket| {
            assert_eq!(socket.read(&mut [0]).unwrap(), 0, "closed, and nothing was sent");
        });
        let trouble = refused.err().unwrap();
        assert_eq!(trouble.kind, ProblemKind::Usage);
        let said = format!("The body has {announced} bytes; at most 1048576 are taken.");
        assert!(trouble.message.starts_with(&said), "{trouble}");
    }
}

#[test]
fn another_answer_than_that_it_is_filled_ends_the_request() {
    let length = 4_u64.to_be_bytes();
    for answer in [
        frame(FrameKind::Json, br#"{"answer":"cancel"}"#),
        frame(FrameKind::Json, br#"{"request":"status"}"#),
        frame(FrameKind::Secret, b"123456"),
        frame(FrameKind::Body, &5_u64.to_be_bytes()),
        [&[1, 9, 0, 0, 0, 8], length.as_slice()].concat(),
        [&[9, 3, 0, 0, 0, 8], length.as_slice()].concat(),
    ] {
        let refused = taken(JobBody::Beside(4), move |mut socket| {
            received(&socket);
            socket.write_all(&answer).unwrap();
        });
        let trouble = refused.err().unwrap();
        assert_eq!(trouble.kind, ProblemKind::Usage, "{trouble}");
        assert!(trouble.message.contains("did not come as it was announced"), "{trouble}");
    }
}

#[test]
fn whoever_closes_or_stops_in_the_middle_has_cancelled() {
    for begun in [0, 1, 13] {
        let refused = taken(JobBody::Beside(4), move |mut socket| {
            let (said, _file) = received(&socket);
            socket.write_all(&said[..begun]).unwrap();
        });
        assert_eq!(refused.err().unwrap().kind, ProblemKind::Cancelled);
    }
}

#[test]
fn who_takes_their_time_is_not_waited_for_beyond_the_deadline_of_the_request() {
    let (mut person, mut socket) = conversation();
    let deadline = Instant::now() + Duration::from_millis(300);
    person.set_deadline(deadline);
    // A byte now and then gains nothing.
    let client = thread::spawn(move || {
        let (said, _file) = received(&socket);
        said.iter()
            .take_while(|byte| {
                thread::sleep(Duration::from_millis(50));
                socket.write_all(&[**byte]).is_ok()
            })
            .count()
    });
    let refused = take(&rooms(), UID, &job(JobBody::Beside(4)), &mut person);
    assert!(refused.err().unwrap().message.contains("not there within"));
    assert!(deadline.elapsed() < Duration::from_secs(2));
    drop(person);
    client.join().unwrap();
}

#[test]
fn the_time_for_a_body_is_not_that_of_the_whole_request() {
    let (mut person, socket) = conversation();
    let (begun, until) = (Instant::now(), person.deadline());
    let refused = take(&rooms(), UID, &job(JobBody::Beside(4)), &mut person);
    assert!(refused.err().unwrap().message.contains("not there within 5 s"));
    assert!(begun.elapsed() < FIRST_WORD + Duration::from_secs(2));
    assert_eq!(person.deadline(), until, "and the rest of it is as it was");
    drop(socket);
}

#[test]
fn one_user_cannot_fill_the_memory() {
    let rooms = rooms();
    let mut held: Vec<Held> = (0..limits::BODIES_PER_UID)
        .map(|_| {
            let (mut person, mut socket) = conversation();
            let client = thread::spawn(move || fill(&mut socket, b"json"));
            let held = take(&rooms, UID, &job(JobBody::Beside(4)), &mut person);
            client.join().unwrap();
            held.ok().unwrap()
        })
        .collect();
    let (mut person, mut socket) = conversation();
    let refused = take(&rooms, UID, &job(JobBody::Beside(4)), &mut person);
    assert_eq!(refused.err().unwrap().kind, ProblemKind::Busy);
    drop(person);
    assert_eq!(socket.read(&mut [0]).unwrap(), 0, "nothing was lent");

    held.pop();
    let (mut person, mut socket) = conversation();
    let client = thread::spawn(move || fill(&mut socket, b"json"));
    assert!(take(&rooms, UID, &job(JobBody::Beside(4)), &mut person).is_ok(), "there is room again");
    client.join().unwrap();
}

#[test]
fn a_descriptor_that_comes_beside_any_frame_is_dropped_unopened() {
    let (mut person, mut socket) = conversation();
    let ask = job(JobBody::Beside(4));
    let request = serde_json::to_vec(&Request::Job(ask.clone())).unwrap();
    let beside_request = send_with_a_descriptor(&socket, &frame(FrameKind::Json, &request));
    assert!(matches!(person.request(), Ok(Request::Job(read)) if read == ask));
    assert_nobody_has(beside_request);

    let client = thread::spawn(move || {
        let (said, mut file) = received(&socket);
        file.write_all(b"json").unwrap();
        let beside_body = send_with_a_descriptor(&socket, &said);
        assert_nobody_has(beside_body);
        let beside_pin = send_with_a_descriptor(&socket, &frame(FrameKind::Secret, b"123456"));
        assert_nobody_has(beside_pin);
        let (beside_nothing, before) = (send_with_a_descriptor(&socket, b"x"), Instant::now());
        // Whatever is never read goes with the connection.
        assert!(socket.read_to_end(&mut Vec::new()).is_err(), "a close with unread bytes");
        assert_nobody_has(beside_nothing);
        assert!(before.elapsed() < Duration::from_secs(10));
    });
    let held = take(&rooms(), UID, &ask, &mut person).ok().unwrap();
    assert_eq!(held.body, Some(Binary(b"json".to_vec())));
    assert_eq!(person.ask_hidden("PIN: ").unwrap().as_slice(), b"123456");
    thread::sleep(Duration::from_millis(50));
    drop(person);
    client.join().unwrap();
}
