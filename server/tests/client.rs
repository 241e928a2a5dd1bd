//! A client in software: it speaks the whole protocol, and breaks one rule at a time when told to.

pub(crate) mod carrier;
pub(crate) mod forge;
pub(crate) mod host;
pub(crate) mod keys;
pub(crate) mod newcomer;
pub(crate) mod newcomer_alone;
pub(crate) mod person;
pub(crate) mod postbox;

use countersign_protocol::certificate::{self, Cert, Pinned};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::{self, OpenError, Opening, Sealed, Verified};
use countersign_protocol::message::Refusal;

use self::carrier::Answer;

/// Opens the reply to `request`, as an honest client does.
pub(crate) fn open_reply(
    bytes: &[u8],
    me: &Cert,
    server: &Cert,
    request: &Sealed,
    now: Timestamp,
) -> Result<Verified, OpenError> {
    let decryptors = certificate::decryptors_of(me, now).unwrap();
    let me = Pinned::of(me, now).unwrap();
    let opened = envelope::open(bytes, Opening { me: &me, decryptors: &decryptors, keyring: server, now })?;
    opened.answering(request, &certificate::fingerprint(server).unwrap())
}

/// The refusal in an answer that must be one.
pub(crate) fn refusal(answer: &Answer, server: &Cert, request: &Sealed) -> Refusal {
    assert_eq!(answer.status, 400, "expected a refusal");
    envelope::read_refusal(&answer.body, server, request).unwrap()
}
