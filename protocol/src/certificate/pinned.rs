//! A certificate as far as signatures and envelopes need it: read once, judged by the policy once, and then asked often.

use sequoia_openpgp as openpgp;

use openpgp::KeyHandle;
use openpgp::cert::Preferences as _;
use openpgp::packet::Key;
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::types::Features;

use super::{Cert, CertificateError, is_revoked, our_fingerprint, policy};
use crate::clock::Timestamp;
use crate::ids::Fingerprint;

/// What a certificate's keys may do, as the policy saw it at one moment. Its bytes are not asked again: who keeps one for longer
/// than that moment keeps it beside the bytes it was made of, and for minutes at most ([`Self::judged`]).
#[derive(Debug, Clone)]
pub struct Pinned {
    fingerprint: Fingerprint,
    judged: Timestamp,
    features: Features,
    keys: Vec<PinnedKey>,
}

/// One of its component keys.
#[derive(Debug, Clone)]
pub(crate) struct PinnedKey {
    key: Key<PublicParts, UnspecifiedRole>,
    fingerprint: Fingerprint,
    signs: Use,
    receives: Use,
}

/// Whether a key may be used for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Not for this; or it is revoked, over, or outside the pinned suite.
    Never,
    /// For as long as nobody revokes it.
    Always,
    /// Before that second.
    Until(Timestamp),
}

impl Use {
    fn at(self, when: Timestamp) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Until(end) => when < end,
        }
    }
}

impl Pinned {
    /// Of a certificate as it is at `now`.
    ///
    /// # Errors
    /// A key version that this program does not know.
    pub fn of(cert: &Cert, now: Timestamp) -> Result<Self, CertificateError> {
        // A certificate that is over or revoked has no key that may do anything.
        let valid = cert.with_policy(policy(), now.to_system_time()).ok();
        let valid = valid.filter(|valid| valid.alive().is_ok() && !is_revoked(cert, now));
        let end = valid.as_ref().and_then(|valid| valid.primary_key().key_expiration_time());
        let usable: Vec<_> =
            valid.iter().flat_map(|valid| valid.keys().supported().alive().revoked(false)).collect();
        let pin = |key: &Key<PublicParts, UnspecifiedRole>| {
            let found = usable.iter().find(|usable| usable.key().fingerprint() == key.fingerprint());
            let may = |purpose: bool| {
                let Some(found) = found.filter(|_| purpose) else { return Use::Never };
                let end = [end, found.key_expiration_time()].into_iter().flatten().min();
                end.map_or(Use::Always, |end| Use::Until(Timestamp::from(end)))
            };
            Ok(PinnedKey {
                fingerprint: our_fingerprint(&key.fingerprint())?,
                signs: may(found.is_some_and(|found| found.for_signing())),
                receives: may(found.is_some_and(|found| found.for_transport_encryption())),
                key: key.clone(),
            })
        };
        Ok(Self {
            fingerprint: super::fingerprint(cert)?,
            judged: now,
            features: valid.and_then(|valid| valid.features()).unwrap_or_else(Features::empty),
            keys: cert.keys().map(|key| pin(key.key().role_as_unspecified())).collect::<Result<_, _>>()?,
        })
    }

    /// The same without the keys that sign nothing: of somebody to whom nothing is sealed.
    #[must_use]
    pub fn signing_only(mut self) -> Self {
        self.keys.retain(|key| key.signs != Use::Never || key.receives == Use::Never);
        self
    }

    /// The primary key's fingerprint.
    #[must_use]
    pub const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// When the policy was asked.
    #[must_use]
    pub const fn judged(&self) -> Timestamp {
        self.judged
    }

    /// Whether one of its keys is called so, whatever that key may do.
    #[must_use]
    pub fn holds(&self, handle: &KeyHandle) -> bool {
        self.named(std::slice::from_ref(handle)).is_some()
    }

    /// Whether something could be sealed to it at `now`.
    #[must_use]
    pub fn receives(&self, now: Timestamp) -> bool {
        self.keys.iter().any(|key| key.receives.at(now))
    }

    /// The key that one of these handles names.
    pub(crate) fn named(&self, handles: &[KeyHandle]) -> Option<&PinnedKey> {
        self.keys.iter().find(|key| {
            let own = key.key.key_handle();
            handles.iter().any(|handle| own.aliases(handle))
        })
    }

    /// The keys that something can be sealed to at `now`, the newest first.
    pub(crate) fn receivers(&self, now: Timestamp) -> Vec<&Key<PublicParts, UnspecifiedRole>> {
        let mut keys: Vec<_> =
            self.keys.iter().filter(|key| key.receives.at(now)).map(|key| &key.key).collect();
        keys.sort_by_key(|key| std::cmp::Reverse(key.creation_time()));
        keys
    }

    /// What its holder says that their program understands.
    pub(crate) const fn features(&self) -> &Features {
        &self.features
    }
}

impl PinnedKey {
    /// The key.
    pub(crate) const fn key(&self) -> &Key<PublicParts, UnspecifiedRole> {
        &self.key
    }

    /// Its fingerprint.
    pub(crate) const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Whether it may sign at `when`.
    pub(crate) fn signs(&self, when: Timestamp) -> bool {
        self.signs.at(when)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate;
    use openpgp::cert::CertBuilder;
    use openpgp::types::{KeyFlags, ReasonForRevocation};

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn signing(cert: &Cert, judged: Timestamp, when: Timestamp) -> Vec<Fingerprint> {
        let pinned = Pinned::of(cert, judged).unwrap();
        pinned.keys.iter().filter(|key| key.signs(when)).map(|key| key.fingerprint.clone()).collect()
    }

    #[test]
    fn a_pinned_certificate_signs_with_the_keys_that_the_policy_names_and_until_they_end() {
        let hour = std::time::Duration::from_secs(3600);
        let (cert, _) = CertBuilder::new()
            .set_creation_time(NOW.to_system_time())
            .set_primary_key_flags(KeyFlags::empty().set_certification().set_signing())
            .set_validity_period(hour * 10)
            .add_subkey(KeyFlags::empty().set_signing(), hour, None)
            .add_transport_encryption_subkey()
            .generate()
            .unwrap();
        for judged in
            [NOW, NOW.plus(1800), NOW.plus(3599), NOW.plus(3600), NOW.plus(35_999), NOW.plus(36_000)]
        {
            for when in [judged, judged.plus(120)] {
                let asked = certificate::signing_keys(&cert, when);
                let asked = if certificate::check(&cert, when).is_ok() { asked } else { Vec::new() };
                assert_eq!(signing(&cert, judged, when), asked, "{judged} {when}");
            }
        }
        assert_eq!(signing(&cert, NOW, NOW).len(), 2);
        assert_eq!(signing(&cert, NOW.plus(3590), NOW.plus(3600)).len(), 1, "the session key ended");
        assert_eq!(signing(&cert, NOW.plus(35_990), NOW.plus(36_000)).len(), 0, "the certificate ended");
        let pinned = Pinned::of(&cert, NOW).unwrap();
        assert!(pinned.receives(NOW) && !pinned.receives(NOW.plus(36_000)));
        assert!(!pinned.clone().signing_only().receives(NOW));
        assert_eq!(pinned.signing_only().keys.len(), 2);
    }

    #[test]
    fn a_revoked_certificate_pins_no_key_that_may_do_anything() {
        let (cert, _) = CertBuilder::general_purpose(Some("ana"))
            .set_creation_time(NOW.to_system_time())
            .generate()
            .unwrap();
        let mut signer =
            cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
        let revocation = cert.revoke(&mut signer, ReasonForRevocation::KeyCompromised, b"lost").unwrap();
        let revoked = cert.clone().insert_packets(revocation).unwrap().0;
        let later = NOW.plus(60);
        assert!(!signing(&cert, later, later).is_empty());
        assert!(signing(&revoked, later, later).is_empty());
        assert!(!Pinned::of(&revoked, later).unwrap().receives(later));
        assert!(Pinned::of(&revoked, later).unwrap().holds(&revoked.key_handle()), "it is no stranger's");
    }
}
