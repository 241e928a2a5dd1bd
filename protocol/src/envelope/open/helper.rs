//! The library's callbacks: limits, session keys, and the verdict on every signature. It parses, decrypts and hashes; whose
//! signature counts is found out here, so it is told of nobody and finds a key missing for each.

use std::sync::Arc;

use sequoia_openpgp as openpgp;

use openpgp::crypto::SessionKey;
use openpgp::packet::{PKESK, SKESK, Signature};
use openpgp::parse::PacketParser;
use openpgp::parse::stream::{
    DecryptionHelper, MessageLayer, MessageStructure, VerificationError, VerificationHelper,
    VerificationResult,
};
use openpgp::types::{DataFormat, SymmetricAlgorithm};
use openpgp::{Cert, KeyHandle, Packet, anyhow};

use super::{Keyring, OpenError, SignedBy};
use crate::certificate::{self, Pinned};
use crate::clock::Timestamp;
use crate::curve25519::SoftwareKey;
use crate::envelope::{encryption, session_key, signature};
use crate::limits;

/// Collects what a pass over an envelope found.
pub(super) struct Helper<'a> {
    me: &'a Pinned,
    decryptors: &'a [SoftwareKey],
    keyring: &'a dyn Keyring,
    newcomer: Option<Arc<Pinned>>,
    now: Timestamp,
    strangers: Vec<KeyHandle>,
    packets: usize,
    announced: usize,
    verdict: Result<Vec<SignedBy>, OpenError>,
    /// Of each of those.
    signatures: Vec<Signature>,
}

impl<'a> Helper<'a> {
    pub(super) fn new(
        me: &'a Pinned,
        decryptors: &'a [SoftwareKey],
        keyring: &'a dyn Keyring,
        newcomer: Option<Arc<Pinned>>,
        now: Timestamp,
    ) -> Self {
        let verdict = Err(OpenError::Signature("none".into()));
        let (strangers, signatures) = (Vec::new(), Vec::new());
        Self {
            me,
            decryptors,
            keyring,
            newcomer,
            now,
            strangers,
            packets: 0,
            announced: 0,
            verdict,
            signatures,
        }
    }

    pub(super) fn has_strangers(&self) -> bool {
        !self.strangers.is_empty()
    }

    /// One good signature by somebody enrolled, and one by a stranger.
    pub(super) fn introduces_a_stranger(&self) -> bool {
        self.strangers.len() == 1 && self.verdict.as_ref().is_ok_and(|signers| signers.len() == 1)
    }

    pub(super) fn stranger(&self) -> OpenError {
        let name = self.strangers.first().map_or_else(String::new, ToString::to_string);
        OpenError::Signature(format!("{name} is not enrolled"))
    }

    /// Who signed, and each one's signature.
    pub(super) fn into_signers(self) -> Result<(Vec<SignedBy>, Vec<Signature>), OpenError> {
        Ok((self.verdict?, self.signatures))
    }

    /// Exactly one encryption layer in the pinned suite, around exactly one group of good signatures.
    fn judge(&mut self, structure: MessageStructure<'_>) -> Result<Vec<SignedBy>, OpenError> {
        let layers: Vec<MessageLayer<'_>> = structure.into_iter().collect();
        let [MessageLayer::Encryption { sym_algo, aead_algo }, MessageLayer::SignatureGroup { results }] =
            layers.as_slice()
        else {
            return Err(OpenError::Structure(format!("{} layers", layers.len())));
        };
        if *sym_algo != SymmetricAlgorithm::AES256 {
            return Err(OpenError::Suite(sym_algo.to_string()));
        }
        if self.me.features().supports_seipdv2() && aead_algo.is_none() {
            return Err(OpenError::Suite("SEIPDv1 to a receiver that asks for SEIPDv2".into()));
        }
        if results.is_empty() || results.len() > limits::SIGNATURES {
            return Err(OpenError::Signature(format!("{} signatures", results.len())));
        }
        let mut signers: Vec<SignedBy> = Vec::new();
        for result in results {
            let Some(signer) = self.signer(result)? else { continue };
            if signers.iter().any(|earlier| earlier.key == signer.key) {
                return Err(OpenError::Signature("two by the same key".into()));
            }
            signers.push(signer);
        }
        Ok(signers)
    }

    /// Who made a good signature; none where nobody is enrolled who could have.
    fn signer(&mut self, result: &VerificationResult<'_>) -> Result<Option<SignedBy>, OpenError> {
        let sig = match result {
            Err(VerificationError::MissingKey { sig }) => *sig,
            Err(error) => return Err(OpenError::Signature(error.to_string())),
            Ok(_) => return Err(OpenError::Signature("by a key that was not looked for".into())),
        };
        // Its full name where it says it: a short one may be several keys'.
        let mut issuers = sig.get_issuers();
        if issuers.iter().any(|issuer| matches!(issuer, KeyHandle::Fingerprint(_))) {
            issuers.retain(|issuer| matches!(issuer, KeyHandle::Fingerprint(_)));
        }
        let enrolled: Vec<Arc<Pinned>> = issuers
            .iter()
            .take(limits::SIGNATURES)
            .flat_map(|issuer| self.keyring.pinned(issuer, self.now))
            .chain(self.newcomer.clone())
            .collect();
        let candidates: Vec<_> =
            enrolled.iter().filter_map(|cert| Some((cert, cert.named(&issuers)?))).collect();
        let mut failed = None;
        for (cert, key) in &candidates {
            match signature::check(sig, key, self.now.plus(super::AHEAD)) {
                Ok(()) => {
                    self.check_recipient(sig)?;
                    let signer =
                        SignedBy { certificate: cert.fingerprint().clone(), key: key.fingerprint().clone() };
                    // The key is judged at our time, or at the signature's where the signer's clock runs a little ahead.
                    let claimed = sig.signature_creation_time().map_or(self.now, Timestamp::from);
                    let distance = claimed.seconds_since(self.now);
                    if distance.abs() > limits::CLOCK_SKEW {
                        return Err(OpenError::Skew(distance));
                    }
                    if !key.signs(self.now.max(claimed)) {
                        return Err(OpenError::KeyNotAlive(signer.key));
                    }
                    self.signatures.push(sig.clone());
                    return Ok(Some(signer));
                }
                Err(why) => failed = Some(OpenError::Signature(why)),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let issuer = issuers.into_iter().next();
        self.strangers.push(issuer.unwrap_or_else(|| KeyHandle::from(openpgp::KeyID::wildcard())));
        Ok(None)
    }

    /// Exactly one intended recipient, and it is us. The library only looks where the subpacket is present.
    fn check_recipient(&self, sig: &Signature) -> Result<(), OpenError> {
        let mut recipients = sig.intended_recipients();
        match (recipients.next(), recipients.next()) {
            (Some(one), None) if one.as_bytes() == self.me.fingerprint().as_bytes() => Ok(()),
            (Some(one), None) => Err(OpenError::IntendedRecipient(format!("{one} is not us"))),
            (None, _) => Err(OpenError::IntendedRecipient("none".into())),
            (Some(_), Some(_)) => Err(OpenError::IntendedRecipient("several".into())),
        }
    }
}

impl VerificationHelper for Helper<'_> {
    fn inspect(&mut self, pp: &PacketParser<'_>) -> openpgp::Result<()> {
        self.packets += 1;
        if self.packets > limits::PACKETS {
            return Err(OpenError::Structure(format!("more than {} packets", limits::PACKETS)).into());
        }
        // One encryption, and what is in it: what is nested deeper would be decrypted as often as it is nested.
        if pp.recursion_depth() > 1 {
            return Err(OpenError::Structure(format!("{} packet nested too deep", pp.packet.tag())).into());
        }
        match &pp.packet {
            Packet::SEIP(_) if pp.recursion_depth() > 0 => {
                Err(OpenError::Structure("encrypted more than once".into()).into())
            }
            Packet::SEIP(_) if !encryption::is_long_enough(pp) => {
                Err(OpenError::Structure("an encryption that was cut short".into()).into())
            }
            // Nothing signs what a literal says of itself, so it says nothing.
            Packet::Literal(literal)
                if literal.format() != DataFormat::Binary
                    || literal.filename().is_some()
                    || literal.date().is_some() =>
            {
                Err(OpenError::Structure("a literal with a name, a date or another format".into()).into())
            }
            // The library compares each name with all before it: thousands in one signature would cost the square.
            Packet::Signature(signature) if signature.get_issuers().len() > limits::ISSUERS => {
                Err(OpenError::Signature("it names more keys than could have made it".into()).into())
            }
            Packet::PKESK(_)
            | Packet::SEIP(_)
            | Packet::Literal(_)
            | Packet::Signature(_)
            | Packet::Padding(_)
            | Packet::Marker(_) => Ok(()),
            // Each is announced before the literal: a thousand signatures stop here, before one is verified.
            Packet::OnePassSig(_) => {
                self.announced += 1;
                if self.announced > limits::SIGNATURES {
                    return Err(OpenError::Signature("more than an envelope may have".into()).into());
                }
                Ok(())
            }
            #[expect(deprecated, reason = "the packet that ends SEIPDv1")]
            Packet::MDC(_) => Ok(()),
            other => Err(OpenError::Structure(format!("{} packet", other.tag())).into()),
        }
    }

    fn get_certs(&mut self, ids: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        if ids.len() > limits::SIGNATURES {
            return Err(OpenError::Signature(format!("{} signatures", ids.len())).into());
        }
        Ok(Vec::new())
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        self.verdict = self.judge(structure);
        match &self.verdict {
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone().into()),
        }
    }
}

impl DecryptionHelper for Helper<'_> {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        skesks: &[SKESK],
        sym_algo: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        if pkesks.len() > limits::SESSION_KEY_PACKETS || !skesks.is_empty() {
            let found = format!("{} session key packets, {} passwords", pkesks.len(), skesks.len());
            return Err(OpenError::Structure(found).into());
        }
        for pkesk in pkesks {
            for pair in self.decryptors {
                let for_us = pkesk.recipient().is_none_or(|handle| {
                    openpgp::crypto::Decryptor::public(pair).key_handle().aliases(&handle)
                });
                let mut pair = pair.clone();
                if for_us
                    && let Some((algorithm, key)) = session_key::open(pkesk, &mut pair, sym_algo)
                    && decrypt(algorithm, &key)
                {
                    // The library would look for the intended recipient where there is one; we do so ourselves, and more strictly.
                    return Ok(None);
                }
            }
        }
        Err(OpenError::NotDecrypted("not encrypted to any of our keys".into()).into())
    }
}

/// Our own error out of the library's, where a callback of ours made it.
pub(super) fn cause(error: &anyhow::Error) -> OpenError {
    error
        .downcast_ref::<OpenError>()
        .cloned()
        .unwrap_or_else(|| OpenError::NotDecrypted(certificate::chain(error)))
}
