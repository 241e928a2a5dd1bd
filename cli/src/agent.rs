//! The connection to the agent.

mod body;

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use countersign_protocol::ipc::{Client, ClientError, FrameError, Problem, ProblemKind, Reply, Request};
use countersign_protocol::limits;
use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr, sockopt};
use nix::sys::time::TimeVal;
use zeroize::Zeroizing;

use self::body::BodyError;
use crate::args::Global;
use crate::failure::{Failure, Kind, LocalKind};
use crate::terminal::Terminal;

/// Longest silence of an agent that works: it bounds its own waiting, this is for one that died on its feet.
const SILENCE: Duration = limits::LOGIN.saturating_add(Duration::from_secs(15));

/// The same while a card generates its three keys.
const KEY_GENERATION: Duration = limits::CARD_KEY_GENERATION.saturating_mul(3).saturating_add(SILENCE);

/// The agent's last word, and the body that came with it.
pub(crate) struct Answered {
    pub(crate) reply: Reply,
    pub(crate) body: Option<Zeroizing<Vec<u8>>>,
}

/// Asks the agent for oneself, and answers its questions at the terminal.
pub(crate) fn ask(global: &Global, request: &Request) -> Result<Answered, Failure> {
    ask_at(global.user_socket(), global, request)
}

/// The same of a request whose body goes beside it.
pub(crate) fn ask_with(global: &Global, request: &Request, body: &[u8]) -> Result<Answered, Failure> {
    converse(global.user_socket(), global, request, Some(body))
}

/// Asks the agent at `socket`.
pub(crate) fn ask_at(socket: &Path, global: &Global, request: &Request) -> Result<Answered, Failure> {
    converse(socket, global, request, None)
}

fn converse(
    socket: &Path,
    global: &Global,
    request: &Request,
    beside: Option<&[u8]>,
) -> Result<Answered, Failure> {
    let harmless = match request {
        Request::Job(job) => job.dry_run || job.operation.as_str() == "read",
        Request::Status | Request::CardList | Request::CardShow(_) => true,
        _ => false,
    };
    if global.dry_run && !harmless {
        let message = "this step is decided by no server, so that it cannot be tried: it has no --dry-run";
        return Err(Failure::usage(message).then("Nothing was changed."));
    }
    let silence = match request {
        Request::Enroll(_)
        | Request::RotateKey(_)
        | Request::ReplaceHost(_)
        | Request::Register(_)
        | Request::Recover(_)
        | Request::CardInit(_)
        | Request::CardGenerate(_) => KEY_GENERATION,
        _ => SILENCE,
    };
    let stream = connect(socket)?;
    stream
        .set_read_timeout(Some(silence))
        .and_then(|()| stream.set_write_timeout(Some(SILENCE)))
        .map_err(|error| unreachable_agent(socket, &error))?;
    let mut terminal = Terminal::new(global.answers_from_stdin);
    let mut client = Client::new(stream);
    client.say(request).map_err(|error| broken(error, false))?;
    let refused = match beside {
        Some(body) => body::give(client.stream(), body).map_err(not_given)?,
        None => None,
    };
    let asked = match refused {
        Some(last) => Ok(last),
        None => client.hear(&mut terminal),
    };
    if let Some(failure) = terminal.take_failure() {
        return Err(failure);
    }
    match asked.map_err(|error| broken(error, terminal.was_used()))? {
        Reply::Denied(denial) => Err(denial.into()),
        Reply::Failed(problem) => Err(explained(problem, socket)),
        reply => {
            let follows = match &reply {
                Reply::JobDone(done) => done.has_result,
                Reply::Journal(_) => true,
                _ => false,
            };
            let body = if follows { Some(body::receive(client.stream())?) } else { None };
            Ok(Answered { reply, body })
        }
    }
}

/// A reply that does not answer what was asked.
pub(crate) fn unexpected(_reply: &Reply) -> Failure {
    Failure::local(LocalKind::AgentProtocol, "the agent answered another question than the one asked")
        .then("Install agent and command line of one release, and restart the agent.")
}

fn explained(problem: Problem, socket: &Path) -> Failure {
    let next = (problem.kind == ProblemKind::Busy)
        .then(|| format!("The agent behind {} is at work; wait a moment and try again.", socket.display()));
    Failure { next, ..problem.into() }
}

fn connect(path: &Path) -> Result<UnixStream, Failure> {
    let address = UnixAddr::new(path).map_err(|_| {
        Failure::usage(format!(
            "{} cannot be a socket's path: at most 107 bytes are possible",
            path.display()
        ))
    })?;
    let connected = || -> Result<UnixStream, Errno> {
        let fd = socket::socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        // On Linux this also bounds connect(2) where the agent does not take calls.
        let seconds = TimeVal::new(i64::try_from(limits::AGENT_CONNECT.as_secs()).unwrap_or(i64::MAX), 0);
        socket::setsockopt(&fd, sockopt::SendTimeout, &seconds)?;
        socket::connect(fd.as_raw_fd(), &address)?;
        Ok(UnixStream::from(fd))
    };
    connected().map_err(|error| unreachable_agent(path, &error.into()))
}

fn unreachable_agent(path: &Path, error: &io::Error) -> Failure {
    let socket = path.display();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            Failure::local(LocalKind::AgentNotRunning, format!("the agent is not running: nobody listens on {socket}"))
                .then("Start it with `systemctl start countersignd`; `journalctl -u countersignd` says why it stopped.")
        }
        io::ErrorKind::PermissionDenied => {
            Failure::local(LocalKind::SocketNotPermitted, format!("you may not use {socket}"))
                .then("You may try your own login; what concerns others is for root.")
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failure::local(
            LocalKind::AgentNotRunning,
            format!("the agent takes no calls on {socket} (waited {} s)", limits::AGENT_CONNECT.as_secs()),
        )
        .then("`systemctl restart countersignd` brings it back; `journalctl -u countersignd` says what held it."),
        _ => Failure::local(LocalKind::AgentNotRunning, format!("the agent cannot be reached at {socket}: {error}"))
            .then("Is that path a socket of countersignd? `systemctl status countersignd` shows how it stands."),
    }
}

/// A large body did not get to the agent.
fn not_given(error: BodyError) -> Failure {
    let next = "If the agent runs since before an upgrade, restart it: `systemctl restart countersignd`; an older one takes no \
                large bodies.";
    match error {
        BodyError::Frame(error) => {
            let failure = broken(error.into(), false);
            let next = failure.next.map_or_else(|| next.to_owned(), |first| format!("{first} {next}"));
            Failure { next: Some(next), ..failure }
        }
        error => Failure::local(
            LocalKind::AgentProtocol,
            format!("the request's body did not get to the agent, and nothing was signed: {error}"),
        )
        .then(next),
    }
}

/// `begun`: the agent had said something before.
fn broken(error: ClientError, begun: bool) -> Failure {
    let hung_up = match &error {
        ClientError::Frame(FrameError::Closed | FrameError::Truncated) => true,
        ClientError::Frame(FrameError::Io(error)) => {
            matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
        }
        _ => false,
    };
    match (hung_up, begun) {
        (true, false) => {
            // It says nothing to those who may not ask; see `agent/src/permit.rs`.
            let kind = Kind::Problem(ProblemKind::NotPermitted);
            let message = "the agent hung up without an answer, as it does when you may not ask this here";
            Failure { kind, ..Failure::usage(message) }
                .then("`journalctl -u countersignd` has the reason; some requests are for root.")
        }
        (true, true) => {
            Failure::local(LocalKind::AgentProtocol, "the agent hung up in the middle of the conversation")
                .then("`journalctl -u countersignd` says why; then run the command again.")
        }
        (false, _) => Failure::local(
            LocalKind::AgentProtocol,
            format!("the conversation with the agent broke: {error}"),
        )
        .then("Nothing was left half done on this side; `countersign status` shows how things stand."),
    }
}
