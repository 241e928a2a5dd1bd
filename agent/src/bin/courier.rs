//! `countersign-courier URL UID GID [--ca=FILE]`: carries sealed bytes between the agent and one server.
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
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Errands under way at once, and one more that waits for news all the time; more are told so.
const AT_ONCE: usize = 64 + 1;

/// A connection that was idle for longer is not used again: the server closes it after ten seconds, and an errand
/// that goes out on it has to go twice.
const IDLE: Duration = Duration::from_secs(8);

/// Where envelopes go, below the server's URL.
const MESSAGES: &str = "/v1/messages";

/// Where the server's certificate is, for an errand without an envelope.
const CERTIFICATE: &str = "/v1/certificate";

/// Largest file of certificates that this program reads.
const ROOTS: u64 = 4 * 1024 * 1024;

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
    let (options, arguments): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let mut arguments = arguments.into_iter();
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
    let ca = options.iter().find_map(|option| option.strip_prefix("--ca="));
    let post = Arc::new(Post::new(&url, ca)?);
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
    fn new(url: &str, ca: Option<&str>) -> Result<Self, String> {
        // Only TLS asks for them, and reading the system's takes a while.
        let roots = if url.starts_with("https:") { roots(ca)? } else { RootCerts::WebPki };
        let config = ureq::Agent::config_builder()
            // A refusal comes with status 400 and must be carried like any answer.
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent("countersign")
            .max_idle_age(IDLE)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build();
        Ok(Self { agent: config.into(), url: url.trim_end_matches('/').to_owned() })
    }

    fn carry(&self, errand: &Errand) -> Outcome {
        match self.post(errand) {
            Ok((status, body)) => Outcome { number: errand.number, status, body },
            Err(why) => no_answer(errand.number, &why),
        }
    }

    fn post(&self, errand: &Errand) -> Result<(u16, Vec<u8>), String> {
        let timeout = Some(Duration::from_millis(u64::from(errand.timeout_ms)));
        let answered = if errand.envelope.is_empty() {
            self.agent
                .get(format!("{}{CERTIFICATE}", self.url))
                .config()
                .timeout_global(timeout)
                .build()
                .call()
        } else {
            self.agent
                .post(format!("{}{MESSAGES}", self.url))
                .config()
                .timeout_global(timeout)
                .build()
                .content_type("application/octet-stream")
                .send(errand.envelope.as_slice())
        };
        let mut response = answered.map_err(|error| error.to_string())?;
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

/// Those of one file, or of this system; or, where it has none, those of Mozilla that this program brings.
fn roots(ca: Option<&str>) -> Result<RootCerts, String> {
    let Some(ca) = ca else {
        let found = rustls_native_certs::load_native_certs().certs;
        let found: Vec<_> = found.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
        return Ok(if found.is_empty() { RootCerts::WebPki } else { RootCerts::from(found) });
    };
    let shown = |what: String| format!("{ca}: {what}");
    let mut text = Vec::new();
    let file = std::fs::File::open(ca).map_err(|error| shown(error.to_string()))?;
    file.take(ROOTS).read_to_end(&mut text).map_err(|error| shown(error.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(one) = item.map_err(|error| shown(error.to_string()))? {
            found.push(one);
        }
    }
    if found.is_empty() {
        Err(shown("holds no certificate in PEM".into()))
    } else {
        Ok(RootCerts::from(found))
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
