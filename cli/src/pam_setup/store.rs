//! `/var/lib/countersign/pam-backup`: what was there before, what is waiting to be confirmed, and one at a time.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{Digest, LoginName, ServiceName};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::kept::{self, Content};
use super::{boot_clock, system::System};
use crate::failure::{Failure, LocalKind};

/// Only root looks in here.
pub(crate) const FOLDER: &str = "/var/lib/countersign/pam-backup";

/// There while a change waits to be confirmed: the unit that puts it back at boot looks for it.
const PENDING: &str = "pending.json";
const ENABLED: &str = "enabled.json";
const LOCK: &str = "lock";
const ATTEMPT: &str = "attempt";

/// One path that is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    /// As it was.
    pub(crate) before: Content,
    /// As we left it; none while we are at it.
    pub(crate) after: Option<Content>,
}

/// How far a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    /// Files are being changed, or the trial login is on.
    Changing,
    /// Everything works; somebody must say so.
    Waiting,
    /// Somebody did; it only has to be written down.
    Confirmed,
}

/// A change that is put back unless it is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Pending {
    pub(crate) stage: Stage,
    pub(crate) system: System,
    /// In which boot. In any other it is put back at once.
    pub(crate) boot: String,
    /// Seconds since that boot.
    pub(crate) due: i64,
    /// The same for people.
    pub(crate) until: Timestamp,
    pub(crate) users: Vec<LoginName>,
    pub(crate) services: Vec<ServiceName>,
    pub(crate) entries: Vec<Entry>,
}

impl Pending {
    /// Whether its time is over.
    pub(crate) fn is_due(&self) -> Result<bool, Failure> {
        Ok(self.boot != boot_clock::boot()? || boot_clock::seconds()? >= self.due)
    }
}

/// What `disable` puts back: how files were before the first change that was confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Enabled {
    pub(crate) system: System,
    pub(crate) since: Timestamp,
    pub(crate) entries: Vec<Entry>,
}

/// The folder, held by this process alone.
pub(crate) struct Store {
    _lock: Flock<File>,
}

/// How long somebody who types a command waits for another to end.
const TURN: Duration = Duration::from_secs(5);

impl Store {
    /// Opens it, and does not wait long for others.
    pub(crate) fn open() -> Result<Self, Failure> {
        const LOOK: Duration = Duration::from_millis(100);
        let start = Instant::now();
        loop {
            match lock(LOCK, FlockArg::LockExclusiveNonblock)? {
                Some(lock) => return Ok(Self { _lock: lock }),
                None if start.elapsed() < TURN => std::thread::sleep(LOOK),
                None => return Err(taken()),
            }
        }
    }

    /// Opens it when whoever is at it has ended.
    pub(crate) fn open_in_turn() -> Result<Self, Failure> {
        lock(LOCK, FlockArg::LockExclusive)?.map(|lock| Self { _lock: lock }).ok_or_else(taken)
    }

    pub(crate) fn pending(&self) -> Result<Option<Pending>, Failure> {
        pending()
    }

    pub(crate) fn enabled(&self) -> Result<Option<Enabled>, Failure> {
        enabled()
    }

    /// Keeps what is at a path, and returns it with its entry.
    pub(crate) fn keep(&self, path: &Path) -> Result<Entry, Failure> {
        let (before, bytes) = Content::at(path)?;
        if let Content::File { digest, .. } = &before {
            kept::place(&copy(digest), &bytes, 0o600, 0, 0)?;
        }
        Ok(Entry { path: path.to_owned(), before, after: None })
    }

    /// The bytes of a file that was kept.
    pub(crate) fn kept(&self, content: &Content) -> Result<Vec<u8>, Failure> {
        let Content::File { digest, .. } = content else { return Ok(Vec::new()) };
        let path = copy(digest);
        let bytes = fs::read(&path)
            .map_err(|error| Failure::file(format!("{} cannot be read: {error}", path.display())))?;
        if Digest::of(&bytes) != *digest {
            return Err(Failure::file(format!("{} is not what was kept there", path.display()))
                .then("Restore /etc/pam.d from your own backup."));
        }
        Ok(bytes)
    }

    pub(crate) fn set_pending(&self, pending: &Pending) -> Result<(), Failure> {
        write(PENDING, pending)
    }

    /// The change is over, one way or the other.
    pub(crate) fn end_pending(&self) -> Result<(), Failure> {
        remove(PENDING)?;
        self.forget_copies()
    }

    pub(crate) fn set_enabled(&self, enabled: &Enabled) -> Result<(), Failure> {
        write(ENABLED, enabled)
    }

    /// Forgets everything that was kept: it is all in its place again.
    pub(crate) fn end_enabled(&self) -> Result<(), Failure> {
        remove(ENABLED)?;
        self.forget_copies()
    }

    fn forget_copies(&self) -> Result<(), Failure> {
        if self.pending()?.is_none() && self.enabled()?.is_none() {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_dir_all(Path::new(FOLDER).join(COPIES));
        }
        Ok(())
    }
}

/// Held by whoever makes and tries a change, through the trial login too.
pub(crate) struct Attempt {
    _lock: Flock<File>,
}

impl Attempt {
    /// One at a time.
    pub(crate) fn begin() -> Result<Self, Failure> {
        lock(ATTEMPT, FlockArg::LockExclusiveNonblock)?.map(|lock| Self { _lock: lock }).ok_or_else(taken)
    }

    /// Whether somebody makes or tries a change right now.
    pub(crate) fn is_on() -> bool {
        // Shared: those who only look are in nobody's way.
        !matches!(lock(ATTEMPT, FlockArg::LockSharedNonblock), Ok(Some(_)))
    }
}

fn lock(name: &str, how: FlockArg) -> Result<Option<Flock<File>>, Failure> {
    let failed = |error: io::Error| {
        Failure::file(format!("{FOLDER} cannot be used: {error}")).then("Make room or mend the file system.")
    };
    DirBuilder::new().recursive(true).mode(0o700).create(FOLDER).map_err(failed)?;
    let mut options = OpenOptions::new();
    let file =
        options.write(true).create(true).truncate(false).mode(0o600).open(Path::new(FOLDER).join(name));
    match Flock::lock(file.map_err(failed)?, how) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => Err(failed(error.into())),
    }
}

fn taken() -> Failure {
    Failure::local(LocalKind::File, "another `countersign pam` is at work on this host")
        .then("Wait for it to end, and run this again.")
}

/// The change that waits, for those who only look.
pub(crate) fn pending() -> Result<Option<Pending>, Failure> {
    read(PENDING)
}

/// What was confirmed.
pub(crate) fn enabled() -> Result<Option<Enabled>, Failure> {
    read(ENABLED)
}

const COPIES: &str = "files";

fn copy(digest: &Digest) -> PathBuf {
    Path::new(FOLDER).join(COPIES).join(digest.to_string())
}

fn read<T: serde::de::DeserializeOwned>(name: &str) -> Result<Option<T>, Failure> {
    let path = Path::new(FOLDER).join(name);
    let failed = |what: String| {
        Failure::file(format!("{} {what}", path.display()))
            .then("Files as they were lie beside it. docs/pam.md says how to put them back by hand.")
    };
    match fs::read(&path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map(Some).map_err(|error| failed(format!("is damaged: {error}")))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(format!("cannot be read: {error}"))),
    }
}

fn write(name: &str, value: &impl Serialize) -> Result<(), Failure> {
    let bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| Failure::file(format!("{name} cannot be written as JSON: {error}")))?;
    kept::place(&Path::new(FOLDER).join(name), &bytes, 0o600, 0, 0)
}

fn remove(name: &str) -> Result<(), Failure> {
    kept::restore(&Path::new(FOLDER).join(name), &Content::Absent, &[])
}
