//! A peer on a Unix socket that says what a test wants, right or wrong.

use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use countersign_protocol::ids::{Digest, Nonce};
use countersign_protocol::ipc::{
    Denial, DenyReason, FrameKind, Grant, Noted, Reply, Request, read_frame, write_frame,
};

/// Takes calls until it is dropped, one after the other.
pub(crate) struct Peer {
    path: PathBuf,
    calls: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Listens on `path`; each call is one run of `script`.
    pub(crate) fn listen(path: &Path, script: impl Fn(UnixStream) + Send + 'static) -> Self {
        Self::serve(path, UnixListener::bind(path).unwrap(), script)
    }

    pub(crate) fn serve(
        path: &Path,
        listener: UnixListener,
        script: impl Fn(UnixStream) + Send + 'static,
    ) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (counted, stopped) = (calls.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                counted.fetch_add(1, Ordering::SeqCst);
                script(stream.unwrap());
            }
        });
        Self { path: path.into(), calls, stop, thread: Some(thread) }
    }

    /// How many calls it took.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(UnixStream::connect(&self.path));
        if let Some(thread) = self.thread.take() {
            let outcome = thread.join();
            if !std::thread::panicking() {
                outcome.expect("the peer's script held");
            }
        }
    }
}

pub(crate) fn request(stream: &mut UnixStream) -> Request {
    let frame = read_frame(stream).unwrap();
    assert_eq!(frame.kind, FrameKind::Json);
    serde_json::from_slice(&frame.body).unwrap()
}

pub(crate) fn nonce(request: &Request) -> Nonce {
    match request {
        Request::Authenticate(ask) => ask.nonce,
        Request::Account(ask) => ask.nonce,
        Request::PinCheck(ask) | Request::PinChange(ask) => ask.nonce,
        // They grant nothing, and have none.
        Request::SessionOpened(_) | Request::SessionClosed(_) => Nonce::from_bytes([0; 32]),
        _ => panic!("the module asks nothing else"),
    }
}

pub(crate) fn reply(stream: &mut UnixStream, reply: &Reply) {
    write_frame(stream, FrameKind::Json, &serde_json::to_vec(reply).unwrap()).unwrap();
}

/// Bytes that need not be a frame. The module may have hung up already.
pub(crate) fn raw(stream: &mut UnixStream, bytes: &[u8]) {
    drop(stream.write_all(bytes));
}

pub(crate) fn grant(nonce: Nonce) -> Reply {
    Reply::Granted(Grant {
        nonce,
        account: Some("ana".parse().unwrap()),
        ledger_index: Some(7),
        journal_index: None,
        statement: Some(Digest::of(b"statement")),
        correlation: "7K3M-Q2ZD".parse().unwrap(),
    })
}

pub(crate) fn account_grant(nonce: Nonce) -> Reply {
    Reply::Granted(Grant {
        nonce,
        account: None,
        ledger_index: None,
        journal_index: None,
        statement: None,
        correlation: "7K3M-Q2ZD".parse().unwrap(),
    })
}

/// The session is written down under this id.
pub(crate) fn noted(correlation: &str) -> Reply {
    Reply::Noted(Noted { correlation: correlation.parse().unwrap() })
}

pub(crate) fn denial(reason: DenyReason, message: &str) -> Reply {
    Reply::Denied(Denial { reason, message: message.into(), correlation: "7K3M-Q2ZD".parse().unwrap() })
}

/// Grants whatever is asked, as each request wants it.
pub(crate) fn grants(mut stream: UnixStream) {
    let asked = request(&mut stream);
    let answer = match asked {
        Request::Account(_) | Request::PinCheck(_) | Request::PinChange(_) => account_grant(nonce(&asked)),
        Request::SessionOpened(_) | Request::SessionClosed(_) => noted("8K3M-Q2ZD"),
        _ => grant(nonce(&asked)),
    };
    reply(&mut stream, &answer);
}

/// Denies whatever is asked.
pub(crate) fn denies(reason: DenyReason) -> impl Fn(UnixStream) + Send + 'static {
    move |mut stream| {
        request(&mut stream);
        reply(&mut stream, &denial(reason, "Something happened; do something."));
    }
}
