//! The server's certificate: a primary key that only certifies, and subkeys that come and go under it.

use sequoia_openpgp as openpgp;

use openpgp::cert::amalgamation::ValidateAmalgamation as _;
use openpgp::cert::{CertBuilder, CipherSuite};
use openpgp::types::KeyFlags;

use super::{Cert, CertificateError, check, keys_for, library, policy, signing_keys};
use crate::clock::Timestamp;

/// A primary key that only certifies, with its secret, and a name; subkeys come by
/// [`with_new_subkeys`](super::with_new_subkeys).
///
/// # Errors
/// The library fails.
pub fn generate_server(name: &str, now: Timestamp) -> Result<Cert, CertificateError> {
    let (cert, _revocation) = CertBuilder::new()
        .set_cipher_suite(CipherSuite::Cv25519)
        .set_profile(openpgp::Profile::RFC4880)
        .map_err(library)?
        .set_creation_time(now.to_system_time())
        .set_primary_key_flags(KeyFlags::empty().set_certification())
        .add_userid(name)
        .generate()
        .map_err(library)?;
    Ok(cert)
}

/// Whether `certificate` has a key to seal to and one that may have signed at `now`: a server's that has not can neither
/// be asked nor believed.
#[must_use]
pub fn can_be_spoken_to(certificate: &Cert, now: Timestamp) -> bool {
    let seals = keys_for(certificate, now, &KeyFlags::empty().set_transport_encryption());
    !seals.is_empty() && !signing_keys(certificate, now).is_empty()
}

/// Whether `new` may take the place of `held`, the certificate that is pinned by its primary key: the same primary key
/// vouches for keys that are good `now`, and the one to seal to is newer. Who brings it does not matter then; an older one
/// could be played again by whoever has its secret keys.
///
/// # Errors
/// [`CertificateError::Rejected`] with the reason.
pub fn takes_place_of(new: &Cert, held: &Cert, now: Timestamp) -> Result<(), CertificateError> {
    goes_on_from(new, held, now)?;
    if newest_to_seal_to(new) > newest_to_seal_to(held) {
        return Ok(());
    }
    Err(CertificateError::Rejected("it is not newer than the one that is held".to_owned()))
}

/// The same of one that the server itself sends, proven by its signature: it may also have lost a signing key whose life is
/// over, and have the same one to seal to.
///
/// # Errors
/// [`CertificateError::Rejected`] with the reason.
pub fn goes_on_from(new: &Cert, held: &Cert, now: Timestamp) -> Result<(), CertificateError> {
    let rejected = |what: &str| Err(CertificateError::Rejected(what.to_owned()));
    if new.fingerprint() != held.fingerprint() {
        return rejected("it is another server's");
    }
    check(new, now)?;
    if !can_be_spoken_to(new, now) {
        return rejected("it has no key to seal to, or none to sign with, that is good now");
    }
    if newest_to_seal_to(new) < newest_to_seal_to(held) {
        return rejected("it is older than the one that is held");
    }
    Ok(())
}

/// When the newest encryption key was made that the primary key vouches for, whether it is good now or not.
fn newest_to_seal_to(certificate: &Cert) -> Option<Timestamp> {
    let made = certificate.keys().subkeys().filter_map(|key| {
        let made = key.key().creation_time();
        let bound = key.with_policy(policy(), made).ok()?;
        bound.for_transport_encryption().then(|| Timestamp::from(made))
    });
    made.max()
}

#[cfg(test)]
mod tests {
    use super::super::{fingerprint, signer_of, with_new_subkeys};
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
    const DAY: i64 = 86_400;

    fn primary() -> Cert {
        generate_server("server", NOW).unwrap()
    }

    fn renewed(base: &Cert, by: &Cert, at: Timestamp) -> Cert {
        let mut signer = signer_of(by, &fingerprint(by).unwrap()).unwrap();
        with_new_subkeys(base, &mut signer, at, 10 * DAY).unwrap().0.strip_secret_key_material()
    }

    #[test]
    fn only_newer_keys_under_the_same_primary_key_take_the_place() {
        let mine = primary();
        let first = renewed(&mine, &mine, NOW);
        let second = renewed(&mine, &mine, NOW.plus(DAY));
        let at = NOW.plus(2 * DAY);
        takes_place_of(&second, &first, at).unwrap();
        goes_on_from(&first, &first, at).unwrap();
        assert!(goes_on_from(&first, &second, at).is_err());
        for (new, held, when) in [
            (&first, &second, at),
            (&first, &first, at),
            (&mine.clone().strip_secret_key_material(), &first, at),
            (&second, &first, NOW.plus(12 * DAY)),
            (&renewed(&primary(), &primary(), NOW.plus(DAY)), &first, at),
        ] {
            assert!(takes_place_of(new, held, when).is_err());
        }
        // Even without a good key the held one is not replaced by an older one.
        assert!(takes_place_of(&first, &second, NOW.plus(9 * DAY)).is_err());
    }

    #[test]
    fn subkeys_that_another_key_vouches_for_are_none() {
        let (mine, other) = (primary(), primary());
        let first = renewed(&mine, &mine, NOW);
        let forged = renewed(&first, &other, NOW.plus(DAY));
        assert!(takes_place_of(&forged, &first, NOW.plus(2 * DAY)).is_err());
    }
}
