//! Numbers that are written in hexadecimal.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::InvalidId;
use crate::random::{self, NoRandomness, Random};

macro_rules! text_forms {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

macro_rules! fixed_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; $len]);

        impl $name {
            /// From raw bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = InvalidId { expected: $expected };
                let mut bytes = [0; $len];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| invalid.clone())?;
                let value = Self(bytes);
                // One spelling only: lower case.
                if value.to_string() == text { Ok(value) } else { Err(invalid) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        text_forms!($name);
    };
}

fixed_bytes!(
    /// 128 random bits that name one message for ever.
    MessageId,
    16,
    "a message id (32 lower-case hexadecimal digits)"
);

fixed_bytes!(
    /// 256 random bits, used once.
    Nonce,
    32,
    "a nonce (64 lower-case hexadecimal digits)"
);

fixed_bytes!(
    /// A SHA-256 digest.
    Digest,
    32,
    "a SHA-256 digest (64 lower-case hexadecimal digits)"
);

impl MessageId {
    /// A fresh one.
    ///
    /// # Errors
    /// The kernel gave no randomness.
    pub fn new(random: &dyn Random) -> Result<Self, NoRandomness> {
        random::array(random).map(Self)
    }
}

impl Nonce {
    /// A fresh one.
    ///
    /// # Errors
    /// The kernel gave no randomness.
    pub fn new(random: &dyn Random) -> Result<Self, NoRandomness> {
        random::array(random).map(Self)
    }
}

impl Digest {
    /// The SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

/// An OpenPGP fingerprint: 20 bytes (v4) or 32 (v6), written in upper case as gpg does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(Vec<u8>);

impl Fingerprint {
    /// From raw bytes.
    ///
    /// # Errors
    /// Neither 20 nor 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidId> {
        match bytes.len() {
            20 | 32 => Ok(Self(bytes.to_vec())),
            _ => Err(InvalidId { expected: FINGERPRINT }),
        }
    }

    /// The raw bytes: 20 or 32.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For people: groups of four.
    #[must_use]
    pub fn spaced(&self) -> String {
        let text = self.to_string();
        let mut spaced = String::with_capacity(text.len() * 5 / 4);
        for (at, c) in text.chars().enumerate() {
            if at > 0 && at % 4 == 0 {
                spaced.push(' ');
            }
            spaced.push(c);
        }
        spaced
    }
}

const FINGERPRINT: &str = "a full key fingerprint (40 or 64 hexadecimal digits)";

impl FromStr for Fingerprint {
    type Err = InvalidId;

    /// Spaces and lower case are welcome: people copy fingerprints from many places.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = hex::decode(compact).map_err(|_| InvalidId { expected: FINGERPRINT })?;
        Self::from_bytes(&bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(&self.0))
    }
}

text_forms!(Fingerprint);

/// The identity printed on an OpenPGP card: manufacturer and serial, `FFFE:0000AAAA` (card spec 3.4.1, 4.2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CardIdent {
    manufacturer: u16,
    serial: u32,
}

impl CardIdent {
    /// From the two numbers in the application identifier.
    #[must_use]
    pub const fn new(manufacturer: u16, serial: u32) -> Self {
        Self { manufacturer, serial }
    }

    /// The last four digits, which is what fits in a prompt.
    #[must_use]
    pub fn short(&self) -> String {
        format!("…{:04X}", self.serial & 0xFFFF)
    }

    /// The manufacturer's number, as registered with the card specification's authors.
    #[must_use]
    pub const fn manufacturer(&self) -> u16 {
        self.manufacturer
    }
}

impl FromStr for CardIdent {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId { expected: "a card number (like 0006:12345678)" };
        let (manufacturer, serial) = text.split_once(':').ok_or_else(|| invalid.clone())?;
        let digits =
            |part: &str, len: usize| part.len() == len && part.chars().all(|c| c.is_ascii_hexdigit());
        if !digits(manufacturer, 4) || !digits(serial, 8) {
            return Err(invalid);
        }
        Ok(Self {
            manufacturer: u16::from_str_radix(manufacturer, 16).map_err(|_| invalid.clone())?,
            serial: u32::from_str_radix(serial, 16).map_err(|_| invalid)?,
        })
    }
}

impl fmt::Display for CardIdent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}:{:08X}", self.manufacturer, self.serial)
    }
}

text_forms!(CardIdent);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_people_paste_it() {
        let spaced = "0123 4567 89ab cdef 0123  4567 89AB CDEF 0123 4567";
        let fingerprint: Fingerprint = spaced.parse().unwrap();
        assert_eq!(fingerprint.to_string(), "0123456789ABCDEF0123456789ABCDEF01234567");
        assert!("0123".parse::<Fingerprint>().is_err());
    }

    #[test]
    fn a_digest_has_one_spelling() {
        let digest = Digest::of(b"x");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert!(digest.to_string().to_uppercase().parse::<Digest>().is_err());
    }

    #[test]
    fn a_card_ident_reads_back() {
        let ident: CardIdent = "FFFE:0000AAAA".parse().unwrap();
        assert_eq!(ident.to_string(), "FFFE:0000AAAA");
        assert_eq!(ident.short(), "…AAAA");
        assert!("FFFE:+000AAAA".parse::<CardIdent>().is_err());
    }
}
