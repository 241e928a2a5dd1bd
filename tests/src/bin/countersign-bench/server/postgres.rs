//! A PostgreSQL server of the bench's own, from Debian, with the settings that it comes with: a commit waits for the disk.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use countersign_tests::{Trouble, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};
use tempfile::TempDir;

use super::cost::Cost;
use super::failed;

/// Where Debian keeps its programs, by version.
const PROGRAMS: &str = "/usr/lib/postgresql";

/// It, running. Ended when dropped.
pub(super) struct Cluster {
    process: Child,
    programs: PathBuf,
    folder: TempDir,
    made: AtomicU32,
}

impl Cluster {
    /// Starts one below `disk`; none where PostgreSQL is not installed.
    pub(super) fn start(disk: &Path) -> Result<Option<Self>, Trouble> {
        let versions = std::fs::read_dir(PROGRAMS).into_iter().flatten().flatten();
        let programs = versions.map(|version| version.path().join("bin")).max();
        let Some(programs) = programs.filter(|programs| programs.join("initdb").exists()) else {
            return Ok(None);
        };
        let folder = tempfile::Builder::new().prefix("countersign-pg-").tempdir_in(disk).map_err(failed)?;
        if let Some(user) = other_user()? {
            chown(folder.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(failed)?;
        }
        let data = folder.path().join("data");
        let mut make = as_other_user(&programs.join("initdb"))?;
        let made = make
            .args(["--username=postgres", "--auth=trust", "--pgdata"])
            .arg(&data)
            .output()
            .map_err(failed)?;
        if !made.status.success() {
            return Err(failed(String::from_utf8_lossy(&made.stderr)));
        }
        let log = std::fs::File::create(folder.path().join("log")).map_err(failed)?;
        let process = as_other_user(&programs.join("postgres"))?
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "unix_socket_permissions=0777", "-k"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(failed)?;
        let cluster = Self { process, programs, folder, made: AtomicU32::new(0) };
        wait_until("PostgreSQL", Duration::from_secs(60), || {
            let ready = cluster.client("pg_isready").output().map_err(failed)?;
            Ok(ready.status.success().then_some(()))
        })?;
        Ok(Some(cluster))
    }

    /// A new database; what `server.toml` says of it.
    pub(super) fn database(&self) -> Result<countersign_server::config::Store, Trouble> {
        let name = format!("bench{}", self.made.fetch_add(1, Ordering::SeqCst));
        let made = self.client("createdb").arg(&name).output().map_err(failed)?;
        if !made.status.success() {
            return Err(failed(String::from_utf8_lossy(&made.stderr)));
        }
        let address = format!("host={} user=postgres dbname={name}", self.folder.path().display());
        Ok(countersign_server::config::Store {
            postgres: Some(address.parse().map_err(failed)?),
            password_file: None,
        })
    }

    /// Processor time of those of its processes that live still, in seconds.
    pub(super) fn cpu(&self) -> Result<f64, Trouble> {
        Ok(Cost::of_children(self.process.id())?.as_secs_f64())
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.arg("--host").arg(self.folder.path()).arg("--username=postgres");
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It ends its connections and what it wrote; already gone is as good.
        if let Ok(pid) = i32::try_from(self.process.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
        }
        let _ = self.process.wait();
    }
}

/// It refuses to run as root.
fn other_user() -> Result<Option<User>, Trouble> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let user = User::from_name("postgres").map_err(failed)?;
    user.map(Some).ok_or_else(|| failed("there is no user postgres"))
}

fn as_other_user(program: &Path) -> Result<Command, Trouble> {
    let mut command = Command::new(program);
    command.current_dir("/");
    if let Some(user) = other_user()? {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    Ok(command)
}
