//! A card with keys made elsewhere, and the certificate that goes with it.

use sequoia_openpgp as openpgp;

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{CardIdent, Fingerprint};
use openpgp::policy::StandardPolicy;
use openpgp::types::HashAlgorithm;

use super::key::Kind;
use super::{CardError, Cards, component};

impl Cards {
    /// The certificate's component key that this card signs with.
    ///
    /// # Errors
    /// [`CardError::NoKey`], [`CardError::NotInCertificate`], [`CardError::Sha1Bindings`] with the fix told,
    /// [`CardError::UnsupportedKey`].
    pub fn check_adoptable(
        &self,
        card: CardIdent,
        certificate: &Cert,
        now: Timestamp,
    ) -> Result<Fingerprint, CardError> {
        let key = self.seen(card)?.signing_key.ok_or(CardError::NoKey)?;
        Kind::of(&component(certificate, &key)?)?;
        if certificate::signing_keys(certificate, now).contains(&key) {
            Ok(key)
        } else if valid_but_for_its_hashes(certificate, &key, now) {
            Err(CardError::Sha1Bindings)
        } else {
            Err(CardError::NotInCertificate(key))
        }
    }
}

/// Asked for an explanation, never for a decision.
fn valid_but_for_its_hashes(certificate: &Cert, key: &Fingerprint, now: Timestamp) -> bool {
    let mut lenient = StandardPolicy::new();
    lenient.accept_hash(HashAlgorithm::SHA1);
    certificate
        .keys()
        .with_policy(&lenient, now.to_system_time())
        .alive()
        .revoked(false)
        .for_signing()
        .any(|candidate| candidate.key().fingerprint().as_bytes() == key.as_bytes())
}
