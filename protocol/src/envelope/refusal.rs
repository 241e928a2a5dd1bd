//! The signed, unencrypted "no".

use std::io::{Read as _, Write as _};

use sequoia_openpgp as openpgp;

use openpgp::parse::Parse as _;
use openpgp::parse::stream::{MessageLayer, MessageStructure, VerificationHelper, VerifierBuilder};
use openpgp::serialize::stream::{LiteralWriter, Message as Stream};
use openpgp::{Cert, KeyHandle};

use super::seal::{BoxedSigner, sign};
use super::{OpenError, SealError, Sealed};
use crate::certificate;
use crate::clock::Timestamp;
use crate::limits;
use crate::message::{MessageError, Refusal};

/// Largest refusal: a few hundred bytes, and room.
const SIZE: usize = 8 * 1024;

/// Signs a refusal.
///
/// # Errors
/// [`SealError`].
pub fn refuse(refusal: &Refusal, signer: BoxedSigner, now: Timestamp) -> Result<Vec<u8>, SealError> {
    let failed = |error: openpgp::anyhow::Error| SealError::Signing(certificate::chain(&error));
    let literal = serde_json::to_vec(refusal).map_err(|error| MessageError::Malformed(error.to_string()))?;
    let mut bytes = Vec::new();
    let stream = sign(Stream::new(&mut bytes), vec![signer], None, now)?;
    let mut stream = LiteralWriter::new(stream).build().map_err(failed)?;
    stream.write_all(&literal).map_err(|error| SealError::Signing(error.to_string()))?;
    stream.finalize().map_err(failed)?;
    Ok(bytes)
}

/// Reads the refusal of `request`, signed by `server`.
///
/// Our own clock is not asked: it may be the very reason of the refusal. The signature is judged at the
/// time the refusal states, at which the server's key must be alive.
///
/// # Errors
/// [`OpenError`] if it is not signed by the server, or refuses something else.
pub fn read_refusal(bytes: &[u8], server: &Cert, request: &Sealed) -> Result<Refusal, OpenError> {
    if bytes.len() > SIZE {
        return Err(OpenError::Oversize(bytes.len()));
    }
    let stated = stated_time(bytes).ok_or_else(|| OpenError::Structure("no signature".into()))?;
    let signature = |error: openpgp::anyhow::Error| OpenError::Signature(certificate::chain(&error));
    let mut verifier = VerifierBuilder::from_bytes(bytes)
        .map_err(signature)?
        .buffer_size(SIZE)
        .with_policy(certificate::policy(), stated, ByServer(server))
        .map_err(signature)?;
    let mut literal = Vec::new();
    verifier.read_to_end(&mut literal).map_err(|error| OpenError::Signature(error.to_string()))?;
    let refusal: Refusal =
        serde_json::from_slice(&literal).map_err(|error| OpenError::Malformed(error.to_string()))?;
    if refusal.refused != request.wire_digest() {
        return Err(OpenError::NotOurAnswer("it refuses another message"));
    }
    let distance = refusal.server_time.seconds_since(Timestamp::from(stated));
    if distance.abs() > limits::CLOCK_SKEW {
        return Err(OpenError::Skew(distance));
    }
    Ok(refusal)
}

/// The creation time in the first signature packet, read before it is verified.
fn stated_time(bytes: &[u8]) -> Option<std::time::SystemTime> {
    let pile = openpgp::PacketPile::from_bytes(bytes).ok()?;
    pile.descendants().find_map(|packet| match packet {
        openpgp::Packet::Signature(signature) => signature.signature_creation_time(),
        _ => None,
    })
}

struct ByServer<'a>(&'a Cert);

impl VerificationHelper for ByServer<'_> {
    fn get_certs(&mut self, _ids: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(vec![self.0.clone()])
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        let layers: Vec<MessageLayer<'_>> = structure.into_iter().collect();
        let good = matches!(layers.as_slice(), [MessageLayer::SignatureGroup { results }]
            if matches!(results.as_slice(), [Ok(_)]));
        if good {
            Ok(())
        } else {
            Err(OpenError::Signature("not exactly one good signature by the server".into()).into())
        }
    }
}
