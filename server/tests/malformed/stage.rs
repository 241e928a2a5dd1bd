//! Who sends what is malformed, and the tools for it: an honest envelope, taken apart and put together again.

use std::io::Write as _;

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::{self, BoxedSigner};
use countersign_protocol::message::{CheckIn, Message};
use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::packet::OnePassSig;
use openpgp::packet::one_pass_sig::OnePassSig3;
use openpgp::packet::signature::SignatureBuilder;
use openpgp::serialize::SerializeInto as _;
use openpgp::serialize::stream::{Encryptor, Message as Stream, Recipient};
use openpgp::types::{Features, HashAlgorithm, SignatureType, SymmetricAlgorithm};

use crate::client::host::Host;
use crate::client::keys;
use crate::client::person::Person;

/// The parties.
pub(crate) struct Stage {
    pub(crate) host: Host,
    pub(crate) application: Cert,
    pub(crate) admin: Person,
    /// Has an account.
    pub(crate) ana: Person,
    /// Has none.
    pub(crate) stranger: Person,
    /// Another server.
    pub(crate) other: Cert,
}

/// How an envelope is encrypted.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) to: &'a [&'a Cert],
    pub(crate) cipher: SymmetricAlgorithm,
    pub(crate) seipdv1: bool,
}

/// One packet in the new format, with one length.
pub(crate) fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0xC0 | tag];
    match u32::try_from(body.len()).unwrap() {
        short @ 0..192 => packet.push(u8::try_from(short).unwrap()),
        middle @ 192..8384 => {
            let rest = u16::try_from(middle - 192).unwrap().to_be_bytes();
            packet.extend([rest[0] + 192, rest[1]]);
        }
        long => {
            packet.push(255);
            packet.extend(long.to_be_bytes());
        }
    }
    packet.extend_from_slice(body);
    packet
}

/// A literal packet with these things about its data.
pub(crate) fn literal_packet(format: u8, name: &[u8], date: u32, data: &[u8]) -> Vec<u8> {
    let mut body = vec![format, u8::try_from(name.len()).unwrap()];
    body.extend_from_slice(name);
    body.extend(date.to_be_bytes());
    body.extend_from_slice(data);
    packet(11, &body)
}

impl Stage {
    pub(crate) fn now(&self) -> Timestamp {
        self.host.clock.now()
    }

    pub(crate) fn message(&self) -> Message {
        let logins = vec!["ana".parse().unwrap()];
        self.host.message(&CheckIn {
            server_certificate: None,
            counter: 1 << 40,
            ledger_size: 0,
            logins,
            services: Vec::new(),
            version: None,
        })
    }

    pub(crate) fn literal(&self) -> Vec<u8> {
        self.message().to_bytes().unwrap()
    }

    /// An honest envelope.
    pub(crate) fn sealed(&self) -> Vec<u8> {
        self.host.seal(&self.message()).bytes().to_vec()
    }

    /// The session's signature around these bytes, encrypted.
    pub(crate) fn carrying(&self, literal: &[u8]) -> Vec<u8> {
        self.by(self.host.session_signer(), literal)
    }

    /// The same by somebody else.
    pub(crate) fn by(&self, signer: BoxedSigner, literal: &[u8]) -> Vec<u8> {
        let signature = self.signature(signer, SignatureType::Binary, HashAlgorithm::SHA512, literal, |s| s);
        self.encrypted(
            &[one_pass(&signature, true), literal_packet(b'b', b"", 0, literal), framed(signature)].concat(),
        )
    }

    /// Signed by several, who all mean it.
    pub(crate) fn by_all(&self, signers: Vec<BoxedSigner>, literal: &[u8]) -> Vec<u8> {
        let signatures: Vec<_> = signers
            .into_iter()
            .map(|signer| {
                self.signature(signer, SignatureType::Binary, HashAlgorithm::SHA512, literal, |s| s)
            })
            .collect();
        let mut inside = Vec::new();
        for (n, signature) in signatures.iter().enumerate() {
            inside.extend(one_pass(signature, n + 1 == signatures.len()));
        }
        inside.extend(literal_packet(b'b', b"", 0, literal));
        for signature in signatures.into_iter().rev() {
            inside.extend(framed(signature));
        }
        self.encrypted(&inside)
    }

    /// One signature, honest but for `change`.
    pub(crate) fn signature(
        &self,
        mut signer: BoxedSigner,
        kind: SignatureType,
        hash: HashAlgorithm,
        data: &[u8],
        change: impl FnOnce(SignatureBuilder) -> SignatureBuilder,
    ) -> Packet {
        let builder = SignatureBuilder::new(kind)
            .set_hash_algo(hash)
            .set_signature_creation_time(self.now().to_system_time())
            .and_then(|builder| builder.set_intended_recipients([self.host.server.fingerprint()]))
            .unwrap();
        let mut digest = hash.context().unwrap().for_signature(4);
        digest.update(data);
        change(builder).sign_hash(&mut *signer, digest).unwrap().into()
    }

    /// Encrypted to the server as it asks.
    pub(crate) fn encrypted(&self, inside: &[u8]) -> Vec<u8> {
        let to = [&self.host.server];
        self.around(Around { to: &to, cipher: SymmetricAlgorithm::AES256, seipdv1: false }, inside)
    }

    pub(crate) fn around(&self, around: Around<'_>, inside: &[u8]) -> Vec<u8> {
        let policy = openpgp::policy::StandardPolicy::new();
        let mut bytes = Vec::new();
        let features = match around.seipdv1 {
            true => Features::empty().set_seipdv1(),
            false => Features::empty().set_seipdv2(),
        };
        let recipients: Vec<Recipient<'_>> = around
            .to
            .iter()
            .flat_map(|cert| {
                cert.keys().with_policy(&policy, self.now().to_system_time()).for_transport_encryption()
            })
            .map(|key| Recipient::new(features.clone(), None, key.key()))
            .collect();
        let mut stream = Encryptor::for_recipients(Stream::new(&mut bytes), recipients)
            .symmetric_algo(around.cipher)
            .build()
            .unwrap();
        stream.write_all(inside).unwrap();
        stream.finalize().unwrap();
        bytes
    }

    /// The signer of somebody's primary key.
    pub(crate) fn primary(cert: &Cert) -> BoxedSigner {
        keys::primary(cert)
    }

    /// Somebody else's honest words about nothing that concerns us.
    pub(crate) fn for_another(&self) -> Vec<u8> {
        let audience = certificate::fingerprint(&self.other).unwrap();
        let message = Message { audience, ..self.message() };
        envelope::seal(&message, vec![self.host.session_signer()], &self.other, self.now())
            .unwrap()
            .bytes()
            .to_vec()
    }
}

/// The packet that announces a signature.
pub(crate) fn one_pass(signature: &Packet, last: bool) -> Vec<u8> {
    one_pass_but(signature, |mut announced| {
        announced.set_last(last);
        announced
    })
}

pub(crate) fn one_pass_but(signature: &Packet, change: impl FnOnce(OnePassSig3) -> OnePassSig3) -> Vec<u8> {
    let Packet::Signature(signature) = signature else { panic!("not a signature") };
    let announced = change(OnePassSig3::try_from(signature).unwrap());
    Packet::from(OnePassSig::from(announced)).to_vec().unwrap()
}

pub(crate) fn framed(packet: Packet) -> Vec<u8> {
    packet.to_vec().unwrap()
}
