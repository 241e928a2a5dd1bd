//! The four operations that nearly every message takes – Ed25519 to sign and to verify, X25519 to seal and to open – by AWS-LC.
//!
//! Sequoia reads and writes the packets, hashes, encrypts, and says what a key may do. Of its back end only the arithmetic on this
//! one curve is done elsewhere, and only for the encodings of it that RFC 4880 and RFC 6637 know, in which all software keys of
//! ours are. OpenSSL 3 needs two to five times as long for it, and as long again to find its own functions by name each time.
//! Every other key goes to the back end as before.
//!
//! | file | what |
//! |---|---|
//! | `curve25519/verify.rs` | whether a signature is good |
//! | `curve25519/secret.rs` | secret keys in memory |
//! | `curve25519/session_key.rs` | a session key for somebody |

mod secret;
mod session_key;
mod verify;

pub use secret::SoftwareKey;
pub(crate) use session_key::{fill, fresh, packet};
pub(crate) use verify::verifies;

use sequoia_openpgp::crypto::mpi::MPI;

/// Length of points, scalars and either half of a signature, in bytes.
const LENGTH: usize = 32;

/// What stands before a point in the older encodings.
const NATIVE: u8 = 0x40;

/// The point, if it is one in the older encodings.
fn point(encoded: &MPI) -> Option<&[u8]> {
    encoded.value().strip_prefix(&[NATIVE]).filter(|point| point.len() == LENGTH)
}

#[cfg(test)]
mod tests {
    use openpgp::packet::Key;
    use openpgp::packet::key::{SecretParts, UnspecifiedRole};
    use sequoia_openpgp as openpgp;

    use crate::certificate;
    use crate::clock::Timestamp;

    /// A new key that signs.
    pub(super) fn signing_key() -> Key<SecretParts, UnspecifiedRole> {
        let cert =
            certificate::generate_software("host", Timestamp::from_seconds(1_795_000_000), None).unwrap();
        cert.primary_key().key().clone().role_into_unspecified().parts_into_secret().unwrap()
    }
}
