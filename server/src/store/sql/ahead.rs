//! What will be asked, asked all at once: where the database is another process, one answer is waited for instead of many.

use countersign_server_core::store::{Expected, StoreError};

use super::value::Parameter as _;
use super::{Reading, Sql, Value, accounts, forgetting, instances, keys, ledger, policies, replies};

/// A statement that reads one row, or none, with its one parameter, if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Question {
    /// The statement.
    pub(in super::super) sql: &'static str,
    key: Option<Key>,
}

/// The name of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Text(String),
    Blob(Vec<u8>),
}

impl Question {
    /// What whoever writes asks, who names these rows.
    pub(in super::super) fn to_write(rows: &[Expected<'_>]) -> Vec<Self> {
        let of_all = [forgetting::FORGOTTEN, policies::newest(), ledger::TIP].map(Self::of_all);
        of_all.into_iter().chain(rows.iter().map(Self::of_one)).collect()
    }

    const fn of_all(sql: &'static str) -> Self {
        Self { sql, key: None }
    }

    fn of_one(expected: &Expected<'_>) -> Self {
        let (sql, key) = match expected {
            Expected::Reply(id) => (replies::ONE, Key::Blob(id.as_bytes().to_vec())),
            Expected::Nonce(nonce) => (keys::NONCE, Key::Blob(nonce.as_bytes().to_vec())),
            Expected::Instance(fingerprint) => (instances::one(), Key::Text(fingerprint.to_string())),
            Expected::Account(name) => (accounts::one(), Key::Text(name.to_string())),
        };
        Self { sql, key: Some(key) }
    }

    /// Its parameter.
    pub(in super::super) fn name(&self) -> Option<Value<'_>> {
        self.key.as_ref().map(|key| match key {
            Key::Text(text) => text.value(),
            Key::Blob(bytes) => bytes.value(),
        })
    }

    /// Whether it is about no row of its own: the answer is the same for one message and the next, until somebody writes.
    pub(in super::super) const fn is_of_all(&self) -> bool {
        self.key.is_none()
    }

    /// Whether this is what is asked.
    pub(in super::super) fn is(&self, sql: &str, params: &[Value<'_>]) -> bool {
        self.sql == sql && self.name().as_slice() == params
    }
}

impl<D: Reading> Sql<D> {
    /// The rows that somebody names.
    pub(super) fn look_ahead(&self, rows: &[Expected<'_>]) -> Result<(), StoreError> {
        if !self.0.looks_ahead() {
            return Ok(());
        }
        self.0.look_ahead(rows.iter().map(Question::of_one).collect())
    }
}
