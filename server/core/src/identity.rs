//! Who the server is: its primary key's name, and what its subkeys can do now.

use countersign_protocol::certificate::{self, Cert, CertificateError, Pinned};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::curve25519::SoftwareKey;
use countersign_protocol::envelope::BoxedSigner;
use countersign_protocol::ids::{Digest, Fingerprint};

use crate::server_keys::ServerKeys;

/// The server's certificate, and what its secret keys can do.
pub struct Identity {
    announced: Cert,
    bytes: Vec<u8>,
    nobodys: Vec<u8>,
    archive: Cert,
    fingerprint: Fingerprint,
    pinned: Pinned,
    signer: SoftwareKey,
    decryptors: Vec<SoftwareKey>,
    url: String,
    version: u64,
    turns: Option<Timestamp>,
    ends: Option<Timestamp>,
    renewed: Option<Timestamp>,
    outlived: bool,
}

impl Identity {
    /// From the server's subkeys, of which version, and the URL at which hosts reach the server.
    ///
    /// # Errors
    /// They cannot sign or decrypt now.
    pub fn new(
        keys: &ServerKeys,
        version: u64,
        url: String,
        now: Timestamp,
    ) -> Result<Self, CertificateError> {
        let announced = keys.announced(now);
        certificate::check(&announced, now)?;
        let decryptors = keys.decryptors();
        if decryptors.is_empty() {
            return Err(CertificateError::NoKey("decryption"));
        }
        // The next moment at which another one signs, or one is told of no more.
        let moments = keys.pairs(now).into_iter().flat_map(|pair| [Some(pair.known_at()), pair.ends]);
        Ok(Self {
            bytes: certificate::to_bytes(&announced)?,
            nobodys: certificate::signing_part(&announced, &[], now)?,
            signer: keys.signer(now)?,
            fingerprint: keys.fingerprint()?,
            archive: keys.archive(),
            turns: moments.flatten().filter(|moment| *moment > now).min(),
            ends: keys.ends(now),
            renewed: keys.renewed_at(now),
            outlived: keys.outlived(now)?.is_some(),
            pinned: Pinned::of(&announced, now)?,
            announced,
            decryptors,
            url,
            version,
        })
    }

    /// The public certificate that hosts are told of.
    #[must_use]
    pub const fn certificate(&self) -> &Cert {
        &self.announced
    }

    /// Its binary form.
    #[must_use]
    pub fn certificate_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// As short as a person's, and nobody's: to do the same work for a name that nobody has.
    #[must_use]
    pub fn nobodys(&self) -> &[u8] {
        &self.nobodys
    }

    /// SHA-256 of that.
    #[must_use]
    pub fn certificate_digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// With every subkey that there was: for what was signed long ago.
    #[must_use]
    pub const fn archive(&self) -> &Cert {
        &self.archive
    }

    /// The same as a receiver of envelopes: its name, and what it understands.
    #[must_use]
    pub const fn pinned(&self) -> &Pinned {
        &self.pinned
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
    pub fn decryptors(&self) -> &[SoftwareKey] {
        &self.decryptors
    }

    /// Which version of the subkeys this is.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Whether it is another one at `now`, though the subkeys are the same.
    #[must_use]
    pub fn has_turned(&self, now: Timestamp) -> bool {
        self.turns.is_some_and(|turns| turns <= now)
    }

    /// Whether there are secrets that newer ones took the place of.
    #[must_use]
    pub const fn has_outlived_secrets(&self) -> bool {
        self.outlived
    }

    /// When the newest subkeys end, and when they were made.
    #[must_use]
    pub const fn newest(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.ends, self.renewed)
    }
}
