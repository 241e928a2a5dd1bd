//! The primary key: what names the server for ever, and vouches for its subkeys.

use countersign_protocol::certificate::{self, Cert, CertificateError};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Fingerprint;
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::serialize::SerializeInto as _;
use zeroize::Zeroizing;

use crate::data::{DataError, DataFolder, read_private, replace_private};
use countersign_server_core::server_keys::ServerKeys;

/// How much earlier than it was made it claims to be, in seconds: as its first subkeys.
const BACKDATE: i64 = 3600;

/// The primary key, as it lies in its file: with its secret, or without.
pub struct Primary {
    certificate: Cert,
    fingerprint: Fingerprint,
}

/// A new one.
///
/// # Errors
/// The library fails.
pub fn new_primary(now: Timestamp) -> Result<Cert, CertificateError> {
    certificate::generate_server("countersign-server", now.plus(-BACKDATE))
}

/// The certificate with the secret of its primary key, and of no other.
///
/// # Errors
/// The library fails.
pub fn secret_form(cert: &Cert) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let primary = cert.fingerprint();
    let bytes = cert.as_tsk().set_filter(move |key| key.fingerprint() == primary).armored().to_vec();
    bytes.map(Zeroizing::new).map_err(|error| CertificateError::Library(error.to_string()))
}

/// Subkeys with their secrets, to be brought to a server.
///
/// # Errors
/// The library fails.
pub fn subkeys_form(keys: &ServerKeys) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    keys.to_file()
}

impl Primary {
    /// From the data folder.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn read(folder: &DataFolder) -> Result<Self, DataError> {
        let path = folder.server_key();
        let bytes = read_private(&path)?;
        Self::parse(&bytes).map_err(|error| DataError::Content { path, what: error.to_string() })
    }

    /// From bytes, armoured or not.
    ///
    /// # Errors
    /// Not one certificate.
    pub fn parse(bytes: &[u8]) -> Result<Self, CertificateError> {
        let malformed =
            |error: sequoia_openpgp::anyhow::Error| CertificateError::Malformed(error.to_string());
        let certificate = Cert::from_bytes(bytes).map_err(malformed)?;
        Ok(Self { fingerprint: certificate::fingerprint(&certificate)?, certificate })
    }

    /// The certificate, with the secret if it is there.
    #[must_use]
    pub const fn certificate(&self) -> &Cert {
        &self.certificate
    }

    /// What names the server.
    #[must_use]
    pub const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Whether it can vouch for new subkeys.
    #[must_use]
    pub fn has_secret(&self) -> bool {
        self.certificate.primary_key().key().has_unencrypted_secret()
    }

    /// Takes the secrets of subkeys out of the file, where an early version kept them.
    pub(super) fn leave_nothing_but_itself(&self, folder: &DataFolder) -> Result<(), DataError> {
        if self.certificate.keys().subkeys().unencrypted_secret().next().is_none() {
            return Ok(());
        }
        let path = folder.server_key();
        let bytes = secret_form(&self.certificate)
            .map_err(|error| DataError::Content { path: path.clone(), what: error.to_string() })?;
        replace_private(&path, &bytes)
    }

    /// Takes the secret out of the file, for good.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn forget(&self, folder: &DataFolder) -> Result<(), DataError> {
        let path = folder.server_key();
        let public = self.certificate.clone().strip_secret_key_material().armored().to_vec();
        let public =
            public.map_err(|error| DataError::Content { path: path.clone(), what: error.to_string() })?;
        replace_private(&path, &public)
    }
}
