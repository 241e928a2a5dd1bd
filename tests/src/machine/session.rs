//! Login sessions and services, as logind leaves them: a cgroup and, for a session, state files.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use super::{Machine, Place, User};
use crate::running::Running;
use crate::trouble::{Attempt as _, Trouble};

/// A session to be.
#[derive(Clone, Debug)]
pub struct SessionSpec {
    /// Logind's name for it: `c7`, `12`.
    pub id: String,
    /// Whose it is.
    pub uid: u32,
    /// Login name of the same person.
    pub user: String,
    /// `seat0`, for somebody who sits there.
    pub seat: Option<String>,
    /// `tty2`, `pts/3`.
    pub tty: Option<String>,
    /// Came over the network.
    pub remote: bool,
    /// In the foreground of its seat; a session without a seat is always active.
    pub active: bool,
    /// From where, if remote.
    pub remote_host: Option<String>,
}

impl SessionSpec {
    /// Somebody at the keyboard: seat0, tty2, active.
    #[must_use]
    pub fn local(id: &str, user: &User) -> Self {
        Self {
            id: id.to_owned(),
            uid: user.uid,
            user: user.name.clone(),
            seat: Some("seat0".to_owned()),
            tty: Some("tty2".to_owned()),
            remote: false,
            active: true,
            remote_host: None,
        }
    }

    /// Somebody over ssh.
    #[must_use]
    pub fn remote(id: &str, user: &User, host: &str) -> Self {
        Self {
            seat: None,
            tty: Some("pts/9".to_owned()),
            remote: true,
            remote_host: Some(host.to_owned()),
            ..Self::local(id, user)
        }
    }

    /// The file `/run/systemd/sessions/ID`, as systemd 252 writes it.
    fn file(&self, leader: u32) -> String {
        let mut text = String::from("# This is private data. Do not parse.\n");
        let mut line = |key: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key}={value}");
        };
        let flag = |on| if on { "1" } else { "0" };
        line("UID", &self.uid.to_string());
        line("USER", &self.user);
        line("ACTIVE", flag(self.active));
        line("IS_DISPLAY", "1");
        line("STATE", if self.active { "active" } else { "online" });
        line("REMOTE", flag(self.remote));
        line("TYPE", "tty");
        line("ORIGINAL_TYPE", "tty");
        line("CLASS", "user");
        line("SCOPE", &format!("session-{}.scope", self.id));
        for (key, value) in [("SEAT", &self.seat), ("TTY", &self.tty), ("REMOTE_HOST", &self.remote_host)] {
            if let Some(value) = value {
                line(key, value);
            }
        }
        line("SERVICE", if self.remote { "sshd" } else { "login" });
        if let Some(number) = self.tty.as_deref().and_then(|tty| tty.strip_prefix("tty")) {
            line("VTNR", number);
        }
        line("LEADER", &leader.to_string());
        text
    }
}

/// A session. When dropped, its processes are killed and its files removed.
#[derive(Debug)]
pub struct SessionHandle {
    spec: SessionSpec,
    place: Place,
    leader: Running,
}

impl SessionHandle {
    /// A command that belongs to the session, as root: a PAM program that was started with its
    /// set-user-id bit, say.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.place.command(program)
    }

    /// A command that belongs to the session, as somebody.
    #[must_use]
    pub fn command_as(&self, user: &User, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.place.command_as(user, program)
    }

    /// Brings the session to the foreground of its seat, or out of it.
    ///
    /// # Errors
    /// If the state files cannot be written.
    pub fn set_active(&mut self, active: bool) -> Result<(), Trouble> {
        self.spec.active = active;
        self.record()
    }

    /// Process id of the session's leader, a process that only waits.
    #[must_use]
    pub fn leader(&self) -> u32 {
        self.leader.pid()
    }

    fn record(&self) -> Result<(), Trouble> {
        let SessionSpec { id, uid, user, seat, active, .. } = &self.spec;
        self.write(&self.session_file(), &self.spec.file(self.leader.pid()))?;
        let state = if *active { "active" } else { "online" };
        let person = format!("NAME={user}\nSTATE={state}\nSESSIONS={id}\nDISPLAY={id}\n");
        self.write(&PathBuf::from(format!("/run/systemd/users/{uid}")), &person)?;
        if let Some(seat) = seat {
            let mut text = "IS_SEAT0=1\nCAN_MULTI_SESSION=1\nCAN_TTY=1\nCAN_GRAPHICAL=0\n".to_owned();
            if *active {
                text.push_str(&format!("ACTIVE={id}\nACTIVE_UID={uid}\n"));
            }
            text.push_str(&format!("SESSIONS={id}\nUIDS={uid}\n"));
            self.write(&PathBuf::from("/run/systemd/seats").join(seat), &text)?;
        }
        Ok(())
    }

    fn write(&self, inside: &std::path::Path, text: &str) -> Result<(), Trouble> {
        std::fs::write(self.place.enclosure().path(inside), text)
            .attempt(|| format!("write the machine's {}", inside.display()))
    }

    fn session_file(&self) -> PathBuf {
        PathBuf::from("/run/systemd/sessions").join(&self.spec.id)
    }
}

impl Drop for SessionHandle {
    fn drop(&mut self) {
        // What cannot be taken away now goes with the machine.
        let _ = std::fs::remove_file(self.place.enclosure().path(&self.session_file()));
        let _ = self.place.clear();
    }
}

/// A system service's cgroup. When dropped, its processes are killed.
#[derive(Debug)]
pub struct ServiceHandle {
    place: Place,
}

impl ServiceHandle {
    /// A command that belongs to the service, as root.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.place.command(program)
    }
}

impl Drop for ServiceHandle {
    fn drop(&mut self) {
        let _ = self.place.clear();
    }
}

impl Machine {
    /// Opens a session: its cgroup, its leader, and logind's files about it, its person and its seat.
    /// A seat or a person with several sessions is described by the last one.
    ///
    /// # Errors
    /// If the cgroup or the files cannot be made.
    pub fn session(&self, spec: SessionSpec) -> Result<SessionHandle, Trouble> {
        let SessionSpec { id, uid, .. } = &spec;
        let place = self.root.make(format!("user.slice/user-{uid}.slice/session-{id}.scope"))?;
        let leader = self.spawn("session-leader", place.command("sleep").arg("infinity"))?;
        let session = SessionHandle { spec, place, leader };
        session.record()?;
        Ok(session)
    }

    /// The cgroup of a system service, for callers that have no session: `ssh.service`,
    /// `getty@tty1.service`.
    ///
    /// # Errors
    /// If the cgroup cannot be made.
    pub fn service_cgroup(&self, unit: &str) -> Result<ServiceHandle, Trouble> {
        // Instances of a template share a slice of their own.
        let within = match unit.split_once('@') {
            Some((template, _)) => format!("system.slice/system-{template}.slice/{unit}"),
            None => format!("system.slice/{unit}"),
        };
        Ok(ServiceHandle { place: self.root.make(within)? })
    }
}
