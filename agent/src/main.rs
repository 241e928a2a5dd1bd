//! `countersignd`: the agent's process. The order of the steps matters: hardened before anything is read,
//! stripped of privileges before anything is served.
#![forbid(unsafe_code)]

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use countersign_agent::agent::Agent;
use countersign_agent::card::{Cards, Timing};
use countersign_agent::config::Config;
use countersign_agent::descriptors::Passed;
use countersign_agent::holder::{self, Holders};
use countersign_agent::listener::{self, Service};
use countersign_agent::log::Log;
use countersign_agent::permit::Door;
use countersign_agent::serve::Served;
use countersign_agent::{card_removal, enrollment, harden, keeper, peer, watch};
use countersign_protocol::clock::SystemClock;
use countersign_protocol::random::SystemRandom;

const USAGE: &str = "usage: countersignd [--config FILE] [--check] [--version]

  --config FILE  read FILE in place of /etc/countersign/agent.toml
  --check        read the configuration, say whether it is good, and end
  --version      say which release this is";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("countersignd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut passed = Passed::from_environment()
        .map_err(|error| format!("a socket that the service manager announced is not there: {error}"))?;
    let (mut weaknesses, path) = match arguments()? {
        Task::Say(text) => {
            say(&text);
            return Ok(());
        }
        Task::Check(path) => {
            Config::load(path.as_deref()).map_err(|error| error.to_string())?;
            say("The configuration is good.");
            return Ok(());
        }
        Task::Visit(task) => return holder::visit(&task),
        Task::Serve(path) => (harden::first(&passed.all()).map_err(|error| error.to_string())?, path),
    };
    let config = Config::load(path.as_deref()).map_err(|error| error.to_string())?;
    let pam = socket(&mut passed, "pam", &config.pam_socket, 0o600)?;
    let user = socket(&mut passed, "user", &config.user_socket, 0o666)?;
    // Capabilities belong to threads: dropped before the first one starts.
    harden::drop_privileges().map_err(|error| error.to_string())?;

    let log = Log::start().map_err(|error| format!("no thread: {error}"))?;
    for weakness in &weaknesses {
        log.warn("weaker-than-usual", &[("what", weakness)]);
    }
    if peer::are_hidden() {
        log.warn("processes-hidden", &[("what", peer::HIDDEN)]);
        weaknesses.push(peer::HIDDEN.to_owned());
    }
    let timing = Timing { alone: !config.share_cards, ..Timing::default() };
    let cards = Cards::start(timing, Holders::new(Some(ITSELF.into())))
        .map_err(|error| format!("no thread: {error}"))?;
    let (agent, ear) = Agent::assemble(
        config,
        cards,
        log.clone(),
        Arc::new(SystemClock),
        Arc::new(SystemRandom),
        weaknesses,
    )
    .map_err(|error| error.to_string())?;
    let primary = agent.link().map(|link| link.primary());
    if let Some(why) = primary.as_ref().and_then(|primary| primary.not_sealed()) {
        log.warn("not-sealed", &[("why", why)]);
    }
    #[cfg(debug_assertions)]
    agent.journal.crash_at(crash_point());
    enrollment::clean_up(&agent).map_err(|trouble| trouble.message)?;
    keeper::start(ear, &agent).map_err(|error| format!("no thread: {error}"))?;
    card_removal::start(&agent).map_err(|error| format!("no thread: {error}"))?;
    watch::start(&agent).map_err(|error| format!("no thread: {error}"))?;

    let service: Arc<dyn Service> = Arc::new(Served(agent));
    let for_user = Arc::clone(&service);
    std::thread::Builder::new()
        .name("user.sock".to_owned())
        .spawn(move || listener::run(&user, Door::User, &for_user))
        .map_err(|error| format!("no thread: {error}"))?;
    passed.ready().map_err(|error| format!("the service manager cannot be told: {error}"))?;
    log.notice("started", &[("version", env!("CARGO_PKG_VERSION"))]);
    listener::run(&pam, Door::Pam, &service);
    Ok(())
}

/// This very program, also when the file was replaced since.
const ITSELF: &str = "/proc/self/exe";

enum Task {
    /// Started by another one of these as a user, to ask that user's programs.
    Visit(String),
    Serve(Option<PathBuf>),
    Check(Option<PathBuf>),
    Say(String),
}

fn arguments() -> Result<Task, String> {
    let (mut path, mut check) = (None, false);
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--config") => {
                let file = arguments.next().ok_or_else(|| format!("--config needs a file\n{USAGE}"))?;
                path = Some(PathBuf::from(file));
            }
            Some("--check") => check = true,
            Some("--visit") => {
                let task = arguments.next().and_then(|task| task.into_string().ok());
                return task.map(Task::Visit).ok_or_else(|| USAGE.to_owned());
            }
            #[cfg(debug_assertions)]
            Some(CRASH) => drop(arguments.next()),
            Some("--version" | "-V") => {
                return Ok(Task::Say(format!("countersignd {}", env!("CARGO_PKG_VERSION"))));
            }
            Some("--help" | "-h") => return Ok(Task::Say(USAGE.to_owned())),
            _ => return Err(format!("{} is not an argument of this program\n{USAGE}", argument.display())),
        }
    }
    Ok(if check { Task::Check(path) } else { Task::Serve(path) })
}

/// Test aid: the point of the journal's writes at which the agent kills itself follows.
#[cfg(debug_assertions)]
const CRASH: &str = "--crash-at-journal-point";

#[cfg(debug_assertions)]
fn crash_point() -> u64 {
    let number = std::env::args().skip_while(|argument| argument != CRASH).nth(1);
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Passed by the service manager, or opened here.
fn socket(passed: &mut Passed, name: &str, path: &Path, mode: u32) -> Result<UnixListener, String> {
    match passed.take(name) {
        Some(socket) => Ok(socket),
        None => listener::bind(path, mode).map_err(|error| format!("{}: {error}", path.display())),
    }
}

#[expect(clippy::print_stdout, reason = "what was asked for on the command line")]
fn say(text: &str) {
    println!("{text}");
}
