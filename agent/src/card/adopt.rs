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
        judge(self.seen(card)?.signing_key.ok_or(CardError::NoKey)?, certificate, now)
    }
}

fn judge(key: Fingerprint, certificate: &Cert, now: Timestamp) -> Result<Fingerprint, CardError> {
    Kind::of(&component(certificate, &key)?)?;
    if certificate::signing_keys(certificate, now).contains(&key) {
        Ok(key)
    } else if valid_but_for_its_hashes(certificate, &key, now) {
        Err(CardError::Sha1Bindings)
    } else {
        Err(CardError::NotInCertificate(key))
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

#[cfg(test)]
mod tests {
    use openpgp::Packet;
    use openpgp::packet::UserID;
    use openpgp::packet::signature::SignatureBuilder;
    use openpgp::types::{KeyFlags, SignatureType};

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    /// A certificate of one key, its binding made with this hash.
    fn bound_with(hash: HashAlgorithm) -> (Fingerprint, Cert) {
        let software = certificate::generate_software("ana", NOW, None).unwrap();
        let key = certificate::fingerprint(&software).unwrap();
        let mut signer = certificate::signer_of(&software, &key).unwrap();
        let primary = software.primary_key().key().clone().parts_into_public();
        let user_id = UserID::from("ana");
        let binding = SignatureBuilder::new(SignatureType::PositiveCertification)
            .set_hash_algo(hash)
            .set_signature_creation_time(NOW.to_system_time())
            .unwrap()
            .set_key_flags(KeyFlags::empty().set_certification().set_signing())
            .unwrap()
            .sign_userid_binding(&mut signer, &primary, &user_id)
            .unwrap();
        let packets = [Packet::from(primary), user_id.into(), binding.into()];
        (key, Cert::from_packets(packets.into_iter()).unwrap())
    }

    #[test]
    fn sha1_bindings_are_refused_and_the_fix_is_told() {
        let (key, modern) = bound_with(HashAlgorithm::SHA256);
        assert_eq!(judge(key.clone(), &modern, NOW), Ok(key));
        let (key, old) = bound_with(HashAlgorithm::SHA1);
        let refused = judge(key, &old, NOW).unwrap_err();
        assert_eq!(refused, CardError::Sha1Bindings);
        assert!(refused.to_string().contains("--quick-set-expire"));
    }

    #[test]
    fn a_key_that_is_not_the_certificates_is_refused() {
        let (key, _) = bound_with(HashAlgorithm::SHA256);
        let (_, other) = bound_with(HashAlgorithm::SHA256);
        assert_eq!(judge(key.clone(), &other, NOW), Err(CardError::NotInCertificate(key)));
    }
}
