//! The short-lived subkey that an instance signs its envelopes with.

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Fingerprint;

use crate::refusal::Reason;

/// Longest life of a session subkey from now on, in seconds.
pub(super) const LONGEST: i64 = 24 * 3600;

/// The newest subkey that may sign now, if there is one. It must end within [`LONGEST`].
pub(super) fn newest(cert: &Cert, now: Timestamp) -> Result<Option<Fingerprint>, Reason> {
    let newest = cert
        .keys()
        .subkeys()
        .with_policy(certificate::policy(), now.to_system_time())
        .supported()
        .alive()
        .revoked(false)
        .for_signing()
        .max_by_key(|key| key.key().creation_time());
    let Some(key) = newest else { return Ok(None) };
    let ends = key.key_expiration_time().map(Timestamp::from);
    match ends {
        Some(ends) if ends.seconds_since(now) <= LONGEST => {}
        _ => return Err(Reason::SubkeyLivesTooLong(LONGEST / 3600)),
    }
    certificate::our_fingerprint(&key.key().fingerprint()).map(Some).map_err(|_| Reason::BadCertificate)
}
