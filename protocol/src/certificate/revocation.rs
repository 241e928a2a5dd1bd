//! Revocation certificates: what a key says of its own end.

use openpgp::packet::Signature;
use openpgp::parse::Parse as _;
use openpgp::serialize::SerializeInto as _;
use openpgp::types::{ReasonForRevocation, RevocationType, SignatureType};
use openpgp::{Packet, PacketPile};
use sequoia_openpgp as openpgp;

use super::{Cert, our_fingerprint};
use crate::clock::Timestamp;
use crate::ids::Fingerprint;
use crate::limits;

/// Revocation signatures as they came, of which nothing is known yet.
#[derive(Debug)]
pub struct Revocations(Vec<Signature>);

/// A revocation signature that a key made over itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// The signature, binary.
    pub signature: Vec<u8>,
    /// The key may be in other hands: nothing it signed is to be trusted any more, of whenever it is.
    pub hard: bool,
    /// Why, in one word for the ledger: what its owner wrote beside it is personal.
    pub reason: &'static str,
}

/// Why it revokes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// No OpenPGP, or none with a revocation signature over a whole key.
    #[error(
        "there is no revocation certificate in it. In the .rev file that GnuPG makes with each key, take the colon before \
         -----BEGIN away first"
    )]
    None,
    /// Larger than any.
    #[error("a revocation certificate has at most {max} bytes", max = limits::CERTIFICATE)]
    TooLarge,
    /// Not by the key itself, or not over it, or by weak means.
    #[error("the revocation certificate is not the key's own: {0}")]
    NotItsOwn(String),
    /// It would revoke the key later.
    #[error("the revocation certificate is dated ahead of the server's clock")]
    FromTheFuture,
}

/// Reads revocation signatures, by themselves or in a certificate, armoured or binary.
///
/// # Errors
/// [`RevocationError::None`] or [`RevocationError::TooLarge`].
pub fn read_revocations(bytes: &[u8]) -> Result<Revocations, RevocationError> {
    if bytes.len() > limits::CERTIFICATE {
        return Err(RevocationError::TooLarge);
    }
    let pile = PacketPile::from_bytes(bytes).map_err(|_| RevocationError::None)?;
    let found: Vec<Signature> = pile
        .into_children()
        .filter_map(|packet| match packet {
            Packet::Signature(signature) if signature.typ() == SignatureType::KeyRevocation => {
                Some(signature)
            }
            _ => None,
        })
        .take(limits::SUBKEYS)
        .collect();
    if found.is_empty() { Err(RevocationError::None) } else { Ok(Revocations(found)) }
}

impl Revocations {
    /// The keys that they say they are by. Anybody can say that.
    #[must_use]
    pub fn issuers(&self) -> Vec<Fingerprint> {
        let named = self.0.iter().flat_map(|signature| signature.issuer_fingerprints());
        named.filter_map(|issuer| our_fingerprint(issuer).ok()).collect()
    }

    /// The one with which this certificate's primary key ends itself, made before now. Somebody else's signature, though
    /// the key may have allowed it once, ends nothing.
    ///
    /// # Errors
    /// [`RevocationError`], of the last one.
    pub fn of(&self, cert: &Cert, now: Timestamp) -> Result<Revoked, RevocationError> {
        let mut why = RevocationError::None;
        for signature in &self.0 {
            match check(signature, cert, now) {
                Ok(revoked) => return Ok(revoked),
                Err(error) => why = error,
            }
        }
        Err(why)
    }
}

fn check(signature: &Signature, cert: &Cert, now: Timestamp) -> Result<Revoked, RevocationError> {
    let wrong = |error: openpgp::anyhow::Error| RevocationError::NotItsOwn(error.to_string());
    let key = cert.primary_key().key();
    signature.verify_primary_key_revocation(key, key).map_err(wrong)?;
    let security = openpgp::policy::HashAlgoSecurity::SecondPreImageResistance;
    openpgp::policy::Policy::signature(super::policy(), signature, security).map_err(wrong)?;
    let made = signature.signature_creation_time().map(Timestamp::from);
    if made.is_none_or(|made| made.seconds_since(now) > limits::CLOCK_SKEW) {
        return Err(RevocationError::FromTheFuture);
    }
    let code = signature.reason_for_revocation().map_or(ReasonForRevocation::Unspecified, |(code, _)| code);
    let reason = match code {
        ReasonForRevocation::KeyCompromised => "compromised",
        ReasonForRevocation::KeyRetired => "retired",
        ReasonForRevocation::KeySuperseded => "superseded",
        _ => "unspecified",
    };
    let hard = code.revocation_type() == RevocationType::Hard;
    let signature = Packet::from(signature.clone())
        .to_vec()
        .map_err(|error| RevocationError::NotItsOwn(error.to_string()))?;
    Ok(Revoked { signature, hard, reason })
}
