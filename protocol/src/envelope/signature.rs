//! Whether a signature is good by one pinned key.
//!
//! The library's own way remembers every signature that it has found good, for as long as the process lives. A server sees
//! thousands a second and none of them twice, so each is verified by the key itself.

use sequoia_openpgp as openpgp;

use openpgp::packet::Signature;
use openpgp::policy::{HashAlgoSecurity, Policy as _};
use openpgp::types::SignatureType;

use crate::certificate::{self, PinnedKey, policy};
use crate::clock::Timestamp;
use crate::curve25519;

/// Checks a signature over bytes that the library has hashed: its kind, its life at `time`, what the policy says of it, and
/// the mathematics. Whether the key may sign is the caller's to ask.
///
/// # Errors
/// Why it proves nothing.
pub(super) fn check(signature: &Signature, by: &PinnedKey, time: Timestamp) -> Result<(), String> {
    let key = by.key();
    // One over text would be good for any way to end its lines.
    if signature.typ() != SignatureType::Binary {
        return Err(format!("of type {}", signature.typ()));
    }
    // Keys and signatures of RFC 9580 go together, and so do those before it.
    if (signature.version() == 6) != (key.version() == 6) {
        return Err(format!("of version {} by a key of version {}", signature.version(), key.version()));
    }
    let made = signature.signature_creation_time().ok_or("it says no time")?;
    if made < key.creation_time() {
        return Err("made before its key".into());
    }
    let why = |error: openpgp::anyhow::Error| certificate::chain(&error);
    signature.signature_alive(time.to_system_time(), None).map_err(why)?;
    policy().signature(signature, HashAlgoSecurity::default()).map_err(why)?;
    let digest = signature.computed_digest().ok_or("nothing was hashed for it")?;
    match curve25519::verifies(key.mpis(), signature.mpis(), digest) {
        Some(true) => Ok(()),
        Some(false) => Err("bad signature".into()),
        None => key.verify(signature.mpis(), signature.hash_algo(), digest).map_err(why),
    }
}
