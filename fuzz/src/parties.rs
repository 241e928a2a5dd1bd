//! Who exchanges envelopes: the keys of the golden folder, which guard nothing.

use std::sync::LazyLock;

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{Digest, Fingerprint};

/// When the golden envelopes were made.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

pub(crate) static HOST: LazyLock<Cert> =
    LazyLock::new(|| read(include_bytes!("../../protocol/tests/messages/envelope/keys/host.pgp")));

pub(crate) static SERVER: LazyLock<Cert> =
    LazyLock::new(|| read(include_bytes!("../../protocol/tests/messages/envelope/keys/server.pgp")));

fn read(bytes: &[u8]) -> Cert {
    // Files of ours: nothing can be fuzzed without them.
    certificate::parse_secret(bytes).unwrap_or_else(|_| std::process::abort())
}

pub(crate) fn fingerprint(cert: &Cert) -> Fingerprint {
    certificate::fingerprint(cert).unwrap_or_else(|_| std::process::abort())
}

/// What the golden host ever said to the golden server: whatever opens must be of it.
const SAID: [&[u8]; 2] = [
    include_bytes!("../../protocol/tests/messages/envelope/good/check-in.json"),
    include_bytes!("../../protocol/tests/messages/envelope/good/handmade.json"),
];

pub(crate) fn was_said(digest: Digest) -> bool {
    SAID.iter().any(|said| Digest::of(said) == digest)
}
