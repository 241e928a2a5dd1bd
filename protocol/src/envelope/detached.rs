//! One detached signature over exact bytes, for one recipient: under a statement, and under a roster.

use sequoia_openpgp as openpgp;

use openpgp::packet::signature::SignatureBuilder;
use openpgp::parse::Parse as _;
use openpgp::parse::stream::{
    DetachedVerifierBuilder, MessageLayer, MessageStructure, VerificationError, VerificationHelper,
};
use openpgp::serialize::SerializeInto as _;
use openpgp::types::{HashAlgorithm, SignatureType};
use openpgp::{Cert, KeyHandle, Packet};

use crate::certificate::{self, Pinned};
use crate::clock::Timestamp;
use crate::envelope::seal::BoxedSigner;
use crate::envelope::signature;
use crate::ids::Fingerprint;
use crate::limits;

/// Why a signature was not made, or proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DetachedError {
    /// The signer failed.
    #[error("the signer failed: {0}")]
    Signing(String),
    /// Not exactly one good signature by a key of the certificate.
    #[error("{0}")]
    Signature(String),
    /// The key was not valid then.
    #[error("{0} was not valid then")]
    KeyNotAlive(Fingerprint),
    /// Not for this recipient and nobody else.
    #[error("it is for another recipient")]
    Recipient,
}

/// What is to be verified.
pub(super) struct Signed<'a> {
    /// The bytes that were signed.
    pub(super) bytes: &'a [u8],
    /// The signature packet.
    pub(super) signature: &'a [u8],
    /// The one intended recipient.
    pub(super) recipient: &'a Fingerprint,
    /// When the bytes say that they were made: the signature must say so too.
    pub(super) made: Timestamp,
}

/// Signs `bytes` at `made`, with `recipient` as the one intended recipient.
pub(super) fn sign(
    bytes: &[u8],
    recipient: &Fingerprint,
    made: Timestamp,
    mut signer: BoxedSigner,
) -> Result<Vec<u8>, DetachedError> {
    let failed = |error: openpgp::anyhow::Error| DetachedError::Signing(certificate::chain(&error));
    let recipient = certificate::their_fingerprint(recipient)
        .map_err(|error| DetachedError::Signing(error.to_string()))?;
    let hash = hash_for(signer.acceptable_hashes());
    let signature = SignatureBuilder::new(SignatureType::Binary)
        .set_hash_algo(hash)
        .set_signature_creation_time(made.to_system_time())
        .and_then(|builder| builder.set_intended_recipients([recipient]))
        .and_then(|builder| builder.sign_message(&mut *signer, bytes))
        .map_err(failed)?;
    Packet::from(signature).to_vec().map_err(failed)
}

/// The component key of `cert` that made the one good signature, if that key is valid at `when`.
pub(super) fn verify(
    signed: &Signed<'_>,
    cert: &Cert,
    when: Timestamp,
) -> Result<Fingerprint, DetachedError> {
    let pinned = Pinned::of(cert, when.max(signed.made));
    let pinned = pinned.map_err(|error| DetachedError::Signature(error.to_string()))?;
    verify_pinned(signed, &pinned, when)
}

/// The same by a certificate that was judged at about that time.
pub(super) fn verify_pinned(
    signed: &Signed<'_>,
    cert: &Pinned,
    when: Timestamp,
) -> Result<Fingerprint, DetachedError> {
    let bad = |what: String| DetachedError::Signature(what);
    if signed.signature.len() > limits::DETACHED_SIGNATURE {
        return Err(bad(format!("{} bytes", signed.signature.len())));
    }
    // A clock a little behind the signer's is no reason to call the signature one from the future.
    let when = when.max(signed.made);
    let collector = Collector {
        cert,
        good: Err(bad("none".into())),
        recipient: signed.recipient,
        made: signed.made,
        when,
    };
    let mut verifier = DetachedVerifierBuilder::from_bytes(signed.signature)
        .and_then(|builder| builder.with_policy(certificate::policy(), when.to_system_time(), collector))
        .map_err(|error| bad(certificate::chain(&error)))?;
    let outcome = verifier.verify_bytes(signed.bytes);
    let key = verifier.into_helper().good?;
    outcome.map_err(|error| bad(certificate::chain(&error)))?;
    Ok(key)
}

/// The strongest hash that a signer takes.
pub(super) fn hash_for(acceptable: &[HashAlgorithm]) -> HashAlgorithm {
    [HashAlgorithm::SHA512, HashAlgorithm::SHA384, HashAlgorithm::SHA256]
        .into_iter()
        .find(|hash| acceptable.contains(hash))
        .unwrap_or(HashAlgorithm::SHA256)
}

/// The library's callbacks for one detached signature.
struct Collector<'a> {
    cert: &'a Pinned,
    recipient: &'a Fingerprint,
    made: Timestamp,
    when: Timestamp,
    good: Result<Fingerprint, DetachedError>,
}

impl Collector<'_> {
    fn judge(&self, structure: MessageStructure<'_>) -> Result<Fingerprint, DetachedError> {
        let bad = |what: String| DetachedError::Signature(what);
        let layers: Vec<MessageLayer<'_>> = structure.into_iter().collect();
        let [MessageLayer::SignatureGroup { results }] = layers.as_slice() else {
            return Err(bad("unexpected packets".into()));
        };
        let [result] = results.as_slice() else {
            return Err(bad(format!("{} signatures", results.len())));
        };
        let sig = match result {
            Err(VerificationError::MissingKey { sig }) => *sig,
            Err(error) => return Err(bad(error.to_string())),
            Ok(_) => return Err(bad("by a key that was not looked for".into())),
        };
        let key = self.cert.named(&sig.get_issuers()).ok_or_else(|| bad("by another key".into()))?;
        signature::check(sig, key, self.when).map_err(bad)?;
        // Made when the bytes say: a signature dated back into the life of a retired key is none.
        let made = sig.signature_creation_time().map(Timestamp::from);
        let distance = made.map(|made| made.seconds_since(self.made).abs());
        if distance.is_none_or(|distance| distance > limits::CLOCK_SKEW) {
            return Err(bad("made at another time than it says".into()));
        }
        let mut recipients = sig.intended_recipients();
        match (recipients.next(), recipients.next()) {
            (Some(one), None) if one.as_bytes() == self.recipient.as_bytes() => {}
            _ => return Err(DetachedError::Recipient),
        }
        if !key.signs(self.when) {
            return Err(DetachedError::KeyNotAlive(key.fingerprint().clone()));
        }
        Ok(key.fingerprint().clone())
    }
}

impl VerificationHelper for Collector<'_> {
    /// Whose signature it is, is found out by [`Self::judge`].
    fn get_certs(&mut self, _ids: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(Vec::new())
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        self.good = self.judge(structure);
        match &self.good {
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone().into()),
        }
    }
}
