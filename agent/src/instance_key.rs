//! This host's own keys.

mod session_keys;

pub use session_keys::{RENEW_BEFORE, SessionKeys};
