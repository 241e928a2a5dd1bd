//! A private machine made of namespaces.

mod accounts;
mod enclosure;
mod hierarchies;
mod place;
mod readers;
mod session;
mod system_log;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::running::Running;
use crate::trouble::Trouble;
use enclosure::Enclosure;
use readers::Readers;

pub use accounts::User;
pub use place::Place;
pub(crate) use readers::{entry as reader_entry, friendly_name as reader_friendly_name, reader_name};
pub use session::{ServiceHandle, SessionHandle, SessionSpec};
pub use system_log::SystemLog;

/// A machine of its own as far as `/etc`, `/var`, `/run`, the host name and cgroups go.
///
/// Its `/etc` and `/var` start as copies of this host's and its `/run` empty. Processes, the network,
/// `/tmp`, `/dev` and `/usr` are shared. When it is dropped, whatever still runs inside is killed.
pub struct Machine {
    root: Place,
    readers: Mutex<Option<Readers>>,
    cards: AtomicUsize,
    logs: AtomicUsize,
}

impl Machine {
    /// Builds a machine.
    ///
    /// # Errors
    /// [`Trouble::NotRoot`], [`Trouble::NoCgroup`], or [`Trouble::Machine`] with what the tools said.
    pub fn start() -> Result<Self, Trouble> {
        let enclosure = Arc::new(Enclosure::build()?);
        Ok(Self {
            root: Place::at(enclosure, ""),
            readers: Mutex::new(None),
            cards: AtomicUsize::new(0),
            logs: AtomicUsize::new(0),
        })
    }

    /// A command inside, as root, outside any session or service, with a clean environment. Its
    /// process id is the program's own.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.root.command(program)
    }

    /// The same as a person of the machine; its process id is still the program's own.
    #[must_use]
    pub fn command_as(&self, user: &User, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.root.command_as(user, program)
    }

    /// Starts a command made by any of this machine's `command` methods in the background.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(&self, name: &str, command: &mut Command) -> Result<Running, Trouble> {
        let number = self.logs.fetch_add(1, Ordering::Relaxed);
        Running::start(name, command, self.scratch().join(format!("{name}-{number}.log")))
    }

    /// Where a file of the machine can be reached from the test. `inside` is absolute. Absolute
    /// symbolic links on the way would lead out of the machine again.
    #[must_use]
    pub fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.root.enclosure().path(inside.as_ref())
    }

    /// A folder shared by the test and the machine, under the same path. Gone with the machine.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.root.enclosure().scratch()
    }

    /// The machine's host name.
    #[must_use]
    pub fn host_name(&self) -> &str {
        self.root.enclosure().name()
    }

    pub(crate) fn next_card(&self) -> usize {
        self.cards.fetch_add(1, Ordering::Relaxed)
    }

    /// A command with the machine's files that starts a system of its own: it sees its cgroup as the host does.
    pub(crate) fn command_among_files(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.root.command_among_files(program)
    }

    /// A command on the host that still dies with the machine.
    pub(crate) fn command_beside(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.root.command_beside(program)
    }
}
