//! What a card's algorithm attributes mean to a person.

/// Curves by object identifier, without tag and length (OpenPGP card 3.4.1, 4.4.3.10).
const CURVES: [(&[u8], &str); 9] = [
    (&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07], "NIST P-256"),
    (&[0x2B, 0x81, 0x04, 0x00, 0x22], "NIST P-384"),
    (&[0x2B, 0x81, 0x04, 0x00, 0x23], "NIST P-521"),
    (&[0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07], "Brainpool P-256"),
    (&[0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0B], "Brainpool P-384"),
    (&[0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0D], "Brainpool P-512"),
    (&[0x2B, 0x81, 0x04, 0x00, 0x0A], "secp256k1"),
    (&[0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x0F, 0x01], "Ed25519"),
    (&[0x2B, 0x06, 0x01, 0x04, 0x01, 0x97, 0x55, 0x01, 0x05, 0x01], "X25519"),
];

/// `RSA-2048`, `Ed25519`, `NIST P-256` …
pub(super) fn in_words(attributes: &[u8]) -> String {
    match attributes {
        [0x01, high, low, ..] => format!("RSA-{}", u16::from_be_bytes([*high, *low])),
        // Some cards say behind the identifier in which form they take keys.
        [0x12 | 0x13 | 0x16, oid @ ..] => CURVES
            .iter()
            .find(|(known, _)| oid.starts_with(known))
            .map_or_else(|| "an unknown curve".to_owned(), |(_, name)| (*name).to_owned()),
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_real_cards_are_named() {
        for (attributes, name) in [
            ("010800001100", "RSA-2048"),
            ("011000002000", "RSA-4096"),
            ("162b06010401da470f01", "Ed25519"),
            ("122b060104019755010501", "X25519"),
            ("132a8648ce3d030107ff", "NIST P-256"),
            ("132b81040099", "an unknown curve"),
            ("", "unknown"),
        ] {
            assert_eq!(in_words(&hex::decode(attributes).unwrap()), name, "{attributes}");
        }
    }
}
