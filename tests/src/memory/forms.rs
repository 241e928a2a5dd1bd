//! The forms in which a secret may lie around, and finding them.

use std::collections::HashMap;

/// A piece of this many bytes of the secret counts: short enough for what is left of a buffer that was partly
/// overwritten, long enough not to turn up by chance.
pub(super) const PIECE: usize = 8;

/// Every piece of a secret in every form.
pub(super) struct Needles {
    /// By their first [`PIECE`] bytes, which all of them have.
    by_start: HashMap<[u8; PIECE], Vec<(Vec<u8>, &'static str)>>,
    /// Which bytes a needle begins with: most of memory begins none.
    starts: [bool; 256],
}

impl Needles {
    pub(super) fn of(secret: &[u8]) -> Self {
        let mut all: Vec<(Vec<u8>, &'static str)> = Vec::new();
        for piece in secret.windows(PIECE) {
            all.push((piece.to_vec(), "as it is"));
            all.push((piece.iter().flat_map(|byte| [*byte, 0]).collect(), "UTF-16"));
            all.push((piece.iter().flat_map(|byte| [0, *byte]).collect(), "UTF-16"));
            all.push((piece.iter().flat_map(|byte| [*byte, 0, 0, 0]).collect(), "UTF-32"));
            all.push((hexadecimal(piece).into_bytes(), "hexadecimal"));
            all.push((hexadecimal(piece).to_uppercase().into_bytes(), "hexadecimal"));
            all.push((base64(piece).into_bytes(), "base64"));
            // A hash function's block, as SHA-2 loads it.
            all.push((swapped::<4>(piece), "swapped in words of 32 bits"));
            all.push((swapped::<8>(piece), "swapped in words of 64 bits"));
        }
        let mut needles = Self { by_start: HashMap::new(), starts: [false; 256] };
        for (bytes, form) in all {
            let Some(start) = bytes.first_chunk::<PIECE>() else { continue };
            if let Some(first) = needles.starts.get_mut(usize::from(start[0])) {
                *first = true;
            }
            needles.by_start.entry(*start).or_default().push((bytes, form));
        }
        needles
    }

    /// Tells where each needle lies in `memory`.
    pub(super) fn find(&self, memory: &[u8], mut tell: impl FnMut(usize, &'static str)) {
        for (at, first) in memory.iter().enumerate() {
            if !self.starts.get(usize::from(*first)).is_some_and(|starts| *starts) {
                continue;
            }
            let Some(rest) = memory.get(at..) else { continue };
            let Some(start) = rest.first_chunk::<PIECE>() else { continue };
            for (bytes, form) in self.by_start.get(start).into_iter().flatten() {
                if rest.starts_with(bytes) {
                    tell(at, form);
                }
            }
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whole groups only: what stands beside a piece decides the last characters.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks_exact(3) {
        let number = group.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        let digits = [18, 12, 6, 0].into_iter().filter_map(|shift| ALPHABET.get(number >> shift & 63));
        text.extend(digits.map(|digit| char::from(*digit)));
    }
    text
}

fn swapped<const WORD: usize>(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks_exact(WORD).flat_map(|word| word.iter().rev().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"84726193-canary";

    fn forms(memory: &[u8]) -> Vec<&'static str> {
        let mut found = Vec::new();
        Needles::of(SECRET).find(memory, |_, form| found.push(form));
        found.sort_unstable();
        found.dedup();
        found
    }

    #[test]
    fn every_form_is_found_and_nothing_else() {
        let utf16: Vec<u8> = "..84726193-canary".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let other16: Vec<u8> = "84726193-canary".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let utf32: Vec<u8> = "84726193-canary".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        for (memory, form) in [
            (b"..84726193-canary..".as_slice(), "as it is"),
            (&utf16, "UTF-16"),
            (&other16, "UTF-16"),
            (&utf32, "UTF-32"),
            (b".38343732363139332d63616e617279", "hexadecimal"),
            (b".38343732363139332D63616E617279", "hexadecimal"),
            (b"ODQ3MjYxOTMtY2FuYXJ5", "base64"),
            (b"Ljg0NzI2MTkzLWNhbmFyeQ==", "base64"),
            (b"Li44NDcyNjE5My1jYW5hcnk=", "base64"),
            (b"x2748.3916nac.", "nothing"),
            (b"27483916nac-", "swapped in words of 32 bits"),
            (b"39162748", "swapped in words of 64 bits"),
            (b"8472619 84726194", "nothing"),
        ] {
            let expected: &[&str] = if form == "nothing" { &[] } else { &[form] };
            assert_eq!(forms(memory), expected, "{}", String::from_utf8_lossy(memory));
        }
    }

    #[test]
    fn a_piece_of_it_is_found_where_the_rest_was_overwritten() {
        assert_eq!(forms(b"\0\0\0\0\0\0\0\0\0\093-canary"), ["as it is"]);
    }
}
