//! One signing and one decryption subkey that were made together.

use countersign_protocol::certificate::{self, Cert, CertificateError};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::curve25519::SoftwareKey;
use countersign_protocol::limits;
use sequoia_openpgp as openpgp;

use openpgp::cert::SubkeyRevocationBuilder;
use openpgp::cert::amalgamation::ValidateAmalgamation as _;
use openpgp::types::{ReasonForRevocation, RevocationStatus};

use super::{BACKDATE, library};

/// One signing and one decryption subkey that were made together. The first pair of a server of an early version has no
/// signing key of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// When both say that they were made.
    pub created: Timestamp,
    /// Since when hosts are told of it.
    pub told: Timestamp,
    /// When the first of them ends.
    pub ends: Option<Timestamp>,
    /// Under which replies and rosters are signed.
    pub signing: Option<openpgp::Fingerprint>,
    /// To which envelopes are sealed.
    pub decryption: Option<openpgp::Fingerprint>,
    /// Whether the secret of the one is here.
    pub signs: bool,
    /// Whether the secret of the other is here.
    pub decrypts: bool,
    /// Given up before its end.
    pub revoked: bool,
}

impl Pair {
    /// Whether it may be used.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        !self.revoked && self.created <= now && self.ends.is_none_or(|ends| now < ends)
    }

    /// When it was made.
    #[must_use]
    pub const fn made(&self) -> Timestamp {
        self.created.plus(BACKDATE)
    }

    /// When every host that checks in has heard of it.
    #[must_use]
    pub const fn known_at(&self) -> Timestamp {
        self.told.plus(limits::SERVER_KEY_OVERLAP)
    }

    /// Whether every host that checks in has heard of it.
    #[must_use]
    pub fn is_known(&self, now: Timestamp) -> bool {
        self.known_at() <= now
    }
}

/// All that the primary key vouches for, the oldest first.
pub(super) fn all(cert: &Cert, now: Timestamp) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for key in cert.keys().subkeys() {
        let created = Timestamp::from(key.key().creation_time());
        // As it was bound: one whose life is over is bound no more now.
        let Ok(bound) = key.clone().with_policy(certificate::policy(), created.to_system_time()) else {
            continue;
        };
        // Two pairs may have been made within one second, one of them elsewhere.
        let has_room = |pair: &Pair| {
            !(bound.for_signing() && pair.signing.is_some()
                || bound.for_transport_encryption() && pair.decryption.is_some())
        };
        let its_place = pairs.iter().position(|pair| pair.created == created && has_room(pair));
        let index = its_place.unwrap_or_else(|| {
            pairs.push(Pair {
                created,
                told: created.plus(BACKDATE),
                ends: None,
                signing: None,
                decryption: None,
                signs: false,
                decrypts: false,
                revoked: false,
            });
            pairs.len() - 1
        });
        let Some(pair) = pairs.get_mut(index) else { continue };
        let has_secret = key.key().has_unencrypted_secret();
        if bound.for_signing() {
            pair.signing = Some(key.key().fingerprint());
            pair.signs = has_secret;
        }
        if bound.for_transport_encryption() {
            pair.decryption = Some(key.key().fingerprint());
            pair.decrypts = has_secret;
        }
        let ends = bound.key_expiration_time().map(Timestamp::from);
        pair.ends = [pair.ends, ends].into_iter().flatten().min();
        let status = key.revocation_status(certificate::policy(), now.to_system_time());
        pair.revoked |= matches!(status, RevocationStatus::Revoked(_));
    }
    pairs.sort_by_key(|pair| pair.created);
    pairs
}

/// With every subkey revoked.
pub(super) fn revoked(
    cert: Cert,
    primary: &mut SoftwareKey,
    reason: ReasonForRevocation,
    now: Timestamp,
) -> Result<Cert, CertificateError> {
    let revocations: Result<Vec<_>, _> = cert
        .keys()
        .subkeys()
        .map(|key| {
            SubkeyRevocationBuilder::new()
                .set_signature_creation_time(now.to_system_time())?
                .set_reason_for_revocation(reason, b"")?
                .build(primary, &cert, key.key(), None)
        })
        .collect();
    let (cert, _changed) = cert.insert_packets(revocations.map_err(library)?).map_err(library)?;
    Ok(cert)
}
