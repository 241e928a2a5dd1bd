//! `/var/lib/countersign/pam-backup`: what was there before, what is waiting to be confirmed, and one at a time.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{Digest, LoginName, ServiceName};
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

/// One path that is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
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
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
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
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Enabled {
    pub(crate) system: System,
    pub(crate) since: Timestamp,
    pub(crate) entries: Vec<Entry>,
}

/// The folder, held by this process alone.
pub(crate) struct Store {
    _lock: Flock<File>,
}

impl Store {
    /// Opens it, and waits for nobody.
    pub(crate) fn open() -> Result<Self, Failure> {
        Self::open_with(FlockArg::LockExclusiveNonblock)
    }

    /// Opens it when whoever is at it has ended.
    pub(crate) fn open_in_turn() -> Result<Self, Failure> {
        Self::open_with(FlockArg::LockExclusive)
    }

    fn open_with(how: FlockArg) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            Failure::file(format!("{FOLDER} cannot be used: {error}"))
                .then("Make room or mend the file system.")
        };
        DirBuilder::new().recursive(true).mode(0o700).create(FOLDER).map_err(failed)?;
        let path = Path::new(FOLDER).join(LOCK);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        match Flock::lock(file, how) {
            Ok(lock) => Ok(Self { _lock: lock }),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                Err(Failure::local(LocalKind::File, "another `countersign pam` is at work on this host")
                    .then("Wait for it to end, and run this again."))
            }
            Err((_, error)) => Err(failed(error.into())),
        }
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

/// Whether another `countersign pam` is at work.
pub(crate) fn is_in_use() -> bool {
    Store::open().is_err()
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
