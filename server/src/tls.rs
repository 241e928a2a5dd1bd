//! TLS by the server itself: files of its own, read again when they change.
//!
//! TLS is an extra coat: envelopes are sealed by themselves. So a bad new file takes nobody's service away; the old one
//! stays in use, and a line in the log says so.

mod expiry;
mod files;
mod renewal;

pub use expiry::expires;
pub use files::{Files, Loaded, TlsError};
pub use renewal::{Live, Renewed};
