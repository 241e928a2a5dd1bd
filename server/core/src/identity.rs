//! Who the server is: its OpenPGP key.

use countersign_protocol::certificate::{self, Cert, CertificateError};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::BoxedSigner;
use countersign_protocol::ids::Fingerprint;
use sequoia_openpgp::crypto::KeyPair;

/// The server's certificate and what its secret keys can do.
pub struct Identity {
    certificate: Cert,
    fingerprint: Fingerprint,
    signer: KeyPair,
    decryptors: Vec<KeyPair>,
    url: String,
}

impl Identity {
    /// From the server's certificate with its secret keys, and the URL at which hosts reach the server.
    ///
    /// # Errors
    /// It cannot sign or decrypt now.
    pub fn new(secret: &Cert, url: String, now: Timestamp) -> Result<Self, CertificateError> {
        certificate::check(secret, now)?;
        let fingerprint = certificate::fingerprint(secret)?;
        let key = certificate::signing_keys(secret, now)
            .into_iter()
            .next()
            .ok_or(CertificateError::NoKey("signing"))?;
        Ok(Self {
            signer: certificate::signer_of(secret, &key)?,
            decryptors: certificate::decryptors_of(secret, now)?,
            certificate: secret.clone().strip_secret_key_material(),
            fingerprint,
            url,
        })
    }

    /// The public certificate.
    #[must_use]
    pub const fn certificate(&self) -> &Cert {
        &self.certificate
    }

    /// Its primary fingerprint.
    #[must_use]
    pub const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Where hosts reach the server.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Signs replies.
    #[must_use]
    pub fn signer(&self) -> BoxedSigner {
        Box::new(self.signer.clone())
    }

    /// Opens envelopes.
    #[must_use]
    pub fn decryptors(&self) -> Vec<KeyPair> {
        self.decryptors.clone()
    }
}
