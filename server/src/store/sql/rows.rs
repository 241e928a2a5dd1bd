//! From columns to types and back. A value that does not parse was not written by this program.

use std::str::FromStr;

use countersign_protocol::clock::Timestamp;
use countersign_server_core::store::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) fn parsed<T: FromStr>(text: &str, what: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| corrupt(what))
}

pub(super) fn bytes<const N: usize>(blob: &[u8], what: &str) -> Result<[u8; N], StoreError> {
    blob.try_into().map_err(|_| corrupt(what))
}

pub(super) fn json<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| corrupt(what))
}

pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unavailable(error.to_string()))
}

pub(super) fn number(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value)
        .map_err(|_| StoreError::Unavailable(format!("{value} is more than a database can count")))
}

pub(super) fn count(value: i64, what: &str) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| corrupt(what))
}

pub(super) const fn time(at: Timestamp) -> i64 {
    at.seconds()
}

pub(super) fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(what.to_owned())
}
