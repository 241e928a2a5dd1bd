//! How much is added to what is encrypted, so that its size tells little: Padmé, from a least size on.
//!
//! Of a size with n binary digits only the first log₂ n or so are kept, so that at most 12 % is added, and observers
//! learn of a size of L bytes only log log L bits ("Reducing Metadata Leakage from Encrypted Files and Communication
//! with PURBs", section 4).

use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::packet::Padding;

use crate::curve25519;
use crate::limits;

/// The padding packet (RFC 9580, 5.14) that brings `inside` bytes to the size of their class.
pub(super) fn packet(inside: usize) -> openpgp::Result<Packet> {
    let mut class = class(inside);
    // Rarely a gap is one that no packet fills exactly.
    let body = loop {
        match body(class - inside) {
            Some(body) => break body,
            None => class = self::class(class + 1),
        }
    };
    // Not the library's own: that starts a generator anew for each packet.
    let mut noise = vec![0; body];
    curve25519::fill(&mut noise)?;
    Ok(Padding::from(noise).into())
}

/// The class of a size: what it is brought to.
fn class(size: usize) -> usize {
    let size = size.max(limits::ENVELOPE_INSIDE);
    let digits = size.ilog2();
    let cleared = digits - (digits.ilog2() + 1);
    size.next_multiple_of(1 << cleared)
}

/// The body of the packet that takes exactly `gap` bytes with its header: one byte for the tag, one, two or five for
/// the length.
fn body(gap: usize) -> Option<usize> {
    let header = |body: usize| match body {
        0..192 => 2,
        192..8384 => 3,
        _ => 6,
    };
    [2, 3, 6].into_iter().find_map(|taken| gap.checked_sub(taken).filter(|body| header(*body) == taken))
}

#[cfg(test)]
mod tests {
    use super::*;
    use openpgp::serialize::SerializeInto as _;

    #[test]
    fn every_size_becomes_one_of_few_and_grows_little() {
        let mut classes = std::collections::BTreeSet::new();
        for size in (0..20_000).chain((20_000..limits::ENVELOPE).step_by(997)) {
            let whole = size + packet(size).unwrap().to_vec().unwrap().len();
            assert!(whole >= limits::ENVELOPE_INSIDE && whole == class(whole), "{size} became {whole}");
            assert!(
                size < limits::ENVELOPE_INSIDE || whole * 8 <= (size + 8) * 9 + 8,
                "{size} became {whole}"
            );
            classes.insert(whole);
        }
        assert!(classes.len() <= 9 * 32, "{} classes", classes.len());
        assert_eq!(classes.first(), Some(&limits::ENVELOPE_INSIDE));
    }
}
