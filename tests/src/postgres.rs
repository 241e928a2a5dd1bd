//! A PostgreSQL of one's own: a new cluster in a temporary folder, reached by its socket there and by nobody else.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};

use crate::trouble::{Attempt as _, Trouble};
use crate::waiting::wait_until;

/// Where Debian puts the programs of each version.
const PROGRAMS: &str = "/usr/lib/postgresql";

/// It does not run as root. Debian's package makes this user.
const OWNER: &str = "postgres";

/// The cluster's own name for whoever may do everything in it.
const SUPERUSER: &str = "countersign";

/// As most of them have it: texts that are compared without saying how are not in the order of their bytes.
const A_LANGUAGES_ORDER: &[&str] = &["--locale-provider=icu", "--icu-locale=en-US"];

/// How long it takes to start, also after a crash.
const SOON: Duration = Duration::from_secs(60);

/// A running PostgreSQL. It ends when this is dropped, and with the thread that started it.
pub struct Postgres {
    folder: tempfile::TempDir,
    programs: PathBuf,
    owner: User,
    process: Child,
}

impl Postgres {
    /// Starts one in the folder for temporary files.
    ///
    /// # Errors
    /// It is not installed, or does not start; with what it said.
    pub fn start() -> Result<Self, Trouble> {
        Self::start_below(&std::env::temp_dir())
    }

    /// Starts one in a new folder below `place`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_below(place: &Path) -> Result<Self, Trouble> {
        let programs = programs()?;
        let owner = User::from_name(OWNER).ok().flatten();
        let owner = owner.ok_or_else(|| Trouble::Machine(format!("there is no user {OWNER}")))?;
        let folder = tempfile::Builder::new().prefix("countersign-pg-").tempdir_in(place);
        let folder = folder.attempt(|| "make a folder for PostgreSQL".to_owned())?;
        chown(folder.path(), Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))
            .attempt(|| format!("give {} to {OWNER}", folder.path().display()))?;
        let initdb = |order: &[&str]| {
            let mut initdb = as_owner(&owner, &programs.join("initdb"));
            initdb.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--username", SUPERUSER]);
            let output = initdb.args(order).arg("--pgdata").arg(folder.path().join("data")).output();
            said("initdb", &output.attempt(|| "run initdb".to_owned())?)
        };
        initdb(A_LANGUAGES_ORDER).or_else(|_before_version_15| initdb(&[]))?;
        let process = serve(&folder, &programs, &owner)?;
        let mut this = Self { folder, programs, owner, process };
        this.wait()?;
        Ok(this)
    }

    /// How clients are told where it is; the name of a database is to be added.
    #[must_use]
    pub fn address(&self) -> String {
        format!("host={} user={SUPERUSER}", self.folder.path().display())
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// What PostgreSQL said.
    pub fn create_database(&self, name: &str) -> Result<(), Trouble> {
        let mut createdb = as_owner(&self.owner, &self.programs.join("createdb"));
        createdb.args(["--username", SUPERUSER, "--host"]).arg(self.folder.path()).arg(name);
        said("createdb", &createdb.output().attempt(|| "run createdb".to_owned())?)
    }

    /// Ends it as a crash does, and starts it again: it has its log to find out what was committed.
    ///
    /// # Errors
    /// It does not come back.
    pub fn crash_and_start(&mut self) -> Result<(), Trouble> {
        self.stop();
        self.process = serve(&self.folder, &self.programs, &self.owner)?;
        self.wait()
    }

    /// Starts it again if it ended, whoever ended it.
    ///
    /// # Errors
    /// It does not come back.
    pub fn start_if_it_ended(&mut self) -> Result<(), Trouble> {
        let ended = self.process.try_wait().attempt(|| "look after PostgreSQL".to_owned())?;
        if ended.is_some() { self.crash_and_start() } else { Ok(()) }
    }

    fn stop(&mut self) {
        let _gone = self.process.id().try_into().map(|pid| kill(Pid::from_raw(pid), Signal::SIGQUIT));
        let _reaped = self.process.wait();
    }

    fn wait(&mut self) -> Result<(), Trouble> {
        wait_until("PostgreSQL to take connections", SOON, || {
            let mut ready = as_owner(&self.owner, &self.programs.join("pg_isready"));
            let ready = ready.arg("--quiet").arg("--host").arg(self.folder.path()).status();
            if ready.is_ok_and(|status| status.success()) {
                return Ok(Some(()));
            }
            match self.process.try_wait().attempt(|| "look after PostgreSQL".to_owned())? {
                None => Ok(None),
                Some(status) => {
                    let output = std::fs::read_to_string(log(&self.folder)).unwrap_or_default();
                    let program = "postgres".to_owned();
                    Err(Trouble::Program { program, status: status.to_string(), output })
                }
            }
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(folder: &tempfile::TempDir, programs: &Path, owner: &User) -> Result<Child, Trouble> {
    let log = log(folder);
    let log = std::fs::File::options().create(true).append(true).open(&log);
    let log = log.attempt(|| "write PostgreSQL's log".to_owned())?;
    let errors = log.try_clone().attempt(|| "share PostgreSQL's log".to_owned())?;
    as_owner(owner, &programs.join("postgres"))
        .arg("-D")
        .arg(folder.path().join("data"))
        .arg("-k")
        .arg(folder.path())
        .args(["-c", "listen_addresses=", "-c", "max_connections=400", "-c", "fsync=on"])
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .attempt(|| "start postgres".to_owned())
}

fn log(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("log")
}

/// A program that runs as the owner, and dies with us.
fn as_owner(owner: &User, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={}", owner.uid))
        .arg(format!("--regid={}", owner.gid))
        .args(["--clear-groups", "--pdeathsig=QUIT", "--"])
        .arg(program)
        .current_dir("/");
    command
}

/// The newest version that is installed.
fn programs() -> Result<PathBuf, Trouble> {
    let versions = std::fs::read_dir(PROGRAMS).into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse::<u32>().ok()?, version.path())))
        .max();
    let missing = || Trouble::Machine(format!("PostgreSQL is not installed: nothing in {PROGRAMS}"));
    Ok(newest.ok_or_else(missing)?.1.join("bin"))
}

fn said(program: &str, output: &Output) -> Result<(), Trouble> {
    if output.status.success() {
        return Ok(());
    }
    let (program, status) = (program.to_owned(), output.status.to_string());
    Err(Trouble::Program { program, status, output: String::from_utf8_lossy(&output.stderr).into_owned() })
}
