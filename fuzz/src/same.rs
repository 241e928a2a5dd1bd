//! Written and read again, it is the same.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Whether these bytes are a `T`, which must be the same when it is written and read again.
pub(crate) fn json<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else { return false };
    let written = serde_json::to_vec(&value).unwrap_or_default();
    let again = serde_json::from_slice::<T>(&written).ok().and_then(|again| serde_json::to_vec(&again).ok());
    assert_eq!(again.as_deref(), Some(written.as_slice()), "written and read again it is another");
    true
}
