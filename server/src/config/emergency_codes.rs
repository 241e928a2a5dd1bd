//! `[emergency_codes]`: codes on paper, for the day without a card.

use serde::{Deserialize, Serialize};

/// Codes on paper, for the day without a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmergencyCodes {
    /// Whether there are any. Where not, none is made, and none made before is good for anything.
    pub allowed: bool,
}

impl Default for EmergencyCodes {
    fn default() -> Self {
        Self { allowed: true }
    }
}
