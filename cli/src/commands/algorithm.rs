//! Kinds of keys, as people choose them.

use clap::ValueEnum;

/// What kind of keys a card shall make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    Curve25519,
    NistP256,
    NistP384,
    #[value(name = "rsa2048")]
    Rsa2048,
    #[value(name = "rsa3072")]
    Rsa3072,
    #[value(name = "rsa4096")]
    Rsa4096,
}

impl Algorithm {
    /// The word that the agent knows.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Curve25519 => "curve25519",
            Self::NistP256 => "nist-p256",
            Self::NistP384 => "nist-p384",
            Self::Rsa2048 => "rsa2048",
            Self::Rsa3072 => "rsa3072",
            Self::Rsa4096 => "rsa4096",
        }
    }
}
