//! Registered software. Its key travels with every copy: it identifies and throttles, and grants nothing (W1).

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{ApplicationName, Fingerprint};

use crate::refusal::Reason;
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
    /// Where it stands.
    pub state: ApplicationState,
}

/// Where an application stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplicationState {
    /// Its copies may say hello.
    Active,
    /// No new instances; those enrolled stay what they are.
    Withdrawn,
}

impl ApplicationState {
    /// The word in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl Application {
    /// No new instances from now on.
    ///
    /// # Errors
    /// It was withdrawn before.
    pub fn withdraw(self) -> Result<Self, Reason> {
        match self.state {
            ApplicationState::Active => Ok(Self { state: ApplicationState::Withdrawn, ..self }),
            ApplicationState::Withdrawn => Err(Reason::ApplicationWithdrawn),
        }
    }
}

/// Looking applications up.
pub trait ApplicationRead {
    /// The application whose key has this primary fingerprint.
    ///
    /// # Errors
    /// [`StoreError`].
    fn application(&self, key: &Fingerprint) -> Result<Option<Application>, StoreError>;
}

/// Applications in a store.
pub trait ApplicationStore: ApplicationRead {
    /// Adds an application, if name and key are free.
    ///
    /// # Errors
    /// [`StoreError`].
    fn add_application(&self, application: &Application, at: Timestamp) -> Result<bool, StoreError>;

    /// Withdraws an active application.
    ///
    /// # Errors
    /// [`StoreError`].
    fn withdraw_application(&self, name: &ApplicationName, at: Timestamp) -> Result<bool, StoreError>;
}
