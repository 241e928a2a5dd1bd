//! `[tls]`: the files with which this server speaks TLS itself.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Both, or no TLS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate and those between it and its root, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}
