//! What is done with a session, by logind's own program: the agent speaks to no message bus.

use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::sessions::CardSession;
use crate::config::OnRemoval;
use crate::seat::{Origin, World};

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Of what it complains, in bytes.
const COMPLAINT: u64 = 300;

/// Why a session goes on although its card is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Spared {
    /// There is none any more, or the process never had one.
    #[error("the program that opened it is in no session of logind")]
    NoSession,
    /// The program was called within a session that another one opened: with a password, perhaps.
    #[error("the program did not open the session that it is in")]
    NotItsOwn,
    /// Another user's.
    #[error("the session is another user's")]
    AnothersSession,
    /// Not here.
    #[error("the session is not at this seat")]
    Elsewhere,
}

/// The session that this card opened, if it is one at the card's seat.
///
/// # Errors
/// [`Spared`].
pub(super) fn session_of(world: &dyn World, seat: &str, session: &CardSession) -> Result<String, Spared> {
    let Some(Origin::Session(id)) = world.origin(session.leader) else { return Err(Spared::NoSession) };
    let found = world.session(&id).ok_or(Spared::NoSession)?;
    if found.leader != Some(session.leader) {
        return Err(Spared::NotItsOwn);
    }
    if found.uid != Some(session.uid) {
        return Err(Spared::AnothersSession);
    }
    if found.remote || found.seat.as_deref() != Some(seat) {
        return Err(Spared::Elsewhere);
    }
    Ok(id)
}

/// Locks or ends a session. `id` is one that logind gave: letters and digits.
///
/// # Errors
/// The program cannot be started, does not end, or complains.
pub(super) fn carry_out(loginctl: &Path, what: OnRemoval, id: &str) -> Result<(), String> {
    let verb = match what {
        OnRemoval::Nothing => return Ok(()),
        OnRemoval::Lock => "lock-session",
        OnRemoval::End => "terminate-session",
    };
    let mut command = Command::new(loginctl);
    command.args([verb, id]).env_clear().current_dir("/").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    crate::harden::pass_on_nothing(&mut command);
    let told = |error: io::Error| format!("{}: {error}", loginctl.display());
    let mut child = command.spawn().map_err(told)?;
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(told)? {
            break status;
        }
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("{} {verb} took over {} s", loginctl.display(), LIMIT.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    if status.success() {
        return Ok(());
    }
    let mut complaint = Vec::new();
    if let Some(pipe) = child.stderr.take() {
        let _ = pipe.take(COMPLAINT).read_to_end(&mut complaint);
    }
    let complaint: String =
        String::from_utf8_lossy(&complaint).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Err(format!("{} {verb} ended with {status}: {}", loginctl.display(), complaint.trim()))
}

#[cfg(test)]
mod tests;
