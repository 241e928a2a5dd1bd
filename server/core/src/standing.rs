//! How accounts, hosts, applications and policies stand in the tables, as the ledger says it with each change (W23).
//!
//! A message that may change a row has it looked at before ([`Watched::of`]) and after ([`Watched::note`]); the entry says
//! how it stood and how it stands. A row that the ledger says something else of was edited behind the server's back, and
//! one that was edited and then changed by a request does not fit together either: [`crate::audit`] finds both.

mod subject;
mod subjects;
mod watched;

pub use subject::{Collection, Subject};
pub(crate) use subjects::subjects;
pub use watched::{Stated, Watched, stated_in};

use std::collections::{BTreeMap, BTreeSet};

use countersign_protocol::ids::Digest;
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// Everything of a row that decides something, column by column: short values as they are, long ones by digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Standing(BTreeMap<String, String>);

/// Longest value that stands in an entry itself: a fingerprint, a handful of roles.
const SHORT: usize = 80;

impl Standing {
    /// Adds a column that holds text.
    pub fn text(&mut self, column: &str, value: Option<&str>) {
        let Some(value) = value else { return };
        let shown = if value.len() <= SHORT { value.to_owned() } else { digest(value.as_bytes()) };
        self.0.insert(column.to_owned(), shown);
    }

    /// Adds a column that holds bytes.
    pub fn bytes(&mut self, column: &str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.0.insert(column.to_owned(), digest(value));
        }
    }

    /// What an entry says of what was before, and what is kept of what the ledger says.
    #[must_use]
    pub fn digest(&self) -> String {
        let json = serde_json::to_vec(&self.0).unwrap_or_default();
        digest(&json)
    }

    /// The columns in which the other is not the same, and what they hold there.
    #[must_use]
    pub fn unlike<'a>(&'a self, other: &'a Self) -> Vec<(&'a str, Option<&'a str>, Option<&'a str>)> {
        let columns: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let value = |of: &'a Self, column: &String| of.0.get(column).map(String::as_str);
        columns
            .into_iter()
            .map(|column| (column.as_str(), value(self, column), value(other, column)))
            .filter(|(_, here, there)| here != there)
            .collect()
    }

    /// Adds what another table says.
    pub fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The value of a column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&str> {
        self.0.get(column).map(String::as_str)
    }
}

/// The first half of SHA-256: nobody finds two rows that are alike in it.
fn digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string().chars().take(32).collect()
}

/// Looking at rows.
pub trait StandingRead {
    /// How a row stands; none if there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    fn standing(&self, of: &Subject) -> Result<Option<Standing>, StoreError>;

    /// Up to `most` rows after this name, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn standings_after(
        &self,
        collection: Collection,
        after: &str,
        most: u64,
    ) -> Result<Vec<(String, Standing)>, StoreError>;

    /// The names of all rows, and how many have names that cannot be read.
    ///
    /// # Errors
    /// [`StoreError`].
    fn row_names(&self, collection: Collection) -> Result<(BTreeSet<String>, usize), StoreError>;
}
