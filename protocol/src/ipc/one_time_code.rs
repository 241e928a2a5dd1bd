//! A one-time code on its way from the command line to the agent.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, Serializer};

/// As it was typed, or as the server made it. It shows itself nowhere but in the request.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct OneTimeCode(SecretString);

impl OneTimeCode {
    /// Of its text.
    #[must_use]
    pub const fn new(text: SecretString) -> Self {
        Self(text)
    }

    /// For the message to the server.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeCode")
    }
}

impl PartialEq for OneTimeCode {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.expose().as_bytes(), other.expose().as_bytes()).into()
    }
}

impl Eq for OneTimeCode {}

impl Serialize for OneTimeCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}
