//! The long poll by which a host learns at once that it must check in.

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, LoginName, ServiceName};

/// "Tell me as soon as a check-in with these names would bring another revision than this."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// From the last [`CheckInReply`](super::CheckInReply).
    pub revision: Digest,
    /// As in the check-in that brought it.
    pub logins: Vec<LoginName>,
    /// As in the check-in that brought it.
    pub services: Vec<ServiceName>,
}

/// Sent as soon as something changed, else after [`limits::WATCH`](crate::limits::WATCH).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchReply {
    /// Check in now. Otherwise: watch again.
    pub changed: bool,
}
