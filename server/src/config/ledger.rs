//! `[ledger]`: whom the ledger is told.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Unfit;

/// Whom the ledger is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    /// The Unix datagram socket of a syslog that takes every entry.
    pub syslog: Option<PathBuf>,
}

impl Ledger {
    pub(super) fn check(&self) -> Result<(), Unfit> {
        match &self.syslog {
            Some(path) if !path.is_absolute() => Err(Unfit::new(
                "ledger.syslog",
                format!(
                    "is {:?}; name the socket by its whole path, such as \"/dev/log\"",
                    path.display().to_string()
                ),
            )),
            _ => Ok(()),
        }
    }
}
