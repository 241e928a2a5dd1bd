//! The host's own files: `/proc` and logind's notes in `/run/systemd/sessions`.
//!
//! logind writes these for `sd_session_is_remote(3)` and its siblings to read; reading them ourselves spares
//! a library and a message bus before a login.

use std::path::Path;

use super::cgroup::is_session_id;
use super::{LoginSession, Origin, World, origin};
use crate::peer::Stat;

const SESSIONS: &str = "/run/systemd/sessions";
const SEATS: &str = "/run/systemd/seats";

/// Sessions looked through for one user; a host with more has a script running wild.
const MOST_SESSIONS: usize = 4096;

/// This host.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostWorld;

impl World for HostWorld {
    fn has_logind(&self) -> bool {
        Path::new(SESSIONS).is_dir()
    }

    fn origin(&self, pid: i32) -> Option<Origin> {
        let read = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok();
        origin(&read(&pid.to_string())?, &read("1").unwrap_or_default())
    }

    fn session(&self, id: &str) -> Option<LoginSession> {
        if !is_session_id(id) {
            return None;
        }
        std::fs::read_to_string(Path::new(SESSIONS).join(id)).ok().map(|text| parse(&text))
    }

    fn sessions_of(&self, uid: u32) -> Vec<LoginSession> {
        self.all().filter(|session| session.uid == Some(uid)).collect()
    }

    fn greeters(&self) -> Vec<LoginSession> {
        self.all().filter(|session| session.greeter).collect()
    }

    fn seats(&self) -> Vec<String> {
        let entries = std::fs::read_dir(SEATS).into_iter().flatten();
        // A name that is not text stays in the list as one that is no seat of ours. logind writes a file by
        // way of another, whose name begins with a dot.
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| !name.starts_with('.')).take(MOST_SESSIONS).collect()
    }

    fn terminal(&self, pid: i32) -> Option<u32> {
        Stat::read(pid).map(|stat| stat.terminal).filter(|device| *device != 0)
    }
}

impl HostWorld {
    fn all(&self) -> impl Iterator<Item = LoginSession> {
        let entries = std::fs::read_dir(SESSIONS).into_iter().flatten();
        entries.take(MOST_SESSIONS).filter_map(|entry| self.session(entry.ok()?.file_name().to_str()?))
    }
}

/// What is missing counts against the session: not active, at no seat. `REMOTE` must say 0 in so many words.
pub(super) fn parse(text: &str) -> LoginSession {
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .filter(|value| !value.is_empty())
    };
    LoginSession {
        uid: value("UID").and_then(|uid| uid.parse().ok()),
        remote: value("REMOTE") != Some("0"),
        active: value("ACTIVE") == Some("1") && value("STATE") != Some("closing"),
        seat: value("SEAT").map(str::to_owned),
        greeter: value("CLASS") == Some("greeter"),
        leader: value("LEADER").and_then(|leader| leader.parse().ok()),
    }
}
