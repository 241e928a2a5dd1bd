//! `countersign-courier URL UID GID`: carries sealed bytes between the agent and one server.
//!
//! Started by `countersignd` to become that user, with one end of a socketpair as standard input. It
//! holds no secret and decides nothing; it ends when the agent does.
#![forbid(unsafe_code)]

use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign_agent::courier::frame::{Errand, Outcome};
use countersign_agent::harden;
use countersign_protocol::limits;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

/// Errands under way at once, and one more that waits for news all the time; more are told so.
const AT_ONCE: usize = 64 + 1;

/// A connection that was idle for longer is not used again: the server closes it after ten seconds, and an errand
/// that goes out on it has to go twice.
const IDLE: Duration = Duration::from_secs(8);

/// The one address, below the server's URL.
const ENDPOINT: &str = "/v1/messages";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("countersign-courier: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("no URL; this program is started by countersignd")?;
    if let (Some(uid), Some(gid)) = (arguments.next(), arguments.next()) {
        let number = |text: &str| text.parse::<u32>().map_err(|_| format!("{text:?} is not a number"));
        harden::become_user(number(&uid)?, number(&gid)?).map_err(|error| error.to_string())?;
    }
    if nix::unistd::geteuid().is_root() {
        return Err("refusing to run as root; this program is started by countersignd".to_owned());
    }
    prctl::set_dumpable(false).map_err(|error| error.to_string())?;
    prctl::set_no_new_privs().map_err(|error| error.to_string())?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(|error| error.to_string())?;

    let socket = std::io::stdin().as_fd().try_clone_to_owned().map_err(|error| error.to_string())?;
    let mut from = UnixStream::from(socket);
    let to = Arc::new(Mutex::new(from.try_clone().map_err(|error| error.to_string())?));
    let post = Arc::new(Post::new(&url));
    let under_way = Arc::new(AtomicUsize::new(0));

    while let Some(errand) = Errand::read(&mut from).map_err(|error| error.to_string())? {
        let number = errand.number;
        if under_way.fetch_add(1, Ordering::SeqCst) >= AT_ONCE {
            under_way.fetch_sub(1, Ordering::SeqCst);
            answer(&to, &no_answer(number, "too many messages under way"));
            continue;
        }
        let (post, to, under_way) = (Arc::clone(&post), Arc::clone(&to), Arc::clone(&under_way));
        std::thread::spawn(move || {
            let outcome = post.carry(&errand);
            answer(&to, &outcome);
            under_way.fetch_sub(1, Ordering::SeqCst);
        });
    }
    Ok(())
}

struct Post {
    agent: ureq::Agent,
    url: String,
}

impl Post {
    fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder()
            // A refusal comes with status 400 and must be carried like any answer.
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent("countersign")
            .max_idle_age(IDLE)
            .build();
        Self { agent: config.into(), url: format!("{}{ENDPOINT}", url.trim_end_matches('/')) }
    }

    fn carry(&self, errand: &Errand) -> Outcome {
        match self.post(errand) {
            Ok((status, body)) => Outcome { number: errand.number, status, body },
            Err(why) => no_answer(errand.number, &why),
        }
    }

    fn post(&self, errand: &Errand) -> Result<(u16, Vec<u8>), String> {
        let timeout = Duration::from_millis(u64::from(errand.timeout_ms));
        let mut response = self
            .agent
            .post(&self.url)
            .config()
            .timeout_global(Some(timeout))
            .build()
            .content_type("application/octet-stream")
            .send(errand.envelope.as_slice())
            .map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        // All that the agent needs of such an answer; its body says nothing.
        if status == 503 {
            let after = response.headers().get("retry-after").and_then(|after| after.to_str().ok());
            return Ok((status, after.unwrap_or_default().as_bytes().to_vec()));
        }
        let largest = u64::try_from(limits::ENVELOPE).unwrap_or(u64::MAX);
        let mut body = Vec::new();
        response
            .body_mut()
            .with_config()
            .limit(largest)
            .reader()
            .read_to_end(&mut body)
            .map_err(|error| error.to_string())?;
        Ok((status, body))
    }
}

fn no_answer(number: u32, why: &str) -> Outcome {
    Outcome { number, status: 0, body: why.as_bytes().to_vec() }
}

fn answer(to: &Mutex<UnixStream>, outcome: &Outcome) {
    let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
    // The agent is gone: so is its need for an answer.
    let _ = outcome.write(&mut *to);
}
