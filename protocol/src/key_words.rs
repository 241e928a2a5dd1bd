//! A fingerprint as six words that two people can compare over the telephone.

use sha2::{Digest as _, Sha256};

use crate::ids::{Digest, Fingerprint};

/// Six words of the BIP 39 English list, joined by `-`: 66 bits of SHA-256 over a domain mark and the fingerprint.
///
/// 66 bits keep somebody who makes keys by the billion from finding one with the same words as a given key.
#[must_use]
pub fn key_words(fingerprint: &Fingerprint) -> String {
    words(b"countersign key words 1", fingerprint.as_bytes())
}

/// The same of a certificate that is only committed to: what a message with a code and the terminal that asks for it both
/// show (W9).
#[must_use]
pub fn commitment_words(commitment: &Digest) -> String {
    words(b"countersign commitment words 1", commitment.as_bytes())
}

fn words(mark: &[u8], bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(mark);
    hash.update(bytes);
    let digest = hash.finalize();
    let mut bits: u128 = digest.iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte));
    let list = bip39::Language::English.word_list();
    let mut words = Vec::with_capacity(6);
    for _ in 0..6 {
        let index = usize::try_from(bits & 0x7FF).unwrap_or(0);
        bits >>= 11;
        words.extend(list.get(index).copied());
    }
    words.join("-")
}

/// What a person typed, in the form [`key_words`] has: lower case, one dash between words.
#[must_use]
pub fn normalise(typed: &str) -> String {
    typed
        .split(|c: char| c.is_whitespace() || c == '-')
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect::<Vec<_>>()
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_for_the_same_key_and_differ_for_another() {
        let one: Fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567".parse().unwrap();
        let other: Fingerprint = "0123456789ABCDEF0123456789ABCDEF01234568".parse().unwrap();
        assert_eq!(key_words(&one), key_words(&one));
        assert_ne!(key_words(&one), key_words(&other));
        assert_eq!(key_words(&one).split('-').count(), 6);
    }

    #[test]
    fn words_may_be_typed_as_people_type() {
        assert_eq!(normalise("  Apple banana-CHERRY "), "apple-banana-cherry");
    }
}
