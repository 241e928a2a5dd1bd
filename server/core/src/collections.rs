//! Collections of documents: whose they are, who may grant on them, and who was granted what.
//!
//! The owner is an account with the role `resource`. It appoints accounts with the role `resource-administrator`, who may
//! grant on this collection and on no other.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, CollectionName};
use countersign_protocol::life::{Life, NotFrom, Step};
use countersign_protocol::message::result::{Access, Grant};

use crate::store::StoreError;

/// One collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Its name.
    pub name: CollectionName,
    /// Whose it is.
    pub owner: AccountName,
    /// The JSON Schema of its documents, as text.
    pub schema: Option<String>,
    /// Where it stands.
    pub state: Life,
    /// When it was made.
    pub created: Timestamp,
}

impl Collection {
    /// The same after a step.
    ///
    /// # Errors
    /// [`NotFrom`]: there is no such step from where it stands.
    pub fn after(self, step: Step) -> Result<Self, NotFrom> {
        Ok(Self { state: self.state.after(step)?, ..self })
    }
}

/// Looking at collections.
pub trait CollectionRead {
    /// The collection of this name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn collection(&self, name: &CollectionName) -> Result<Option<Collection>, StoreError>;
}

/// Collections in a store.
pub trait CollectionStore: CollectionRead {
    /// Adds a collection, if its name is free.
    ///
    /// # Errors
    /// [`StoreError`].
    fn add_collection(&self, collection: &Collection) -> Result<bool, StoreError>;

    /// Up to `most` collections after this name, by name; of those that `concerning` owns, administers, or was granted
    /// something on, if it is given.
    ///
    /// # Errors
    /// [`StoreError`].
    fn collections_after(
        &self,
        after: &str,
        concerning: Option<&AccountName>,
        most: u64,
    ) -> Result<Vec<Collection>, StoreError>;

    /// From one state to another, if it is in the first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn move_collection(
        &self,
        name: &CollectionName,
        from: Life,
        to: Life,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Puts another schema in force, if the collection is not retired.
    ///
    /// # Errors
    /// [`StoreError`].
    fn put_schema(&self, name: &CollectionName, schema: Option<&str>) -> Result<bool, StoreError>;

    /// Who may grant on it beside its owner, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn appointed(&self, name: &CollectionName) -> Result<Vec<AccountName>, StoreError>;

    /// Lets an account grant on it, if it may not yet.
    ///
    /// # Errors
    /// [`StoreError`].
    fn appoint(
        &self,
        name: &CollectionName,
        account: &AccountName,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Takes that away, if it has it. What it granted stays.
    ///
    /// # Errors
    /// [`StoreError`].
    fn dismiss(&self, name: &CollectionName, account: &AccountName) -> Result<bool, StoreError>;

    /// Who was granted what on it, by name; only `account`, if it is given.
    ///
    /// # Errors
    /// [`StoreError`].
    fn grants(&self, name: &CollectionName, account: Option<&AccountName>) -> Result<Vec<Grant>, StoreError>;

    /// Grants one kind of access, if the account does not have it.
    ///
    /// # Errors
    /// [`StoreError`].
    fn grant(
        &self,
        name: &CollectionName,
        account: &AccountName,
        access: Access,
        by: &AccountName,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Takes one kind of access away, if the account has it.
    ///
    /// # Errors
    /// [`StoreError`].
    fn withdraw(
        &self,
        name: &CollectionName,
        account: &AccountName,
        access: Access,
    ) -> Result<bool, StoreError>;
}
