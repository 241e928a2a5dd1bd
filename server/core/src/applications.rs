//! Registered software. Its key travels with every copy: it identifies and throttles, and grants nothing (W1).

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, ApplicationName, Digest, Fingerprint, VersionName};
use countersign_protocol::life::{Life, NotFrom, Step};

use crate::store::StoreError;

/// One application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its name.
    pub name: ApplicationName,
    /// Primary fingerprint of the key that its copies say hello with.
    pub fingerprint: Fingerprint,
    /// That certificate, binary.
    pub certificate: Vec<u8>,
    /// Where it stands. Only an active one gets new instances; those enrolled stay what they are.
    pub state: Life,
    /// Whose it is. None of the first one, which came with the server.
    pub owner: Option<AccountName>,
    /// When it was registered.
    pub created: Timestamp,
}

/// A version that was published. Its digest never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its name.
    pub name: VersionName,
    /// SHA-256 of what was published.
    pub digest: Digest,
    /// What is new in it.
    pub notes: String,
    /// When it was published.
    pub published: Timestamp,
    /// When it was retired: no new instances of it from then on.
    pub retired: Option<Timestamp>,
    /// Instances that said they run it.
    pub hosts: u64,
}

impl Application {
    /// The same after a step.
    ///
    /// # Errors
    /// [`NotFrom`]: there is no such step from where it stands.
    pub fn after(self, step: Step) -> Result<Self, NotFrom> {
        Ok(Self { state: self.state.after(step)?, ..self })
    }
}

/// Looking applications up.
pub trait ApplicationRead {
    /// The application whose key has this primary fingerprint.
    ///
    /// # Errors
    /// [`StoreError`].
    fn application(&self, key: &Fingerprint) -> Result<Option<Application>, StoreError>;

    /// The application of this name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn application_named(&self, name: &ApplicationName) -> Result<Option<Application>, StoreError>;
}

/// Applications in a store.
pub trait ApplicationStore: ApplicationRead {
    /// Adds an application, if name and key are free.
    ///
    /// # Errors
    /// [`StoreError`].
    fn add_application(&self, application: &Application) -> Result<bool, StoreError>;

    /// From one state to another, if it is in the first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn move_application(
        &self,
        name: &ApplicationName,
        from: Life,
        to: Life,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Up to `most` applications after this name, by name; of one owner, if there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    fn applications_after(
        &self,
        after: &str,
        owner: Option<&AccountName>,
        most: u64,
    ) -> Result<Vec<Application>, StoreError>;

    /// Adds a version to an active application, if there was never one of this name and fewer than
    /// [`VERSIONS`](countersign_protocol::limits::VERSIONS).
    ///
    /// # Errors
    /// [`StoreError`].
    fn publish_version(&self, application: &ApplicationName, version: &Version) -> Result<bool, StoreError>;

    /// Retires a version, if it is not retired.
    ///
    /// # Errors
    /// [`StoreError`].
    fn retire_version(
        &self,
        application: &ApplicationName,
        version: &VersionName,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// A version of an application.
    ///
    /// # Errors
    /// [`StoreError`].
    fn version(
        &self,
        application: &ApplicationName,
        version: &VersionName,
    ) -> Result<Option<Version>, StoreError>;

    /// All versions of an application, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn versions(&self, application: &ApplicationName) -> Result<Vec<Version>, StoreError>;
}
