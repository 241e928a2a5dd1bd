//! `[proxy]`: whose word counts about where a message comes from.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Proxies of one's own in front of this server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    /// Their addresses. What they append to `X-Forwarded-For` is the sender's address; from anybody else it is ignored.
    pub trusted: Vec<IpAddr>,
}
