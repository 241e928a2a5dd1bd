//! The short-lived subkey that an instance signs its envelopes with.

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Fingerprint;

use crate::refusal::Reason;

/// Longest life of a session subkey from now on, in seconds.
pub(super) const LONGEST: i64 = 24 * 3600;

/// The one subkey that may sign now, if there is one. It must end within [`LONGEST`], and be the only one, so that
/// nobody has to guess which is meant.
pub(crate) fn only(cert: &Cert, now: Timestamp) -> Result<Option<Fingerprint>, Reason> {
    let mut signing = cert
        .keys()
        .subkeys()
        .with_policy(certificate::policy(), now.to_system_time())
        .supported()
        .alive()
        .revoked(false)
        .for_signing();
    let Some(key) = signing.next() else { return Ok(None) };
    if signing.next().is_some() {
        return Err(Reason::SeveralSessionKeys);
    }
    let ends = key.key_expiration_time().map(Timestamp::from);
    match ends {
        Some(ends) if ends.seconds_since(now) <= LONGEST => {}
        _ => return Err(Reason::SubkeyLivesTooLong(LONGEST / 3600)),
    }
    certificate::our_fingerprint(&key.key().fingerprint()).map(Some).map_err(Reason::certificate)
}
