//! What comes over the network: envelopes, and refusals in their place.

use std::io::Write as _;
use std::sync::LazyLock;

use countersign_protocol::certificate::{self, Cert, Pinned};
use countersign_protocol::curve25519::SoftwareKey;
use countersign_protocol::envelope::{self, Opening, Sealed};
use countersign_protocol::message::Message;
use sequoia_openpgp as openpgp;

use openpgp::serialize::stream::{Encryptor, Message as Stream, Recipient};
use openpgp::types::{Features, SymmetricAlgorithm};

use crate::parties::{HOST, NOW, SERVER, was_said};

static DECRYPTORS: LazyLock<Vec<SoftwareKey>> =
    LazyLock::new(|| certificate::decryptors_of(&SERVER, NOW).unwrap_or_else(|_| std::process::abort()));

static ME: LazyLock<Pinned> =
    LazyLock::new(|| Pinned::of(&SERVER, NOW).unwrap_or_else(|_| std::process::abort()));

static HOST_ALONE: LazyLock<Cert> = LazyLock::new(|| HOST.clone().strip_secret_key_material());

/// An envelope as it comes.
pub(crate) fn outside(bytes: &[u8]) -> bool {
    let opening = Opening { me: &ME, decryptors: &DECRYPTORS, keyring: &*HOST_ALONE, now: NOW };
    let Ok(opened) = envelope::open(bytes, opening) else { return false };
    assert!(was_said(opened.digest()), "the host never said that");
    assert_eq!(opened.signers().len(), 1, "somebody else signed as well");
    true
}

/// The same around what is inside the encryption.
pub(crate) fn inside(bytes: &[u8]) -> bool {
    encrypted(bytes).is_some_and(|envelope| outside(&envelope))
}

fn encrypted(inside: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let keys: Vec<_> = SERVER
        .keys()
        .with_policy(certificate::policy(), NOW.to_system_time())
        .for_transport_encryption()
        .collect();
    let recipients = keys.iter().map(|key| Recipient::new(Features::empty().set_seipdv2(), None, key.key()));
    let mut stream = Encryptor::for_recipients(Stream::new(&mut bytes), recipients)
        .symmetric_algo(SymmetricAlgorithm::AES256)
        .build()
        .ok()?;
    stream.write_all(inside).ok()?;
    stream.finalize().ok()?;
    Some(bytes)
}

/// What was asked: the golden check-in, as it was kept.
static ASKED: LazyLock<Sealed> = LazyLock::new(|| {
    let literal = include_bytes!("../../protocol/tests/messages/envelope/good/check-in.json");
    let key = crate::parties::fingerprint(&HOST);
    let sealed = Message::from_bytes(literal).ok().and_then(|message| {
        let signer = certificate::signer_of(&HOST, &key).ok()?;
        envelope::seal(&message, vec![Box::new(signer)], &SERVER, NOW).ok()
    });
    sealed.unwrap_or_else(|| std::process::abort())
});

/// A refusal in place of an answer.
pub(crate) fn refusal(bytes: &[u8]) -> bool {
    let refused = envelope::read_refusal(bytes, &SERVER, &ASKED);
    // It names the SHA-256 of an envelope that is another at each start.
    assert!(refused.is_err(), "the server never refused that");
    // As far as it can be read without the signature.
    openpgp_reads(bytes)
}

/// Whether the library makes packets of it.
fn openpgp_reads(bytes: &[u8]) -> bool {
    use openpgp::parse::Parse as _;
    openpgp::PacketPile::from_bytes(bytes).is_ok()
}
