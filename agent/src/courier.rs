//! The courier, as the agent sees it: a process of another user that carries sealed bytes to one URL.
//!
//! The agent speaks no HTTP, no TLS and no DNS; the courier holds no secret. They share one socketpair, which
//! is the courier's standard input. Nothing it says is believed: a reply counts by its signatures alone, and
//! the worst a courier can do is to carry nothing. A courier that dies is started again at the next errand.
//!
//! It begins as root with CAP_SETUID and CAP_SETGID, and becomes its own user first of all: see
//! [`crate::harden::become_user`]. `no_new_privs` and the empty bounding set go with it. Descriptors other than its
//! standard three do not.

pub mod frame;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::frame::{Errand, Outcome};

/// How to start it.
#[derive(Debug, Clone)]
pub struct CourierSpec {
    /// The program.
    pub path: PathBuf,
    /// Its user and group; `None` only in tests that are not root.
    pub user: Option<(u32, u32)>,
    /// Whom it believes about the server's TLS certificate, if not those whom the system believes.
    pub ca: Option<PathBuf>,
}

/// An envelope was not carried, or no answer came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CourierError {
    /// It could not be started.
    #[error("the courier does not start: {0}")]
    NotStarted(String),
    /// It died or closed its socket.
    #[error("the courier died")]
    Died,
    /// It got no HTTP answer.
    #[error("{0}")]
    NoAnswer(String),
    /// The deadline passed.
    #[error("no answer in time")]
    TimedOut,
}

/// HTTP status and body.
pub type Carried = (u16, Vec<u8>);

/// Starts couriers and hands them errands, from any number of threads.
#[derive(Debug)]
pub struct Courier {
    spec: CourierSpec,
    /// Held to look up or replace the process, never while waiting for an answer.
    running: Mutex<Option<Arc<Running>>>,
}

impl Courier {
    /// None is started yet.
    #[must_use]
    pub const fn new(spec: CourierSpec) -> Self {
        Self { spec, running: Mutex::new(None) }
    }

    /// Posts `envelope` to `url` – without one, gets the server's certificate from there – and waits for the answer until `deadline`.
    ///
    /// # Errors
    /// [`CourierError`].
    pub fn carry(&self, url: &str, envelope: &[u8], deadline: Instant) -> Result<Carried, CourierError> {
        let courier = self.for_url(url)?;
        let (number, answer) = courier.send(envelope, deadline)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let outcome = answer.recv_timeout(left);
        courier.forget(number);
        if outcome == Err(RecvTimeoutError::Timeout) {
            courier.owes_an_answer(deadline);
        }
        match outcome {
            Ok(outcome) if outcome.status == 0 => {
                let why = String::from_utf8_lossy(&outcome.body);
                Err(CourierError::NoAnswer(why.chars().filter(|c| !c.is_control()).take(300).collect()))
            }
            Ok(outcome) => Ok((outcome.status, outcome.body)),
            Err(RecvTimeoutError::Timeout) => Err(CourierError::TimedOut),
            Err(RecvTimeoutError::Disconnected) => Err(CourierError::Died),
        }
    }

    fn for_url(&self, url: &str) -> Result<Arc<Running>, CourierError> {
        let mut running = lock(&self.running);
        if let Some(courier) = running.take() {
            if courier.url == url && courier.is_alive() && !courier.stands_still(Instant::now()) {
                return Ok(Arc::clone(running.insert(courier)));
            }
            // It belongs to another user and cannot be killed; it ends when it next looks at its socket.
            courier.close();
        }
        let courier = Running::start(&self.spec, url)
            .map_err(|error| CourierError::NotStarted(format!("{}: {error}", self.spec.path.display())))?;
        *running = Some(Arc::clone(&courier));
        Ok(courier)
    }
}

/// One courier process.
#[derive(Debug)]
struct Running {
    url: String,
    socket: UnixStream,
    /// Held for one write that ends after two seconds at most.
    writing: Mutex<()>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u32,
    dead: bool,
    answers: HashMap<u32, Sender<Outcome>>,
    /// Until then at the latest it should have said that it got no answer.
    owes: Option<Instant>,
}

/// How long after its time a courier may be late to say that it got no answer.
const LATE: Duration = Duration::from_secs(1);

impl Running {
    fn start(spec: &CourierSpec, url: &str) -> io::Result<Arc<Self>> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(&spec.path);
        command.arg(url).env_clear().current_dir("/").stdin(Stdio::from(OwnedFd::from(theirs)));
        command.stdout(Stdio::null()).stderr(Stdio::inherit());
        if let Some((uid, gid)) = spec.user {
            command.arg(uid.to_string()).arg(gid.to_string());
        }
        if let Some(ca) = &spec.ca {
            let mut option = OsString::from("--ca=");
            option.push(ca);
            command.arg(option);
        }
        crate::harden::pass_on_nothing(&mut command);
        let child = command.spawn()?;
        // The child's end lives in `command` until here; closed, its death is our end of file.
        drop(command);
        ours.set_write_timeout(Some(Duration::from_secs(2)))?;
        let reading = ours.try_clone()?;
        let courier = Arc::new(Self {
            url: url.to_owned(),
            socket: ours,
            writing: Mutex::default(),
            waiting: Mutex::default(),
        });
        let reader = Arc::clone(&courier);
        std::thread::Builder::new()
            .name("courier".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || reader.read_outcomes(reading, child))?;
        Ok(courier)
    }

    fn send(&self, envelope: &[u8], deadline: Instant) -> Result<(u32, Receiver<Outcome>), CourierError> {
        let (sender, receiver) = channel();
        let number = {
            let mut waiting = lock(&self.waiting);
            if waiting.dead {
                return Err(CourierError::Died);
            }
            waiting.next = waiting.next.wrapping_add(1);
            let number = waiting.next;
            waiting.answers.insert(number, sender);
            number
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
        let errand = Errand { number, timeout_ms, envelope: envelope.to_vec() };
        let written = {
            let _writing = lock(&self.writing);
            errand.write(&mut &self.socket)
        };
        if written.is_err() {
            // Half an errand may be in the socket: nothing after it would be understood.
            self.close();
            return Err(CourierError::Died);
        }
        Ok((number, receiver))
    }

    fn read_outcomes(&self, mut from: UnixStream, mut child: Child) {
        while let Ok(Some(outcome)) = Outcome::read(&mut from) {
            let mut waiting = lock(&self.waiting);
            waiting.owes = None;
            // A number nobody waits for: too late, or made up. Either way it is nothing.
            if let Some(sender) = waiting.answers.remove(&outcome.number) {
                let _ = sender.send(outcome);
            }
        }
        self.close();
        // It ends at the end of its input, which `close` made.
        let _ = child.wait();
    }

    fn forget(&self, number: u32) {
        lock(&self.waiting).answers.remove(&number);
    }

    fn owes_an_answer(&self, since: Instant) {
        lock(&self.waiting).owes.get_or_insert(since + LATE);
    }

    /// It does not even say that it got no answer: a process that is stopped, or hangs.
    fn stands_still(&self, now: Instant) -> bool {
        lock(&self.waiting).owes.is_some_and(|until| now >= until)
    }

    fn is_alive(&self) -> bool {
        !lock(&self.waiting).dead
    }

    fn close(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
        let mut waiting = lock(&self.waiting);
        waiting.dead = true;
        waiting.answers.clear();
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        if let Some(courier) = lock(&self.running).take() {
            courier.close();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing here is left half done by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A courier that is a shell script.
    fn courier(folder: &tempfile::TempDir, script: &str) -> Courier {
        let path = folder.path().join("courier");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Courier::new(CourierSpec { path, user: None, ca: None })
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn a_courier_that_dies_is_an_error_at_once_and_started_again() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("starts");
        let courier = courier(&folder, &format!("echo x >> {}\nexit 1", mark.display()));
        let begun = Instant::now();
        for _ in 0..2 {
            assert_eq!(courier.carry("http://x", b"sealed", soon()), Err(CourierError::Died));
        }
        assert!(begun.elapsed() < Duration::from_secs(4));
        assert_eq!(std::fs::read_to_string(mark).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_courier_that_answers_nonsense_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let courier = courier(
            &folder,
            "head -c 18 >/dev/null; printf '\\0\\0\\0\\1\\0\\310\\377\\377\\377\\377' >&0; sleep 5",
        );
        assert_eq!(courier.carry("http://x", b"sealed", soon()), Err(CourierError::Died));
    }

    #[test]
    fn a_silent_courier_costs_only_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let courier = courier(&folder, "cat > /dev/null");
        let deadline = Instant::now() + Duration::from_millis(200);
        assert_eq!(courier.carry("http://x", b"sealed", deadline), Err(CourierError::TimedOut));
    }

    #[test]
    fn a_courier_that_does_not_even_say_that_it_got_no_answer_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("starts");
        let courier = courier(&folder, &format!("echo x >> {}\nexec sleep 60", mark.display()));
        let starts = || std::fs::read_to_string(&mark).unwrap_or_default().lines().count();
        let brief = || Instant::now() + Duration::from_millis(300);
        for _ in 0..2 {
            assert_eq!(courier.carry("http://x", b"sealed", brief()), Err(CourierError::TimedOut));
        }
        assert_eq!(starts(), 1, "it may just be late");
        std::thread::sleep(LATE);
        assert_eq!(courier.carry("http://x", b"sealed", brief()), Err(CourierError::TimedOut));
        assert_eq!(starts(), 2);
    }

    #[test]
    fn a_courier_to_another_address_takes_its_place_and_the_first_one_ends() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("ends");
        let courier =
            courier(&folder, &format!("cat > /dev/null; {{ echo $1 >> {}; }} 2> /dev/null", mark.display()));
        let brief = || Instant::now() + Duration::from_millis(200);
        for url in ["http://old", "http://new"] {
            assert_eq!(courier.carry(url, b"sealed", brief()), Err(CourierError::TimedOut));
        }
        let deadline = soon();
        while std::fs::read_to_string(&mark).unwrap_or_default() != "http://old\n" {
            assert!(Instant::now() < deadline, "it goes on");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn a_missing_courier_is_named() {
        let courier = Courier::new(CourierSpec { path: "/nonexistent/courier".into(), user: None, ca: None });
        let error = courier.carry("http://x", b"", soon()).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/courier"), "{error}");
    }
}
