//! The key derivation some cards ask for: they never see the PIN, only its hash (card 3.4.1, 4.3.2).

use openpgp_card::ocard::data::KdfDo;
use sha2::{Sha256, Sha512};
use zeroize::{Zeroize as _, Zeroizing};

use super::error::CardError;
use super::pin::{Pin, PinKind};

/// What a card says about it: nothing, an object, or nothing that can be understood.
pub(super) type Kdf = Result<Option<KdfDo>, CardError>;

/// Whether the card gets hashes in place of PINs, or may want them.
pub(super) fn is_on(kdf: &Kdf) -> bool {
    kdf.as_ref().map_or(true, |kdf| kdf.as_ref().is_some_and(|kdf| kdf.kdf_algo() != 0))
}

/// Why no PIN can be sent to this card, if so.
pub(super) fn problem(kdf: &Kdf) -> Option<CardError> {
    method(kdf, PinKind::User).err()
}

/// What the card calls the PIN: the text, or the hash it asks for.
///
/// # Errors
/// The card asks for a derivation that we do not know. The plain PIN is not sent instead: it would be
/// counted as a wrong one.
pub(super) fn apply(kdf: &Kdf, pin: &Pin, kind: PinKind) -> Result<Zeroizing<Vec<u8>>, CardError> {
    let text = pin.expose().as_bytes();
    let Some(Method { hash, salt, count }) = method(kdf, kind)? else {
        return Ok(Zeroizing::new(text.to_vec()));
    };
    let derived = hash(salt, text, count);
    wipe_stack();
    Ok(derived)
}

/// Of salt and PIN, and how many bytes of both.
type Hash = fn(&[u8], &[u8], u32) -> Zeroizing<Vec<u8>>;

struct Method<'a> {
    hash: Hash,
    salt: &'a [u8],
    count: u32,
}

fn method(kdf: &Kdf, kind: PinKind) -> Result<Option<Method<'_>>, CardError> {
    let Some(kdf) = kdf.as_ref().map_err(Clone::clone)?.as_ref().filter(|kdf| kdf.kdf_algo() != 0) else {
        return Ok(None);
    };
    // A card with one salt uses it for all (4.3.2: "if only one salt is given").
    let salt = match kind {
        PinKind::User => kdf.salt_pw1(),
        PinKind::Admin => kdf.salt_pw3().or(kdf.salt_pw1()),
        PinKind::ResetCode => kdf.salt_rc().or(kdf.salt_pw1()),
    };
    let (Some(salt), Some(count), 3) = (salt, kdf.iter_count(), kdf.kdf_algo()) else {
        return Err(unknown(kdf));
    };
    match kdf.hash_algo() {
        Some(8) => Ok(Some(Method { hash: iterated::<Sha256>, salt, count })),
        Some(10) => Ok(Some(Method { hash: iterated::<Sha512>, salt, count })),
        _ => Err(unknown(kdf)),
    }
}

/// The hash functions keep the block they work on, which is the PIN, and wipe neither it nor the hash. Both lie
/// on the stack below the caller; there is nothing else.
#[inline(never)]
fn wipe_stack() {
    const DEEPEST: usize = 16 * 1024;
    let mut below = [0xFF_u8; DEEPEST];
    below.zeroize();
    std::hint::black_box(&below);
}

fn unknown(kdf: &KdfDo) -> CardError {
    CardError::Unsupported(format!(
        "it wants PINs derived by method {} with hash {:?}, which is unknown here",
        kdf.kdf_algo(),
        kdf.hash_algo()
    ))
}

/// Iterated and salted S2K (RFC 9580, 3.7.1.3): `count` bytes of salt and PIN in turns, all of both at
/// least once.
#[inline(never)]
fn iterated<H: sha2::Digest>(salt: &[u8], pin: &[u8], count: u32) -> Zeroizing<Vec<u8>> {
    let once = Zeroizing::new([salt, pin].concat());
    // Hashing a page at a time is several times faster than 14 bytes at a time.
    let page = Zeroizing::new(once.repeat((4096 / once.len()).max(1)));
    let mut hash = H::new();
    let mut left = usize::try_from(count).unwrap_or(usize::MAX).max(once.len());
    while let Some(after) = left.checked_sub(page.len()) {
        hash.update(&*page);
        left = after;
    }
    hash.update(page.get(..left).unwrap_or_default());
    Zeroizing::new(hash.finalize().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification, 3.4.1, page 20.
    #[test]
    fn the_hash_is_the_one_of_the_specification() {
        let hash = iterated::<Sha256>(b"01234567", b"123456", 100_000);
        assert_eq!(hex::encode(&*hash), "773784a602b6c81e3f092f4d7d00e17cc822d88f7360fcf2d2ef2d9d901f44b6");
        let hash = iterated::<Sha256>(b"ABCDEFGH", b"12345678", 100_000);
        assert_eq!(hex::encode(&*hash), "2675d6164a0d4827d1d00c7eea620d015c00030a1cab38b4d0dd600b27dc9630");
    }

    #[test]
    fn without_a_derivation_the_pin_is_sent_as_it_is() {
        assert_eq!(*apply(&Ok(None), &Pin::factory_user(), PinKind::User).unwrap(), b"123456");
        let off = Ok(KdfDo::try_from([0x81, 1, 0].as_slice()).ok());
        assert_eq!(*apply(&off, &Pin::factory_user(), PinKind::User).unwrap(), b"123456");
    }

    #[test]
    fn an_unknown_derivation_is_refused_before_it_costs_a_try() {
        let strange = Ok(KdfDo::try_from([0x81, 1, 9].as_slice()).ok());
        assert!(matches!(
            apply(&strange, &Pin::factory_user(), PinKind::User),
            Err(CardError::Unsupported(_))
        ));
    }
}
