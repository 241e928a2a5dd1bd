//! Hosts and people of the bench: their keys are in software, and what the server knows of them is a row.

use std::time::Duration;

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::curve25519::SoftwareKey;
use countersign_protocol::envelope::BoxedSigner;
use countersign_protocol::ids::{AccountName, Fingerprint};
use countersign_tests::Trouble;
use sequoia_openpgp::Profile;
use sequoia_openpgp::cert::{CertBuilder, CipherSuite};
use sequoia_openpgp::types::KeyFlags;

use super::failed;

/// How long before the bench everything was registered, in seconds.
const BEFORE: i64 = 3600;

/// The life of a host's session key.
const SESSION: Duration = Duration::from_secs(24 * 3600);

/// Somebody with a card, whose key is in software here.
pub(super) struct Person {
    pub(super) account: AccountName,
    signer: SoftwareKey,
    /// Opens what is sealed to the card.
    decryptor: SoftwareKey,
}

/// An enrolled host.
pub(super) struct Host {
    pub(super) fingerprint: Fingerprint,
    pub(super) session_key: Fingerprint,
    pub(super) cert: Cert,
    pub(super) decryptors: Vec<SoftwareKey>,
    signer: SoftwareKey,
}

impl Person {
    /// The `number`th, and the certificate that is registered.
    pub(super) fn make(number: usize, now: Timestamp) -> Result<(Self, Cert), Trouble> {
        let name = format!("p{number:06}");
        let secret = certificate::generate_software(&name, now.plus(-BEFORE), None).map_err(failed)?;
        let primary = certificate::fingerprint(&secret).map_err(failed)?;
        let signer = certificate::signer_of(&secret, &primary).map_err(failed)?;
        let decryptors = certificate::decryptors_of(&secret, now).map_err(failed)?;
        let decryptor = decryptors.into_iter().next().ok_or_else(|| failed("nothing can be sealed to it"))?;
        let account = name.parse().map_err(failed)?;
        Ok((Self { account, signer, decryptor }, secret.strip_secret_key_material()))
    }

    pub(super) fn signer(&self) -> BoxedSigner {
        Box::new(self.signer.clone())
    }

    pub(super) fn decryptor(&self) -> SoftwareKey {
        self.decryptor.clone()
    }
}

impl Host {
    /// A new one, with a session key as agents announce it.
    pub(super) fn make(now: Timestamp) -> Result<Self, Trouble> {
        let (secret, _revocation) = CertBuilder::new()
            .set_cipher_suite(CipherSuite::Cv25519)
            .set_profile(Profile::RFC4880)
            .map_err(failed)?
            .set_creation_time(now.plus(-BEFORE).to_system_time())
            .set_primary_key_flags(KeyFlags::empty().set_certification().set_signing())
            .add_userid("host")
            .add_subkey(KeyFlags::empty().set_signing(), SESSION, None)
            .add_transport_encryption_subkey()
            .generate()
            .map_err(failed)?;
        let fingerprint = certificate::fingerprint(&secret).map_err(failed)?;
        let session_key = certificate::signing_keys(&secret, now)
            .into_iter()
            .find(|key| *key != fingerprint)
            .ok_or_else(|| failed("the host has no session key"))?;
        Ok(Self {
            signer: certificate::signer_of(&secret, &session_key).map_err(failed)?,
            decryptors: certificate::decryptors_of(&secret, now).map_err(failed)?,
            cert: secret.strip_secret_key_material(),
            fingerprint,
            session_key,
        })
    }

    pub(super) fn signer(&self) -> BoxedSigner {
        Box::new(self.signer.clone())
    }
}
