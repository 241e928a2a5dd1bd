//! What the codes have in common that people keep on paper: sixteen characters, shown nowhere, with one spelling.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::crockford;
use crate::random::{NoRandomness, Random};

/// Groups of four characters, 20 bits each: 80 bits.
pub const GROUPS: usize = 4;

/// Sixteen characters, without separators. It shows itself nowhere but on the wire and where [`Self::spelled`] is asked.
#[derive(Clone)]
pub(crate) struct PaperCode(SecretString);

impl PaperCode {
    pub(crate) fn fresh(random: &dyn Random) -> Result<Self, NoRandomness> {
        crockford::fresh(random, GROUPS).map(Self)
    }

    /// What a person typed: any case, with spaces and dashes. `None` if that is no code.
    pub(crate) fn typed(text: &str) -> Option<Self> {
        let plain = crockford::typed(text);
        crockford::is_code(&plain, GROUPS).then_some(Self(plain))
    }

    /// For the paper: `7K3M-Q2ZD-04XR-9HFT`.
    pub(crate) fn spelled(&self) -> SecretString {
        crockford::spelled(&self.0)
    }

    /// The characters alone.
    pub(crate) fn plain(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for PaperCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// For bodies of messages and replies, which compare as a whole in tests.
impl PartialEq for PaperCode {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.plain().as_bytes(), other.plain().as_bytes()).into()
    }
}

impl Eq for PaperCode {}

/// Only ever into an envelope, or into the reply to the person whose it is.
impl Serialize for PaperCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.spelled().expose_secret())
    }
}

impl<'de> Deserialize<'de> for PaperCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SecretString::deserialize(deserializer)?;
        // One spelling on the wire. The text itself is in no error.
        let code = Self::typed(text.expose_secret())
            .filter(|code| code.spelled().expose_secret() == text.expose_secret());
        code.ok_or_else(|| {
            serde::de::Error::custom("no code of 16 digits and letters, such as 7K3M-Q2ZD-04XR-9HFT")
        })
    }
}
