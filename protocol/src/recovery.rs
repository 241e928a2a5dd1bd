//! The recovery code of an account: on paper, for the day on which all its cards are lost.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use crate::paper_code::GROUPS;
use crate::paper_code::PaperCode;

/// A recovery code, in its one spelling. It opens nothing by itself: whoever has it may ask that another card becomes the
/// account's. It shows itself nowhere but on the wire and where [`Self::spelled`] is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecoveryCode(PaperCode);

/// What was typed has another length, or characters that no code has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a recovery code has 16 digits and letters, such as 7K3M-Q2ZD-04XR-9HFT")]
pub struct NotACode;

impl RecoveryCode {
    /// What a person typed: any case, with spaces and dashes.
    ///
    /// # Errors
    /// [`NotACode`].
    pub fn typed(text: &str) -> Result<Self, NotACode> {
        PaperCode::typed(text).map(Self).ok_or(NotACode)
    }

    /// For the paper: `7K3M-Q2ZD-04XR-9HFT`.
    #[must_use]
    pub fn spelled(&self) -> SecretString {
        self.0.spelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_code_shows_itself_nowhere_and_has_one_spelling_on_the_wire() {
        let code = RecoveryCode::typed("7k3m q2zd 04xr 9hft").unwrap();
        assert_eq!(format!("{code:?}"), "RecoveryCode(…)");
        let wire = serde_json::to_string(&code).unwrap();
        assert_eq!(wire, "\"7K3M-Q2ZD-04XR-9HFT\"");
        assert_eq!(serde_json::from_str::<RecoveryCode>(&wire).unwrap(), code);
        for other in ["\"7k3m-q2zd-04xr-9hft\"", "\"7K3MQ2ZD04XR9HFT\"", "\"\"", "7"] {
            assert!(serde_json::from_str::<RecoveryCode>(other).is_err(), "{other}");
        }
        for none in ["", "7K3M-Q2ZD", "7K3M-Q2ZD-04XR-9HFTT", "7K3M-Q2ZD-04XR-9HFU"] {
            assert_eq!(RecoveryCode::typed(none), Err(NotACode), "{none}");
        }
    }
}
