//! One connection to the agent, under one deadline.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use countersign_protocol::ipc::{Client, ClientError, Conversation, LoginReply, LoginRequest};
use countersign_protocol::limits;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket, sockopt::PeerCredentials,
};

/// How long the module waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For the agent to take the call.
    pub(crate) connect: Duration,
    /// For the whole conversation, the person's time included.
    pub(crate) login: Duration,
}

impl Patience {
    /// For what nobody waits for gladly and nothing hangs on.
    pub(crate) const FOR_A_NOTE: Self =
        Self { connect: limits::SESSION_NOTE_CONNECT, login: limits::SESSION_NOTE };
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: limits::AGENT_CONNECT, login: limits::LOGIN }
    }
}

/// Why there is no last word of the agent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// Nobody listens. This alone is "agent down"; everything below is an agent that misbehaves.
    #[error("nobody listens on {socket}: {source}")]
    Down {
        /// Where it should.
        socket: PathBuf,
        /// What the kernel said last.
        source: io::Error,
    },
    /// Somebody may listen, but the call did not get through: backlog full, no permission, not a socket.
    #[error("the call to {socket} did not get through: {source}")]
    NoConnection {
        /// Where the call went.
        socket: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Somebody who is not root took the call.
    #[error("user id {uid} listens on {socket}, where only root's agent may")]
    NotRoot {
        /// Where.
        socket: PathBuf,
        /// Who.
        uid: u32,
    },
    /// The connection could not be set up.
    #[error("the connection could not be set up: {0}")]
    Setup(#[from] io::Error),
    /// The conversation broke.
    #[error(transparent)]
    Conversation(#[from] ClientError),
}

/// Asks the agent behind `socket` and returns its last word.
///
/// # Errors
/// [`CallError`]; only [`CallError::Down`] means that no agent runs.
pub(crate) fn call(
    socket: &Path,
    request: &LoginRequest,
    person: &mut dyn Conversation,
    patience: Patience,
) -> Result<LoginReply, CallError> {
    let begun = Instant::now();
    let stream = reach(socket, begun + patience.connect)?;
    let stream = Deadlined { stream, ends: begun + patience.login };
    Ok(Client::new(stream).ask_login(request, person)?)
}

/// Connects, patient only with an agent that is just starting.
fn reach(socket: &Path, until: Instant) -> Result<UnixStream, CallError> {
    loop {
        let source = match dial(socket, until)? {
            Ok(stream) => return checked_peer(stream, socket),
            Err(source) => source,
        };
        // Through io::Error, because nix carries its own sentences for every errno.
        let absent = matches!(source, Errno::ECONNREFUSED | Errno::ENOENT);
        if !absent {
            return Err(CallError::NoConnection { socket: socket.into(), source: source.into() });
        }
        if Instant::now() + RETRY >= until {
            return Err(CallError::Down { socket: socket.into(), source: source.into() });
        }
        sleep(RETRY);
    }
}

/// One `connect(2)`. It blocks while the backlog is full, for which the send timeout is its limit.
fn dial(path: &Path, until: Instant) -> io::Result<Result<UnixStream, Errno>> {
    let fd: OwnedFd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let stream = UnixStream::from(fd);
    // On a busy host the time may be up before the last try: it is made all the same, and says whether an agent runs.
    stream.set_write_timeout(Some(until.saturating_duration_since(Instant::now()).max(RETRY)))?;
    loop {
        match UnixAddr::new(path).and_then(|address| connect(stream.as_raw_fd(), &address)) {
            Err(Errno::EINTR) if Instant::now() < until => {}
            other => return Ok(other.map(|()| stream)),
        }
    }
}

/// The agent runs as root; under socket activation the kernel names systemd, which is root too.
fn checked_peer(stream: UnixStream, socket: &Path) -> Result<UnixStream, CallError> {
    let peer = getsockopt(&stream, PeerCredentials).map_err(io::Error::from)?;
    if peer.uid() == 0 {
        Ok(stream)
    } else {
        Err(CallError::NotRoot { socket: socket.into(), uid: peer.uid() })
    }
}

/// A stream whose every read and write ends by the same moment.
struct Deadlined {
    stream: UnixStream,
    ends: Instant,
}

impl Read for Deadlined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.ends)?))?;
        self.stream.read(buffer)
    }
}

impl Write for Deadlined {
    /// The standard library sends with `MSG_NOSIGNAL`: an agent that hangs up must not kill the program that
    /// called PAM by SIGPIPE.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.ends)?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Time left, never zero, which would mean "for ever" to the kernel.
fn left(until: Instant) -> io::Result<Duration> {
    match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

const RETRY: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use countersign_protocol::ids::Nonce;
    use countersign_protocol::ipc::{Account, FrameError, NoteKind};
    use secrecy::SecretString;

    use super::*;

    struct Nobody;

    impl Conversation for Nobody {
        fn note(&mut self, _: NoteKind, _: &str) {}
        fn hidden(&mut self, _: &str) -> Option<SecretString> {
            None
        }
        fn shown(&mut self, _: &str) -> Option<String> {
            None
        }
    }

    fn ask(socket: &Path) -> (Result<LoginReply, CallError>, Duration) {
        let request = LoginRequest::Account(Account {
            login: "ana".parse().unwrap(),
            service: "cron".parse().unwrap(),
            nonce: Nonce::from_bytes([1; 32]),
        });
        let patience = Patience { connect: Duration::from_millis(200), login: Duration::from_millis(400) };
        let begun = Instant::now();
        (call(socket, &request, &mut Nobody, patience), begun.elapsed())
    }

    #[test]
    fn an_agent_that_is_down_is_down_also_when_the_time_is_up() {
        let folder = tempfile::tempdir().unwrap();
        let late = reach(&folder.path().join("none"), Instant::now());
        assert!(matches!(late, Err(CallError::Down { .. })), "{late:?}");
    }

    #[test]
    fn an_agent_that_hangs_is_given_up_at_the_deadline_and_is_not_down() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("pam.sock");
        let _listener = UnixListener::bind(&socket).unwrap();
        let (reply, took) = ask(&socket);
        assert!(
            matches!(reply, Err(CallError::Conversation(ClientError::Frame(FrameError::TimedOut)))),
            "{reply:?}"
        );
        assert!((Duration::from_millis(400)..Duration::from_secs(2)).contains(&took), "{took:?}");
    }

    #[test]
    fn an_agent_that_drips_is_given_up_at_the_same_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("pam.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let dripping = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // A frame of 65536 bytes, one byte at a time: every single read is answered in time.
            for byte in [1, 1, 0, 1, 0, 0].into_iter().chain(std::iter::repeat(b' ')) {
                if stream.write_all(&[byte]).is_err() {
                    break;
                }
                sleep(Duration::from_millis(10));
            }
        });
        let (reply, took) = ask(&socket);
        assert!(
            matches!(reply, Err(CallError::Conversation(ClientError::Frame(FrameError::TimedOut)))),
            "{reply:?}"
        );
        assert!(took < Duration::from_secs(2), "{took:?}");
        dripping.join().unwrap();
    }

    #[test]
    fn no_socket_and_nobody_behind_it_are_both_down() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("pam.sock");
        assert!(matches!(ask(&socket).0, Err(CallError::Down { .. })));
        drop(UnixListener::bind(&socket).unwrap());
        assert!(matches!(ask(&socket).0, Err(CallError::Down { .. })));
    }

    #[test]
    fn what_is_in_the_way_is_not_down() {
        let folder = tempfile::tempdir().unwrap();
        let too_long = folder.path().join("x".repeat(200));
        assert!(matches!(ask(&too_long).0, Err(CallError::NoConnection { .. })));
        let loops = folder.path().join("loop");
        std::os::unix::fs::symlink(&loops, &loops).unwrap();
        assert!(matches!(ask(&loops).0, Err(CallError::NoConnection { .. })));
    }
}
