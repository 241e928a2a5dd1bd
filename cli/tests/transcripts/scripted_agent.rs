//! A peer on a socket that says what a test wants said, in real frames. The agent itself is tested with the
//! whole machine.

use std::fs::File;
use std::io::{IoSlice, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use countersign_protocol::ipc::{FrameKind, JobDone, Reply, read_frame, write_frame};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

/// A socket in a folder of its own, and the conversation behind it.
pub(crate) struct ScriptedAgent<R> {
    folder: tempfile::TempDir,
    conversation: JoinHandle<R>,
}

impl<R: Send + 'static> ScriptedAgent<Vec<R>> {
    /// Takes `calls` calls and holds `conversation` on each.
    pub(crate) fn taking(
        calls: usize,
        mut conversation: impl FnMut(usize, &mut UnixStream) -> R + Send + 'static,
    ) -> Self {
        Self::listening(move |listener| {
            let calls = (0..calls).map(|call| conversation(call, &mut listener.accept().unwrap().0));
            calls.collect()
        })
    }
}

impl<R: Send + 'static> ScriptedAgent<R> {
    /// Takes one call and holds `conversation` on it.
    pub(crate) fn new(conversation: impl FnOnce(&mut UnixStream) -> R + Send + 'static) -> Self {
        Self::listening(|listener| conversation(&mut listener.accept().unwrap().0))
    }

    fn listening(script: impl FnOnce(UnixListener) -> R + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("user.sock")).unwrap();
        let conversation = std::thread::spawn(move || script(listener));
        Self { folder, conversation }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("user.sock")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the conversation came to.
    pub(crate) fn end(self) -> R {
        self.conversation.join().unwrap()
    }
}

/// The next frame, as text.
pub(crate) fn hear(stream: &mut UnixStream) -> (FrameKind, String) {
    let frame = read_frame(stream).unwrap();
    (frame.kind, String::from_utf8(frame.body.to_vec()).unwrap())
}

/// Says `reply`.
pub(crate) fn say(stream: &mut UnixStream, reply: &Reply) {
    write_frame(stream, FrameKind::Json, &serde_json::to_vec(reply).unwrap()).unwrap();
}

/// Says that a job was allowed, with `result` as a sealed memfd beside its frame.
pub(crate) fn say_done(stream: &mut UnixStream, result: &impl serde::Serialize) {
    let done = JobDone {
        allowed: true,
        reason: "Policy permits it.".to_owned(),
        ledger_index: 41,
        correlation: "7K3M-Q2ZD".parse().unwrap(),
        has_result: true,
        job: None,
        dry_run: None,
        waiting: None,
    };
    say(stream, &Reply::JobDone(done));
    say_beside(stream, result);
}

/// Sends `result` as a sealed memfd beside a frame that announces it.
pub(crate) fn say_beside(stream: &mut UnixStream, result: &impl serde::Serialize) {
    let json = serde_json::to_vec(result).unwrap();
    let mut body = File::from(memfd_create(c"result", MFdFlags::MFD_ALLOW_SEALING).unwrap());
    body.write_all(&json).unwrap();
    let seals = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW;
    fcntl(&body, FcntlArg::F_ADD_SEALS(seals)).unwrap();
    pass(stream, &body, json.len());
}

/// Lends memory of `length` bytes beside a frame that announces it.
pub(crate) fn lend(stream: &UnixStream, length: usize) -> File {
    let memory = File::from(memfd_create(c"body", MFdFlags::MFD_ALLOW_SEALING).unwrap());
    memory.set_len(u64::try_from(length).unwrap()).unwrap();
    pass(stream, &memory, length);
    memory
}

fn pass(stream: &UnixStream, memory: &File, length: usize) {
    let mut frame = vec![1, 3, 0, 0, 0, 8];
    frame.extend_from_slice(&u64::try_from(length).unwrap().to_be_bytes());
    let rights = [memory.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&rights)];
    sendmsg::<()>(stream.as_raw_fd(), &[IoSlice::new(&frame)], &rights, MsgFlags::empty(), None).unwrap();
}

/// Waits until the other side hangs up.
pub(crate) fn hung_up(stream: &mut UnixStream) -> bool {
    stream.read(&mut [0]).unwrap() == 0
}
