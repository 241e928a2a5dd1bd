//! The recovery code of an account: on paper, for the day on which all its cards are lost.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::crockford;

/// Groups of four characters, 20 bits each: 80 bits.
pub const GROUPS: usize = 4;

/// A recovery code, in its one spelling. It opens nothing by itself: whoever has it may ask that another card becomes the
/// account's. It shows itself nowhere but on the wire and where [`Self::spelled`] is asked.
#[derive(Clone)]
pub struct RecoveryCode(SecretString);

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
        let plain = crockford::typed(text);
        if crockford::is_code(&plain, GROUPS) { Ok(Self(plain)) } else { Err(NotACode) }
    }

    /// For the paper: `7K3M-Q2ZD-04XR-9HFT`.
    #[must_use]
    pub fn spelled(&self) -> SecretString {
        crockford::spelled(&self.0)
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode")
    }
}

/// For bodies of messages and replies, which compare as a whole in tests.
impl PartialEq for RecoveryCode {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.0.expose_secret().as_bytes(), other.0.expose_secret().as_bytes())
            .into()
    }
}

impl Eq for RecoveryCode {}

/// Only ever into the reply to the person whose it is.
impl Serialize for RecoveryCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.spelled().expose_secret())
    }
}

impl<'de> Deserialize<'de> for RecoveryCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SecretString::deserialize(deserializer)?;
        let code = Self::typed(text.expose_secret()).map_err(serde::de::Error::custom)?;
        // One spelling on the wire. The text itself is in no error.
        if code.spelled().expose_secret() == text.expose_secret() {
            Ok(code)
        } else {
            Err(serde::de::Error::custom(NotACode))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_code_shows_itself_nowhere_and_has_one_spelling_on_the_wire() {
        let code = RecoveryCode::typed("7k3m q2zd 04xr 9hft").unwrap();
        assert_eq!(format!("{code:?}"), "RecoveryCode");
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
