use std::io::{Read as _, Write as _};
use std::sync::Mutex;

use countersign_protocol::ids::CorrelationId;
use countersign_protocol::ipc::{FrameKind, Problem, ProblemKind, Reply, read_frame, write_frame};
use countersign_protocol::random::SystemRandom;

use super::*;

/// Answers `Status` and remembers why connections were closed.
#[derive(Default)]
struct Recorder {
    closed: Mutex<Vec<String>>,
    hold: Option<Mutex<std::sync::mpsc::Receiver<()>>>,
}

fn problem(kind: ProblemKind) -> Reply {
    let correlation = CorrelationId::new(&SystemRandom).unwrap();
    Reply::Failed(Problem { kind, message: "said".to_owned(), correlation })
}

impl Service for Recorder {
    fn serve(&self, _: Door, _: &Peer, request: Request, person: &mut Person) {
        assert!(matches!(request, Request::Status | Request::CardList));
        if matches!(request, Request::CardList) {
            panic!("a bug in one request");
        }
        if let Some(hold) = &self.hold {
            let _ = hold.lock().unwrap().recv();
        }
        person.tell(&problem(ProblemKind::Usage)).unwrap();
    }
    fn turn_away(&self, _: &Request, person: &mut Person) {
        person.tell(&problem(ProblemKind::Busy)).unwrap();
    }
    fn closed(&self, _: Door, _: Option<&Peer>, why: &str) {
        self.closed.lock().unwrap().push(why.to_owned());
    }
}

struct Agent {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
    service: Arc<Recorder>,
}

fn agent(service: Recorder) -> Agent {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("user.sock");
    let listener = bind(&path, 0o666).unwrap();
    let service = Arc::new(service);
    let shared: Arc<dyn Service> = Arc::clone(&service) as Arc<dyn Service>;
    std::thread::spawn(move || run(&listener, Door::User, &shared));
    Agent { _folder: folder, path, service }
}

impl Agent {
    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// Sends raw bytes, shuts the sending side if asked, and returns what came back until the close.
    fn exchange(&self, bytes: &[u8], end: bool) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        if end {
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let mut back = Vec::new();
        // A close with our bytes unread shows as a reset: also a close.
        let _ = stream.read_to_end(&mut back);
        back
    }

    fn why(&self) -> String {
        for _ in 0..200 {
            if let Some(why) = self.service.closed.lock().unwrap().pop() {
                return why;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the connection was not closed for cause");
    }
}

fn frame(kind: FrameKind, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, kind, body).unwrap();
    bytes
}

fn status() -> Vec<u8> {
    frame(FrameKind::Json, br#"{"request":"status"}"#)
}

fn is_reply(stream: &mut UnixStream, kind: ProblemKind) -> bool {
    let body = read_frame(stream).unwrap().body;
    matches!(serde_json::from_slice(&body).unwrap(), Reply::Failed(problem) if problem.kind == kind)
}

#[test]
fn a_known_request_is_served() {
    let agent = agent(Recorder::default());
    let mut stream = agent.connect();
    stream.write_all(&status()).unwrap();
    assert!(is_reply(&mut stream, ProblemKind::Usage));
}

#[test]
fn what_is_not_a_request_closes_the_connection_without_a_word() {
    let agent = agent(Recorder::default());
    let mut oversize = vec![1, 1];
    oversize.extend_from_slice(&(64 * 1024 + 1_u32).to_be_bytes());
    let mut another_version = status();
    another_version[0] = 9;
    for (what, bytes, end, why) in [
        ("oversize", oversize, false, "at most 65536"),
        ("truncated", status()[..10].to_vec(), true, "middle of a frame"),
        ("empty", Vec::new(), true, "closed the connection"),
        ("version", another_version, false, "protocol version 9"),
        ("kind", vec![1, 77, 0, 0, 0, 0], false, "unknown frame kind 77"),
        ("secret first", frame(FrameKind::Secret, b"123456"), false, "a request is JSON"),
        ("unknown request", frame(FrameKind::Json, br#"{"request":"reboot"}"#), false, "unknown variant"),
        (
            "unknown field",
            frame(FrameKind::Json, br#"{"request":"job","operation":"read","resource":"a/b","as":"root"}"#),
            false,
            "unknown field",
        ),
        ("trailing garbage", frame(FrameKind::Json, br#"{"request":"status"} x"#), false, "trailing"),
        (
            "newline in a name",
            frame(FrameKind::Json, br#"{"request":"account","login":"a\nb","service":"x","nonce":"00"}"#),
            false,
            "login name",
        ),
    ] {
        assert_eq!(agent.exchange(&bytes, end), Vec::<u8>::new(), "{what}");
        let told = agent.why();
        assert!(told.contains(why), "{what}: {told}");
    }
}

#[test]
fn a_panic_in_one_connection_ends_only_that_one() {
    let agent = agent(Recorder::default());
    assert!(agent.exchange(&frame(FrameKind::Json, br#"{"request":"card-list"}"#), false).is_empty());
    assert!(agent.why().contains("internal error"));
    let mut stream = agent.connect();
    stream.write_all(&status()).unwrap();
    assert!(is_reply(&mut stream, ProblemKind::Usage));
}

#[test]
fn one_user_too_many_is_told_busy_and_not_that_the_agent_is_down() {
    let (release, hold) = std::sync::mpsc::channel();
    let agent = agent(Recorder { hold: Some(Mutex::new(hold)), ..Recorder::default() });
    let mut inside: Vec<UnixStream> = (0..ceilings::CONNECTIONS_PER_UID)
        .map(|_| {
            let mut stream = agent.connect();
            stream.write_all(&status()).unwrap();
            stream
        })
        .collect();
    let mut one_more = agent.connect();
    one_more.write_all(&status()).unwrap();
    assert!(is_reply(&mut one_more, ProblemKind::Busy));
    for _ in 0..inside.len() {
        release.send(()).unwrap();
    }
    for stream in &mut inside {
        assert!(is_reply(stream, ProblemKind::Usage));
    }
}

#[test]
fn a_second_agent_does_not_take_the_socket_away() {
    let agent = agent(Recorder::default());
    assert!(bind(&agent.path, 0o666).unwrap_err().to_string().contains("another countersignd"));
}

#[test]
fn a_socket_left_behind_is_replaced_and_has_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pam.sock");
    drop(bind(&path, 0o600).unwrap());
    let _again = bind(&path, 0o600).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
