//! A cgroup inside a machine: where a process belongs, as logind and the agent read it.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::User;
use super::enclosure::Enclosure;
use crate::trouble::{Attempt as _, Trouble};
use crate::waiting::wait_until;

/// Joins the cgroups up to `--`, then becomes what follows.
const JOIN: &str = r#"
while [ "$1" != -- ]; do echo 0 > "$1/cgroup.procs" || exit 125; shift; done
shift
exec "$@"
"#;

/// A place to run commands in.
#[derive(Clone, Debug)]
pub struct Place {
    enclosure: Arc<Enclosure>,
    /// Under the machine's own cgroup; empty for that one itself.
    within: PathBuf,
}

impl Place {
    pub(super) fn at(enclosure: Arc<Enclosure>, within: impl Into<PathBuf>) -> Self {
        Self { enclosure, within: within.into() }
    }

    /// Another place in the same machine, made if it is not there.
    pub(super) fn make(&self, within: impl Into<PathBuf>) -> Result<Self, Trouble> {
        let place = Self::at(Arc::clone(&self.enclosure), within);
        for folder in place.folders() {
            std::fs::create_dir_all(&folder).attempt(|| format!("make the cgroup {}", folder.display()))?;
        }
        Ok(place)
    }

    /// A command in this place, as root, with a clean environment.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.join();
        command.args(self.enclosure.entrance()).arg(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/run/home/root")
            .env("USER", "root")
            .env("LOGNAME", "root")
            .env("SHELL", "/bin/sh")
            .env("TERM", "dumb")
            .env("LC_ALL", "C.UTF-8");
        command
    }

    /// The same as somebody else: their numbers, no further groups, no capabilities, their home.
    #[must_use]
    pub fn command_as(&self, user: &User, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.command("setpriv");
        command
            .arg(format!("--reuid={}", user.uid))
            .arg(format!("--regid={}", user.uid))
            .args(["--clear-groups", "--inh-caps=-all", "--"])
            .arg(program)
            .env("HOME", &user.home)
            .env("USER", &user.name)
            .env("LOGNAME", &user.name);
        command
    }

    /// A command in this cgroup, but in the host's namespaces.
    pub(super) fn command_beside(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.join();
        command.arg(program);
        command
    }

    /// A command in this cgroup that has the machine's files, but the host's name and view of cgroups.
    pub(super) fn command_among_files(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.join();
        command.args(self.enclosure.side_entrance()).arg(program);
        command
    }

    pub(super) fn enclosure(&self) -> &Enclosure {
        &self.enclosure
    }

    /// Kills every process in this place and takes it away.
    pub(super) fn clear(&self) -> Result<(), Trouble> {
        for folder in self.folders() {
            if folder.join("cgroup.kill").exists() {
                std::fs::write(folder.join("cgroup.kill"), "1")
                    .attempt(|| format!("empty the cgroup {}", folder.display()))?;
            }
        }
        for folder in self.folders() {
            let what = format!("the cgroup {} to empty", folder.display());
            wait_until(&what, Duration::from_secs(20), || {
                Ok(match std::fs::remove_dir(&folder) {
                    Ok(()) => Some(()),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(()),
                    Err(_) => None,
                })
            })?;
        }
        Ok(())
    }

    fn join(&self) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", JOIN, "join"]).args(self.folders()).arg("--");
        command
    }

    fn folders(&self) -> Vec<PathBuf> {
        self.enclosure.cgroups().iter().map(|cgroup| cgroup.join(&self.within)).collect()
    }
}
