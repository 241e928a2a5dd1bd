//! OpenPGP certificates: read strictly, judged by one pinned policy.

use std::sync::LazyLock;

mod pinned;
mod revocation;
mod server_keys;
mod signing_part;
mod subkeys;

use sequoia_openpgp as openpgp;

pub use self::pinned::Pinned;
pub(crate) use self::pinned::PinnedKey;
pub use self::revocation::{RevocationError, Revocations, Revoked, read_revocations};
pub use self::server_keys::{can_be_spoken_to, generate_server, goes_on_from, takes_place_of};
pub use self::signing_part::signing_part;
pub use self::subkeys::with_new_subkeys;
pub use openpgp::Cert;
use openpgp::cert::{CertBuilder, CertParser, CipherSuite};
use openpgp::packet::Tag;
use openpgp::parse::Parse as _;
use openpgp::policy::{AsymmetricAlgorithm, StandardPolicy};
use openpgp::serialize::SerializeInto as _;
use openpgp::types::{HashAlgorithm, KeyFlags, RevocationStatus, SymmetricAlgorithm};

use crate::clock::Timestamp;
use crate::curve25519::SoftwareKey;
use crate::ids::{Digest, Fingerprint};
use crate::limits;

/// Why a certificate is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Over [`limits::CERTIFICATE`].
    #[error("the certificate is {0} bytes; at most {max} are accepted", max = limits::CERTIFICATE)]
    TooLarge(usize),
    /// Not one certificate.
    #[error("not exactly one OpenPGP certificate: {0}")]
    Malformed(String),
    /// Over [`limits::SUBKEYS`].
    #[error("the certificate has {0} subkeys; at most {max} are accepted", max = limits::SUBKEYS)]
    TooManySubkeys(usize),
    /// Secret keys do not belong into a certificate.
    #[error("this file holds a secret key; export the certificate alone (gpg --export)")]
    HoldsSecret,
    /// Our policy does not accept it.
    #[error(
        "the certificate is not acceptable: {0}. If its self-signatures use SHA-1, renew them: gpg --quick-set-expire"
    )]
    Rejected(String),
    /// It lacks a key for the purpose.
    #[error("the certificate has no {0} key that is valid now")]
    NoKey(&'static str),
    /// The library failed.
    #[error("OpenPGP: {0}")]
    Library(String),
}

/// The pinned suite (W27): what a message or a certificate asks for does not widen it.
#[must_use]
pub fn policy() -> &'static StandardPolicy<'static> {
    static POLICY: LazyLock<StandardPolicy<'static>> = LazyLock::new(|| {
        let mut policy = StandardPolicy::new();
        policy.reject_all_hashes();
        for hash in [HashAlgorithm::SHA256, HashAlgorithm::SHA384, HashAlgorithm::SHA512] {
            policy.accept_hash(hash);
        }
        policy.reject_all_symmetric_algos();
        for cipher in [SymmetricAlgorithm::AES256, SymmetricAlgorithm::AES128] {
            policy.accept_symmetric_algo(cipher);
        }
        policy.reject_all_asymmetric_algos();
        for algorithm in [
            AsymmetricAlgorithm::RSA2048,
            AsymmetricAlgorithm::RSA3072,
            AsymmetricAlgorithm::RSA4096,
            AsymmetricAlgorithm::NistP256,
            AsymmetricAlgorithm::NistP384,
            AsymmetricAlgorithm::NistP521,
            AsymmetricAlgorithm::EdDSA,
            AsymmetricAlgorithm::Cv25519,
            AsymmetricAlgorithm::Ed25519,
            AsymmetricAlgorithm::X25519,
        ] {
            policy.accept_asymmetric_algo(algorithm);
        }
        // Bombs come compressed; nothing of ours does.
        policy.reject_packet_tag(Tag::CompressedData);
        policy
    });
    &POLICY
}

/// Reads one certificate, binary or armoured.
///
/// # Errors
/// [`CertificateError`]; also for a second certificate, and for secret keys.
pub fn parse(bytes: &[u8]) -> Result<Cert, CertificateError> {
    let cert = parse_any(bytes)?;
    if cert.is_tsk() { Err(CertificateError::HoldsSecret) } else { Ok(cert) }
}

/// Reads one certificate with its secret keys, which are not password protected: files of root or a service.
///
/// # Errors
/// [`CertificateError`].
pub fn parse_secret(bytes: &[u8]) -> Result<Cert, CertificateError> {
    let cert = parse_any(bytes)?;
    if cert.is_tsk() { Ok(cert) } else { Err(CertificateError::NoKey("secret")) }
}

fn parse_any(bytes: &[u8]) -> Result<Cert, CertificateError> {
    if bytes.len() > limits::CERTIFICATE {
        return Err(CertificateError::TooLarge(bytes.len()));
    }
    let malformed = |error: openpgp::anyhow::Error| CertificateError::Malformed(error.to_string());
    let mut certs = CertParser::from_bytes(bytes).map_err(malformed)?;
    let cert = certs.next().ok_or_else(|| CertificateError::Malformed("empty".into()))?.map_err(malformed)?;
    if certs.next().is_some() {
        return Err(CertificateError::Malformed("more than one".into()));
    }
    let subkeys = cert.keys().subkeys().count();
    if subkeys > limits::SUBKEYS {
        return Err(CertificateError::TooManySubkeys(subkeys));
    }
    Ok(cert)
}

/// The public binary form. A commitment to a certificate is the digest of these bytes.
///
/// # Errors
/// The library cannot write it.
pub fn to_bytes(cert: &Cert) -> Result<Vec<u8>, CertificateError> {
    cert.to_vec().map_err(library)
}

/// The binary form with the secret keys.
///
/// # Errors
/// The library cannot write it.
pub fn to_secret_bytes(cert: &Cert) -> Result<zeroize::Zeroizing<Vec<u8>>, CertificateError> {
    cert.as_tsk().to_vec().map(zeroize::Zeroizing::new).map_err(library)
}

/// SHA-256 of [`to_bytes`].
///
/// # Errors
/// As [`to_bytes`].
pub fn commitment(cert: &Cert) -> Result<Digest, CertificateError> {
    Ok(Digest::of(&to_bytes(cert)?))
}

/// The primary key's fingerprint.
///
/// # Errors
/// A key version that this program does not know.
pub fn fingerprint(cert: &Cert) -> Result<Fingerprint, CertificateError> {
    our_fingerprint(&cert.fingerprint())
}

/// A fingerprint of the library as ours.
///
/// # Errors
/// A key version that this program does not know.
pub fn our_fingerprint(fingerprint: &openpgp::Fingerprint) -> Result<Fingerprint, CertificateError> {
    Fingerprint::from_bytes(fingerprint.as_bytes())
        .map_err(|_| CertificateError::Malformed("a key of an unknown version".into()))
}

/// Our fingerprint as the library's.
///
/// # Errors
/// The library does not know the length.
pub fn their_fingerprint(fingerprint: &Fingerprint) -> Result<openpgp::Fingerprint, CertificateError> {
    let version = if fingerprint.as_bytes().len() == 20 { 4 } else { 6 };
    openpgp::Fingerprint::from_bytes(version, fingerprint.as_bytes()).map_err(library)
}

/// The keys that may sign for this certificate at `now`: alive, not revoked, in the pinned suite.
#[must_use]
pub fn signing_keys(cert: &Cert, now: Timestamp) -> Vec<Fingerprint> {
    keys_for(cert, now, &KeyFlags::empty().set_signing())
}

/// The keys that its holder proves to be themself with elsewhere, such as to SSH: alive, not revoked, in the pinned
/// suite.
#[must_use]
pub fn authentication_keys(cert: &Cert, now: Timestamp) -> Vec<Fingerprint> {
    keys_for(cert, now, &KeyFlags::empty().set_authentication())
}

/// The keys that something can be sealed to for its holder, on its way or at rest: alive, not revoked, in the pinned suite.
#[must_use]
pub fn encryption_keys(cert: &Cert, now: Timestamp) -> Vec<Fingerprint> {
    keys_for(cert, now, &KeyFlags::empty().set_transport_encryption().set_storage_encryption())
}

fn keys_for(cert: &Cert, now: Timestamp, purpose: &KeyFlags) -> Vec<Fingerprint> {
    if is_revoked(cert, now) {
        return Vec::new();
    }
    cert.keys()
        .with_policy(policy(), now.to_system_time())
        .supported()
        .alive()
        .revoked(false)
        .key_flags(purpose)
        .filter_map(|key| our_fingerprint(&key.key().fingerprint()).ok())
        .collect()
}

/// Whether the policy accepts the certificate at `now`, and says why not.
///
/// # Errors
/// [`CertificateError::Rejected`] with the reason.
pub fn check(cert: &Cert, now: Timestamp) -> Result<(), CertificateError> {
    if is_revoked(cert, now) {
        return Err(CertificateError::Rejected("it is revoked".into()));
    }
    cert.with_policy(policy(), now.to_system_time())
        .and_then(|valid| valid.alive())
        .map_err(|error| CertificateError::Rejected(chain(&error)))
}

/// Whether the whole certificate was given up, for whatever reason.
fn is_revoked(cert: &Cert, now: Timestamp) -> bool {
    matches!(cert.revocation_status(policy(), now.to_system_time()), RevocationStatus::Revoked(_))
}

/// A fresh v4 certificate whose keys are in software: Ed25519 to certify and sign, X25519 to decrypt.
///
/// For the server, applications, one-time keys of a hello, and hosts without a card. Uses the older
/// encodings of both, which gpg 2.2 can check. `life` in seconds limits the whole certificate.
///
/// # Errors
/// The library fails.
pub fn generate_software(name: &str, now: Timestamp, life: Option<i64>) -> Result<Cert, CertificateError> {
    let life = life.and_then(|seconds| u64::try_from(seconds).ok()).map(std::time::Duration::from_secs);
    let (cert, _revocation) = CertBuilder::new()
        .set_cipher_suite(CipherSuite::Cv25519)
        .set_profile(openpgp::Profile::RFC4880)
        .map_err(library)?
        .set_creation_time(now.to_system_time())
        .set_primary_key_flags(KeyFlags::empty().set_certification().set_signing())
        .set_validity_period(life)
        .add_userid(name)
        .add_transport_encryption_subkey()
        .generate()
        .map_err(library)?;
    Ok(cert)
}

/// The signer for one key of a certificate with secrets.
///
/// # Errors
/// The key is not there, or its secret is missing or locked.
pub fn signer_of(cert: &Cert, key: &Fingerprint) -> Result<SoftwareKey, CertificateError> {
    let wanted = their_fingerprint(key)?;
    cert.keys()
        .unencrypted_secret()
        .find(|candidate| candidate.key().fingerprint() == wanted)
        .ok_or(CertificateError::NoKey("such secret"))
        .and_then(|found| found.key().clone().into_keypair().map(SoftwareKey::from).map_err(library))
}

/// The decryptors of a certificate with secrets, whatever the age of the key.
///
/// # Errors
/// There is none.
pub fn decryptors_of(cert: &Cert, now: Timestamp) -> Result<Vec<SoftwareKey>, CertificateError> {
    let pairs: Vec<SoftwareKey> = cert
        .keys()
        .unencrypted_secret()
        .with_policy(policy(), now.to_system_time())
        .supported()
        .for_transport_encryption()
        .filter_map(|key| key.key().clone().into_keypair().ok().map(SoftwareKey::from))
        .collect();
    if pairs.is_empty() { Err(CertificateError::NoKey("decryption")) } else { Ok(pairs) }
}

pub(crate) fn library(error: openpgp::anyhow::Error) -> CertificateError {
    CertificateError::Library(chain(&error))
}

/// The whole chain of causes in one line.
pub(crate) fn chain(error: &openpgp::anyhow::Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
