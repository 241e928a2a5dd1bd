//! The data folder: keys, database, and the rule that nobody else may read them.

mod ledger_pub;
mod private_file;

pub use ledger_pub::{publish_ledger_pub, read_ledger_pub};
pub use private_file::{read_private, replace_private, write_private};

use std::path::{Path, PathBuf};

/// The folder that `init` made.
#[derive(Debug, Clone)]
pub struct DataFolder {
    root: PathBuf,
}

/// The folder or a file in it is not as it must be.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Not there.
    #[error("{} does not exist; make a server with: countersign-server init --data DIR --url URL", .0.display())]
    Missing(PathBuf),
    /// Something is there already.
    #[error("{} is not empty; a server is made once. Choose another folder, or move that one away", .0.display())]
    NotEmpty(PathBuf),
    /// Others may read or change it.
    #[error("{path} has mode {mode:04o}, so that others could read it; run: chmod {wanted:o} {path}", path = .path.display())]
    TooOpen {
        /// Which.
        path: PathBuf,
        /// What it has.
        mode: u32,
        /// What it must have.
        wanted: u32,
    },
    /// Others may write it.
    #[error("{path} has mode {mode:04o}, so that others could write it; run: chmod 644 {path}", path = .path.display())]
    Writable {
        /// Which.
        path: PathBuf,
        /// What it has.
        mode: u32,
    },
    /// The API does not know whose word counts.
    #[error(
        "{} does not exist; the auth server writes it into its own data folder when it starts. Copy it from there",
        .0.display()
    )]
    NoLedgerPub(PathBuf),
    /// It belongs to somebody else.
    #[error("{path} belongs to user {owner}, and this program runs as {me}; run it as that user, or chown the file", path = .path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        me: u32,
    },
    /// Not a regular file.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Reading or writing failed.
    #[error("{}: {error}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The content is not what this program wrote.
    #[error("{}: {what}; restore it from a backup", .path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl DataFolder {
    /// The folder at `root`, whether or not it is there.
    #[must_use]
    pub const fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// Makes it, private and empty.
    ///
    /// # Errors
    /// [`DataError::NotEmpty`] if there is anything in it.
    pub fn create(&self) -> Result<(), DataError> {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        let io = |error| DataError::Io { path: self.root.clone(), error };
        match std::fs::read_dir(&self.root) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(DataError::NotEmpty(self.root.clone()));
                }
                std::fs::set_permissions(&self.root, std::fs::Permissions::from_mode(0o700)).map_err(io)?;
            }
            Err(_) => {
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.root).map_err(io)?;
            }
        }
        private_file::check_folder(&self.root)
    }

    /// Makes it if it is not there, and checks that it is private.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn prepare(&self) -> Result<(), DataError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let io = |error| DataError::Io { path: self.root.clone(), error };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.root).map_err(io)?;
        private_file::check_folder(&self.root)
    }

    /// Checks that it is there and private.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn check(&self) -> Result<(), DataError> {
        if self.server_key().exists() {
            private_file::check_folder(&self.root)
        } else {
            Err(DataError::Missing(self.server_key()))
        }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The server's OpenPGP key.
    #[must_use]
    pub fn server_key(&self) -> PathBuf {
        self.root.join("server.key")
    }

    /// The ledger's signing key, and its public half behind it.
    #[must_use]
    pub fn ledger_key(&self) -> PathBuf {
        self.root.join("ledger.key")
    }

    /// What the ledger is checked with, and nothing secret: all that the API needs of this folder.
    #[must_use]
    pub fn ledger_pub(&self) -> PathBuf {
        self.root.join("ledger.pub")
    }

    /// The key under the digests of codes.
    #[must_use]
    pub fn pepper(&self) -> PathBuf {
        self.root.join("codes.key")
    }

    /// The key that seals replies at rest.
    #[must_use]
    pub fn store_key(&self) -> PathBuf {
        self.root.join("replies.key")
    }

    /// The database, where it is a file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("countersign.db")
    }

    /// The configuration that `init` writes.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join("server.toml")
    }

    /// The bundle of an application.
    #[must_use]
    pub fn bundle(&self, application: &str) -> PathBuf {
        self.root.join(format!("{application}.application.json"))
    }
}
