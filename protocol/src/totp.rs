//! The secret that an authenticator program keeps, and the address by which it learns it (RFC 6238; SHA-1, six digits,
//! thirty seconds, which is what such programs want).

use std::fmt;

use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::random::{self, NoRandomness, Random};

/// Bytes of a secret: as many as SHA-1 yields (RFC 4226, 4).
pub const SECRET: usize = 20;

/// How long a code is shown, in seconds.
pub const STEP: u64 = 30;

/// Digits of a code.
pub const DIGITS: usize = 6;

/// Base 32 (RFC 4648, 6).
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A secret. It shows itself nowhere but on the wire and where it is asked.
pub struct TotpSecret(SecretBox<[u8; SECRET]>);

/// Not the base 32 of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret of an authenticator program has 32 characters of A-Z 2-7")]
pub struct NotASecret;

impl TotpSecret {
    /// A fresh one.
    ///
    /// # Errors
    /// No randomness.
    pub fn new(random: &dyn Random) -> Result<Self, NoRandomness> {
        Ok(Self::from_bytes(random::array(random)?))
    }

    /// Of its bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; SECRET]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// Its bytes, for whoever computes a code or seals it.
    #[must_use]
    pub fn expose(&self) -> &[u8; SECRET] {
        self.0.expose_secret()
    }

    /// As authenticator programs have it typed: base 32 without padding.
    #[must_use]
    pub fn base32(&self) -> SecretString {
        let mut text = String::with_capacity(SECRET * 8 / 5);
        for five in self.expose().chunks(5) {
            let bits = five.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
            for at in (0..8).rev() {
                let index = usize::try_from((bits >> (5 * at)) & 31).unwrap_or(0);
                text.extend(ALPHABET.get(index).map(|&c| char::from(c)));
            }
        }
        text.into()
    }

    fn parse(text: &str) -> Result<Self, NotASecret> {
        if text.len() != SECRET * 8 / 5 {
            return Err(NotASecret);
        }
        let mut bytes = SecretBox::new(Box::new([0_u8; SECRET]));
        let filled = secrecy::ExposeSecretMut::expose_secret_mut(&mut bytes);
        for (five, eight) in filled.chunks_mut(5).zip(text.as_bytes().chunks(8)) {
            let mut bits = 0_u64;
            for character in eight {
                let value = ALPHABET.iter().position(|c| c == character).ok_or(NotASecret)?;
                bits = (bits << 5) | u64::try_from(value).unwrap_or(0);
            }
            for (byte, of) in five.iter_mut().zip(bits.to_be_bytes().iter().skip(3)) {
                *byte = *of;
            }
        }
        Ok(Self(bytes))
    }

    /// The address that an authenticator program reads from a picture: `otpauth://totp/ISSUER:ACCOUNT?secret=…`.
    #[must_use]
    pub fn address(&self, issuer: &str, account: &str) -> SecretString {
        let (issuer, account) = (escaped(issuer), escaped(account));
        let secret = self.base32();
        // Everything but the secret is what such programs take for granted, and is left out: the picture gets smaller.
        format!("otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}", secret.expose_secret()).into()
    }
}

/// Percent-encoded but for what needs it nowhere (RFC 3986, 2.3).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

impl Clone for TotpSecret {
    fn clone(&self) -> Self {
        Self::from_bytes(*self.expose())
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret")
    }
}

/// For bodies of messages, which compare as a whole in tests.
impl PartialEq for TotpSecret {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.expose().as_slice(), other.expose().as_slice()).into()
    }
}

impl Eq for TotpSecret {}

/// Only ever into an envelope, or into the reply to the person whose it is.
impl Serialize for TotpSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.base32().expose_secret())
    }
}

impl<'de> Deserialize<'de> for TotpSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SecretString::deserialize(deserializer)?;
        // The text itself is in no error.
        Self::parse(text.expose_secret()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_in_base_32_and_read_back() {
        // RFC 6238, appendix B: the secret of its vectors for SHA-1.
        let secret = TotpSecret::from_bytes(*b"12345678901234567890");
        assert_eq!(secret.base32().expose_secret(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let wire = serde_json::to_string(&secret).unwrap();
        assert_eq!(serde_json::from_str::<TotpSecret>(&wire).unwrap(), secret);
        for bad in
            ["\"\"", "\"gezdgnbvgy3tqojqgezdgnbvgy3tqojq\"", "\"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1\"", "7"]
        {
            assert!(serde_json::from_str::<TotpSecret>(bad).is_err(), "{bad}");
        }
        assert_eq!(format!("{secret:?}"), "TotpSecret");
    }

    #[test]
    fn an_address_holds_no_name_that_could_be_more_than_a_name() {
        let secret = TotpSecret::from_bytes(*b"12345678901234567890");
        let address = secret.address("auth.example.org:8443", "ana");
        assert_eq!(
            address.expose_secret(),
            "otpauth://totp/auth.example.org%3A8443:ana?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=auth.example.org%3A8443"
        );
        assert!(!secret.address("a&secret=x", "b#?").expose_secret().contains("&secret=x"));
    }
}
