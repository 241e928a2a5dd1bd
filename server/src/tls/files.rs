//! The two files, read and compared.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use countersign_protocol::clock::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::expires;
use crate::config::Tls;

/// Where certificate and key lie.
#[derive(Debug, Clone)]
pub struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What to speak TLS with.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// For new connections.
    pub config: Arc<ServerConfig>,
    /// When the server's own certificate ends.
    pub expires: Timestamp,
    /// When the first of those ends that stand behind it in the file. A client need not use it: many a file carries an old one.
    pub chain_expires: Option<Timestamp>,
}

/// The files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not readable, or not PEM.
    #[error("{}: {what}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// Everybody may read the key.
    #[error("{path} may be read by everybody; run: chmod o= {path}", path = .0.display())]
    TooOpen(PathBuf),
    /// The two do not belong together, or the library does not know them.
    #[error("{} and {} cannot be used together: {what}", .certificate.display(), .key.display())]
    Pair {
        /// The one.
        certificate: PathBuf,
        /// The other.
        key: PathBuf,
        /// Why.
        what: String,
    },
    /// Too late.
    #[error("{} ended at {at}; renew it", .path.display())]
    Expired {
        /// Which.
        path: PathBuf,
        /// When.
        at: Timestamp,
    },
}

impl From<&Tls> for Files {
    fn from(tls: &Tls) -> Self {
        Self { certificate: tls.certificate.clone(), key: tls.key.clone() }
    }
}

impl Files {
    /// Reads both, and sees that they belong together and can be used at `now`.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(&self, now: Timestamp) -> Result<Loaded, TlsError> {
        let wrong = |what: String| TlsError::File { path: self.certificate.clone(), what };
        let text = std::fs::read(&self.certificate).map_err(|error| wrong(error.to_string()))?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(error.to_string()))?;
        let own = chain.first().and_then(|own| expires(own));
        let chain_expires = chain.iter().skip(1).filter_map(|one| expires(one)).min();
        let expires = own.ok_or_else(|| wrong("holds no certificate in PEM".into()))?;
        if expires <= now {
            return Err(TlsError::Expired { path: self.certificate.clone(), at: expires });
        }
        let key = self.read_key()?;
        let pair = |error: rustls::Error| TlsError::Pair {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            what: error.to_string(),
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(pair)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Loaded { config: Arc::new(config), expires, chain_expires })
    }

    fn read_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let wrong = |what: String| TlsError::File { path: self.key.clone(), what };
        let metadata = std::fs::metadata(&self.key).map_err(|error| wrong(error.to_string()))?;
        // Its group may be that of everything that serves with it.
        if metadata.mode() & 0o007 != 0 {
            return Err(TlsError::TooOpen(self.key.clone()));
        }
        let text = Zeroizing::new(std::fs::read(&self.key).map_err(|error| wrong(error.to_string()))?);
        PrivateKeyDer::from_pem_slice(&text).map_err(|error| wrong(error.to_string()))
    }

    /// Another value whenever a file was replaced or written: device, inode, length and time of each.
    pub(super) fn stamp(&self) -> [Option<[i64; 5]>; 2] {
        [&self.certificate, &self.key].map(|path| {
            let found = std::fs::metadata(path).ok()?;
            let number = |value: u64| i64::from_ne_bytes(value.to_ne_bytes());
            Some([
                number(found.dev()),
                number(found.ino()),
                number(found.size()),
                found.mtime(),
                found.mtime_nsec(),
            ])
        })
    }
}
