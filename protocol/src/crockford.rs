//! Codes that people copy from paper: Crockford's digits and letters, in groups of four.

use secrecy::{ExposeSecret as _, SecretBox, SecretString};

use crate::random::{self, NoRandomness, Random};

/// Digits and letters without I, L, O, U, which people confuse.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// More than any code has: what is longer is cut, and is none.
const LONGEST: usize = 64;

/// `groups` groups of four random characters, 20 bits each, without separators.
///
/// # Errors
/// No randomness.
pub fn fresh(random: &dyn Random, groups: usize) -> Result<SecretString, NoRandomness> {
    let mut text = String::with_capacity(groups * 4);
    for _ in 0..groups {
        let bytes = SecretBox::new(Box::new(random::array::<4>(random)?));
        for byte in bytes.expose_secret() {
            // 256 is a multiple of 32: every character is equally likely.
            text.extend(ALPHABET.get(usize::from(byte % 32)).map(|&c| char::from(c)));
        }
    }
    Ok(text.into())
}

/// What a person typed, in its one spelling: any case, with spaces and dashes, and I, L, O for what they look like.
#[must_use]
pub fn typed(text: &str) -> SecretString {
    let mut plain = String::with_capacity(LONGEST);
    let meant =
        text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| match c.to_ascii_uppercase() {
            'I' | 'L' => '1',
            'O' => '0',
            other => other,
        });
    for c in meant {
        // Never grown: a buffer that moves leaves a copy behind.
        if plain.len() + c.len_utf8() > LONGEST {
            break;
        }
        plain.push(c);
    }
    plain.into()
}

/// Whether `plain` is exactly `groups` groups of the alphabet.
#[must_use]
pub fn is_code(plain: &SecretString, groups: usize) -> bool {
    let plain = plain.expose_secret().as_bytes();
    plain.len() == groups * 4 && plain.iter().all(|byte| ALPHABET.contains(byte))
}

/// For the person who writes it down: `7K3M-Q2ZD`.
#[must_use]
pub fn spelled(plain: &SecretString) -> SecretString {
    let plain = plain.expose_secret();
    let mut text = String::with_capacity(plain.len() + plain.len() / 4);
    for (at, c) in plain.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push('-');
        }
        text.push(c);
    }
    text.into()
}
