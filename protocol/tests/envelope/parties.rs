//! People who exchange envelopes, and a hand that makes bad ones.

use std::io::Write as _;
use std::sync::Arc;

use countersign_protocol::certificate::{self, Cert, Pinned};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::{BoxedSigner, Keyring, OpenError, Opened, Opening, Sealed, open, seal};
use countersign_protocol::ids::MessageId;
use countersign_protocol::message::{CheckIn, Message};
use countersign_protocol::random::SystemRandom;
use sequoia_openpgp as openpgp;

use openpgp::KeyHandle;
use openpgp::serialize::stream::{
    Compressor, Encryptor, LiteralWriter, Message as Stream, Recipient, Signer,
};
use openpgp::types::{CompressionAlgorithm, SymmetricAlgorithm};

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

pub(crate) struct Party {
    pub(crate) cert: Cert,
}

impl Party {
    /// Keys a day old, so that tests of skew stay within their life.
    pub(crate) fn new(name: &str) -> Self {
        Self { cert: certificate::generate_software(name, NOW.plus(-86_400), None).unwrap() }
    }

    pub(crate) fn signer(&self) -> BoxedSigner {
        let key = certificate::fingerprint(&self.cert).unwrap();
        Box::new(certificate::signer_of(&self.cert, &key).unwrap())
    }

    pub(crate) fn open_at(&self, bytes: &[u8], from: &[&Self], now: Timestamp) -> Result<Opened, OpenError> {
        let ring = Ring(from.iter().map(|party| party.cert.clone().strip_secret_key_material()).collect());
        let decryptors = certificate::decryptors_of(&self.cert, NOW).unwrap();
        let me = Pinned::of(&self.cert, now).unwrap();
        open(bytes, Opening { me: &me, decryptors: &decryptors, keyring: &ring, now })
    }

    pub(crate) fn open(&self, bytes: &[u8], from: &[&Self]) -> Result<Opened, OpenError> {
        self.open_at(bytes, from, NOW)
    }
}

pub(crate) struct Ring(pub(crate) Vec<Cert>);

impl Keyring for Ring {
    fn pinned(&self, handle: &KeyHandle, now: Timestamp) -> Vec<Arc<Pinned>> {
        self.0.iter().flat_map(|cert| cert.pinned(handle, now)).collect()
    }
}

pub(crate) fn check_in(to: &Party) -> Message {
    let body = CheckIn {
        server_certificate: None,
        counter: 1,
        ledger_size: 0,
        logins: vec!["ana".parse().unwrap()],
        services: vec![],
        version: None,
    };
    let audience = certificate::fingerprint(&to.cert).unwrap();
    Message::new(MessageId::new(&SystemRandom).unwrap(), NOW, audience, &body).unwrap()
}

pub(crate) fn sealed(from: &Party, to: &Party) -> Sealed {
    seal(&check_in(to), vec![from.signer()], &to.cert, NOW).unwrap()
}

/// An envelope made by hand, so that one rule at a time can be broken.
pub(crate) struct Handmade<'a> {
    pub(crate) to: Vec<&'a Cert>,
    pub(crate) intended: Vec<&'a Cert>,
    pub(crate) signers: Vec<BoxedSigner>,
    pub(crate) signed_at: Timestamp,
    pub(crate) cipher: SymmetricAlgorithm,
    pub(crate) compress: bool,
}

impl<'a> Handmade<'a> {
    pub(crate) fn new(from: &Party, to: &'a Party) -> Self {
        Self {
            to: vec![&to.cert],
            intended: vec![&to.cert],
            signers: vec![from.signer()],
            signed_at: NOW,
            cipher: SymmetricAlgorithm::AES256,
            compress: false,
        }
    }

    pub(crate) fn bytes(self, literal: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let recipients: Vec<Recipient<'_>> = self
            .to
            .iter()
            .flat_map(|cert| {
                cert.keys()
                    .with_policy(certificate::policy(), NOW.to_system_time())
                    .for_transport_encryption()
                    .map(Recipient::from)
            })
            .collect();
        let mut stream = Encryptor::for_recipients(Stream::new(&mut bytes), recipients)
            .symmetric_algo(self.cipher)
            .build()
            .unwrap();
        if self.compress {
            let compressor = Compressor::new(stream).algo(CompressionAlgorithm::Uncompressed);
            stream = compressor.build().unwrap();
        }
        let mut signers = self.signers.into_iter();
        if let Some(first) = signers.next() {
            let mut layer =
                Signer::new(stream, first).unwrap().creation_time(self.signed_at.to_system_time());
            for signer in signers {
                layer = layer.add_signer(signer).unwrap();
            }
            for cert in self.intended {
                layer = layer.add_intended_recipient(cert);
            }
            stream = layer.build().unwrap();
        }
        let mut stream = LiteralWriter::new(stream).build().unwrap();
        stream.write_all(literal).unwrap();
        stream.finalize().unwrap();
        bytes
    }
}
