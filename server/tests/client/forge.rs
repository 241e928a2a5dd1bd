//! Envelopes that break a rule: made by hand, layer by layer.

use std::io::Write as _;

use countersign_protocol::certificate::Cert;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::BoxedSigner;
use sequoia_openpgp as openpgp;

use openpgp::cert::Preferences as _;
use openpgp::cert::amalgamation::ValidAmalgamation as _;
use openpgp::policy::StandardPolicy;
use openpgp::serialize::stream::{Encryptor, LiteralWriter, Message, Recipient, Signer};
use openpgp::types::{Features, HashAlgorithm, SymmetricAlgorithm};

/// What to do differently.
pub(crate) struct Forgery<'a> {
    pub(crate) literal: &'a [u8],
    pub(crate) signers: Vec<BoxedSigner>,
    /// Whom the signature names.
    pub(crate) intended: Vec<&'a Cert>,
    /// Whom the encryption layer lets read it.
    pub(crate) encrypt_to: &'a Cert,
    pub(crate) hash: HashAlgorithm,
    pub(crate) cipher: SymmetricAlgorithm,
    /// Without the AEAD that the receiver asks for.
    pub(crate) seipdv1: bool,
    pub(crate) now: Timestamp,
}

impl<'a> Forgery<'a> {
    /// An honest envelope, to be changed in one place.
    pub(crate) fn honest(literal: &'a [u8], signer: BoxedSigner, server: &'a Cert, now: Timestamp) -> Self {
        Self {
            literal,
            signers: vec![signer],
            intended: vec![server],
            encrypt_to: server,
            hash: HashAlgorithm::SHA512,
            cipher: SymmetricAlgorithm::AES256,
            seipdv1: false,
            now,
        }
    }

    pub(crate) fn seal(self) -> Vec<u8> {
        let Self { literal, signers, intended, encrypt_to, hash, cipher, seipdv1, now } = self;
        let policy = StandardPolicy::new();
        let mut bytes = Vec::new();
        let recipients: Vec<Recipient<'_>> = encrypt_to
            .keys()
            .with_policy(&policy, now.to_system_time())
            .for_transport_encryption()
            .map(|key| {
                let asked = key.valid_cert().features().unwrap_or_else(Features::empty);
                let features = if seipdv1 { Features::empty().set_seipdv1() } else { asked };
                Recipient::new(features, key.key().key_handle(), key.key())
            })
            .collect();
        let mut stream = Encryptor::for_recipients(Message::new(&mut bytes), recipients)
            .symmetric_algo(cipher)
            .build()
            .unwrap();
        let mut signers = signers.into_iter();
        if let Some(first) = signers.next() {
            let mut layer = Signer::new(stream, first)
                .unwrap()
                .hash_algo(hash)
                .unwrap()
                .creation_time(now.to_system_time());
            for signer in signers {
                layer = layer.add_signer(signer).unwrap();
            }
            for recipient in intended {
                layer = layer.add_intended_recipient(recipient);
            }
            stream = layer.build().unwrap();
        }
        let mut stream = LiteralWriter::new(stream).build().unwrap();
        stream.write_all(literal).unwrap();
        stream.finalize().unwrap();
        bytes
    }
}
