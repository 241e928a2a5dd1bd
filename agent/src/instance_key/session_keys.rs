//! The keys of a few hours that sign and decrypt in the instance's name.

use countersign_protocol::certificate::{self, Cert, CertificateError};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::curve25519::SoftwareKey;
use countersign_protocol::envelope::BoxedSigner;
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::limits;

/// New keys claim to be this much older than they are: a server whose clock is a little behind ours would
/// take them for keys from the future. Never older than the primary key.
const BACKDATE: i64 = limits::CLOCK_SKEW / 2;

/// How long before their end the keys are replaced.
pub const RENEW_BEFORE: i64 = limits::SESSION_KEY_LIFE / 8;

/// One signing and one decryption key, and the certificate that binds them. In locked memory, never on disk –
/// except while an enrolment is under way, which would not survive a restart otherwise.
#[derive(Clone)]
pub struct SessionKeys {
    cert: Cert,
    signing_key: Fingerprint,
    until: Timestamp,
}

impl SessionKeys {
    /// Generates a pair and has `primary` bind it to `base`, the certificate of the instance's primary key.
    ///
    /// # Errors
    /// The library or the card fails.
    pub fn generate(base: &Cert, mut primary: BoxedSigner, now: Timestamp) -> Result<Self, CertificateError> {
        let born = Timestamp::from(base.primary_key().key().creation_time());
        let created = now.plus(-BACKDATE).max(born);
        let (cert, signing_key) =
            certificate::with_new_subkeys(base, &mut *primary, created, limits::SESSION_KEY_LIFE)?;
        Ok(Self { cert, signing_key, until: created.plus(limits::SESSION_KEY_LIFE) })
    }

    /// The instance's certificate with these keys. Its public form is what the server gets.
    #[must_use]
    pub const fn certificate(&self) -> &Cert {
        &self.cert
    }

    /// The signing key.
    #[must_use]
    pub const fn signing_key(&self) -> &Fingerprint {
        &self.signing_key
    }

    /// When both end.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// Whether it is time for others.
    #[must_use]
    pub const fn must_be_renewed(&self, now: Timestamp) -> bool {
        self.until.seconds_since(now) < RENEW_BEFORE
    }

    /// Signs envelopes.
    ///
    /// # Errors
    /// The library fails.
    pub fn signer(&self) -> Result<BoxedSigner, CertificateError> {
        Ok(Box::new(certificate::signer_of(&self.cert, &self.signing_key)?))
    }

    /// Open envelopes.
    ///
    /// # Errors
    /// They ended.
    pub fn decryptors(&self, now: Timestamp) -> Result<Vec<SoftwareKey>, CertificateError> {
        certificate::decryptors_of(&self.cert, now)
    }

    /// For an enrolment under way: the secret form, and back.
    ///
    /// # Errors
    /// The library fails.
    pub fn to_secret_bytes(&self) -> Result<zeroize::Zeroizing<Vec<u8>>, CertificateError> {
        certificate::to_secret_bytes(&self.cert)
    }

    /// Reads [`Self::to_secret_bytes`].
    ///
    /// # Errors
    /// Not what was written.
    pub fn from_secret_bytes(bytes: &[u8]) -> Result<Self, CertificateError> {
        let cert = certificate::parse_secret(bytes)?;
        let newest = cert
            .keys()
            .subkeys()
            .unencrypted_secret()
            .filter(|key| key.key().pk_algo().for_signing())
            .max_by_key(|key| key.key().creation_time())
            .ok_or(CertificateError::NoKey("session signing"))?;
        let signing_key = certificate::our_fingerprint(&newest.key().fingerprint())?;
        let created = Timestamp::from(newest.key().creation_time());
        Ok(Self { cert, signing_key, until: created.plus(limits::SESSION_KEY_LIFE) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn keys() -> (Cert, SessionKeys) {
        let base = certificate::generate_software("instance", NOW.plus(-600), None).unwrap();
        let primary = certificate::fingerprint(&base).unwrap();
        let signer = certificate::signer_of(&base, &primary).unwrap();
        let base = base.retain_subkeys(|_| false);
        let keys = SessionKeys::generate(&base, Box::new(signer), NOW).unwrap();
        (base, keys)
    }

    #[test]
    fn session_keys_are_good_for_their_hours_and_not_after() {
        let (_, keys) = keys();
        assert!(certificate::signing_keys(keys.certificate(), NOW).contains(keys.signing_key()));
        let late = keys.until().plus(1);
        assert!(!certificate::signing_keys(keys.certificate(), late).contains(keys.signing_key()));
        assert!(!keys.must_be_renewed(NOW));
        assert!(keys.must_be_renewed(keys.until().plus(-60)));
    }

    #[test]
    fn the_secret_primary_key_is_not_among_the_session_keys() {
        let (base, keys) = keys();
        assert!(base.primary_key().key().has_secret());
        assert!(!keys.certificate().primary_key().key().has_secret());
        let public = certificate::parse(&certificate::to_bytes(keys.certificate()).unwrap()).unwrap();
        assert_eq!(certificate::signing_keys(&public, NOW).len(), 2, "primary and session key");
    }

    #[test]
    fn an_interrupted_enrolment_finds_its_keys_again() {
        let (_, keys) = keys();
        let again = SessionKeys::from_secret_bytes(&keys.to_secret_bytes().unwrap()).unwrap();
        assert_eq!(again.signing_key(), keys.signing_key());
        assert_eq!(again.until(), keys.until());
        again.signer().unwrap();
        assert_eq!(again.decryptors(NOW).unwrap().len(), 1);
    }
}
