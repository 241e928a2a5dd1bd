//! `[keys]`: how long the server's subkeys are used.

use serde::{Deserialize, Serialize};

use super::Unfit;

/// How long the server's subkeys are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// Days after which new ones are made, where the primary key is in the data folder.
    pub rotate_days: u32,
}

impl Default for Keys {
    fn default() -> Self {
        Self { rotate_days: 7 }
    }
}

impl Keys {
    /// Longest time.
    const DAYS: u32 = 90;

    /// Neither at once nor never.
    pub(super) fn check(&self) -> Result<(), Unfit> {
        if (1..=Self::DAYS).contains(&self.rotate_days) {
            return Ok(());
        }
        let days = self.rotate_days;
        Err(Unfit::new("keys.rotate_days", format!("is {days}; 1 to {} are possible", Self::DAYS)))
    }
}
