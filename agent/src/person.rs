//! The agent's side of one connection: what it tells, what it asks, and noticing that nobody is there.

use std::io::{self, Read, Write};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use countersign_protocol::ipc::{
    Answer, FrameError, FrameKind, NoteKind, Prompt, PromptKind, Reply, Request, read_frame, write_frame,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use zeroize::Zeroizing;

use crate::body::Lent;
use crate::card::Waiting;
use crate::listener::FIRST_WORD;

/// Why a question has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    /// The person gave up, or the program closed the connection.
    #[error("cancelled")]
    Cancelled,
    /// The overall deadline passed.
    #[error("no answer in time")]
    TimedOut,
}

/// One connected program and the person behind it.
pub struct Person {
    stream: Timed,
}

impl Person {
    /// Over a connected socket. Everything, the person's time to type included, ends at `deadline`.
    #[must_use]
    pub const fn new(stream: UnixStream, deadline: Instant) -> Self {
        Self { stream: Timed { stream, deadline } }
    }

    /// When this connection ends at the latest.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.stream.deadline
    }

    /// Moves the end, once it is known what is asked.
    pub const fn set_deadline(&mut self, deadline: Instant) {
        self.stream.deadline = deadline;
    }

    /// The first frame.
    ///
    /// # Errors
    /// [`FrameError`]; then the connection is closed without a word.
    pub fn request(&mut self) -> Result<Request, FrameError> {
        let frame = read_frame(&mut self.stream)?;
        if frame.kind != FrameKind::Json {
            return Err(FrameError::Malformed("a request is JSON".to_owned()));
        }
        serde_json::from_slice(&frame.body).map_err(|error| FrameError::Malformed(error.to_string()))
    }

    /// A body of `length` bytes, for which memory is lent. All of it is there within [`FIRST_WORD`], or it is not taken.
    ///
    /// # Errors
    /// [`FrameError`]; after any of them the connection must be dropped.
    pub fn body(&mut self, length: usize) -> Result<Vec<u8>, FrameError> {
        let until = self.stream.deadline;
        self.stream.deadline = until.min(Instant::now() + FIRST_WORD);
        let taken = self.filled(length);
        self.stream.deadline = until;
        taken
    }

    fn filled(&mut self, length: usize) -> Result<Vec<u8>, FrameError> {
        self.stream.stream.set_write_timeout(Some(self.stream.left()?))?;
        let lent = Lent::to(&self.stream.stream, length)?;
        let answer = read_frame(&mut self.stream)?;
        lent.take_back(&answer)
    }

    /// Shows a note. Nobody there to see it is noticed at the next question.
    pub fn note(&mut self, kind: NoteKind, text: &str) {
        let _ = self.tell(&Reply::Note { kind, text: text.to_owned() });
    }

    /// Asks with echo.
    ///
    /// # Errors
    /// [`Gone`].
    pub fn ask_shown(&mut self, text: &str) -> Result<String, Gone> {
        self.ask(PromptKind::Shown, text)?;
        let frame = read_frame(&mut self.stream).map_err(gone)?;
        if frame.kind != FrameKind::Json {
            return Err(Gone::Cancelled);
        }
        match serde_json::from_slice(&frame.body) {
            Ok(Answer::Text { text }) => Ok(text),
            Ok(Answer::Cancel) | Err(_) => Err(Gone::Cancelled),
        }
    }

    /// Asks without echo. The answer is wiped when it goes.
    ///
    /// # Errors
    /// [`Gone`]; also for an answer that is not UTF-8.
    pub fn ask_hidden(&mut self, text: &str) -> Result<Zeroizing<Vec<u8>>, Gone> {
        self.ask(PromptKind::Hidden, text)?;
        let frame = read_frame(&mut self.stream).map_err(gone)?;
        // Only a secret frame answers: a missing answer is a cancellation, never an empty PIN.
        if frame.kind == FrameKind::Secret { Ok(frame.body) } else { Err(Gone::Cancelled) }
    }

    /// The same where Enter alone is an answer, too: `None`. The module says that with its word for having given up,
    /// which is all that an empty line can mean to it.
    ///
    /// # Errors
    /// [`Gone`]; also for an answer that is not UTF-8.
    pub fn ask_hidden_or_enter(&mut self, text: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Gone> {
        self.ask(PromptKind::Hidden, text)?;
        let frame = read_frame(&mut self.stream).map_err(gone)?;
        match frame.kind {
            FrameKind::Secret if frame.body.is_empty() => Ok(None),
            FrameKind::Secret => Ok(Some(frame.body)),
            FrameKind::Json => match serde_json::from_slice(&frame.body) {
                Ok(Answer::Cancel) => Ok(None),
                Ok(Answer::Text { .. }) | Err(_) => Err(Gone::Cancelled),
            },
            FrameKind::Body => Err(Gone::Cancelled),
        }
    }

    /// The last word.
    ///
    /// # Errors
    /// [`FrameError`]: nobody heard it.
    pub fn tell(&mut self, reply: &Reply) -> Result<(), FrameError> {
        let body = serde_json::to_vec(reply).map_err(|error| FrameError::Malformed(error.to_string()))?;
        write_frame(&mut self.stream, FrameKind::Json, &body)
    }

    /// Whether the program closed the connection or spoke out of turn, while nothing was asked.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        // The end of the stream is readable too.
        let mut fds = [PollFd::new(self.stream.stream.as_fd(), PollFlags::POLLIN)];
        Instant::now() >= self.deadline() || poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// The socket, for a body that goes beside the frames.
    #[must_use]
    pub const fn socket(&self) -> &UnixStream {
        &self.stream.stream
    }

    fn ask(&mut self, kind: PromptKind, text: &str) -> Result<(), Gone> {
        self.tell(&Reply::Prompt(Prompt { kind, text: text.to_owned() })).map_err(gone)
    }
}

impl Waiting for Person {
    fn deadline(&self) -> Instant {
        self.deadline()
    }

    fn is_cancelled(&self) -> bool {
        self.is_gone()
    }

    fn note(&mut self, text: &str) {
        self.note(NoteKind::Info, text);
    }
}

fn gone(error: FrameError) -> Gone {
    if matches!(error, FrameError::TimedOut) { Gone::TimedOut } else { Gone::Cancelled }
}

/// A socket whose every call ends at one deadline: whoever sends a byte a second gains nothing.
struct Timed {
    stream: UnixStream,
    deadline: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
