//! Names for commands, so that a test can say which one it counts.

/// Bit of the class byte that says another block of the same command follows.
const CHAINING: u8 = 0x10;

/// What a command APDU asks for, by OpenPGP card 3.4: `VERIFY`, `GET_DATA_6E`, `PSO_CDS`.
///
/// Every block of a chained command is named alike. A VERIFY that carries no PIN only asks how things
/// stand, and one with P1=FF takes a verification back, so these are named apart.
pub(crate) fn name(apdu: &[u8]) -> String {
    let [class, instruction, p1, p2, rest @ ..] = apdu else {
        return "OTHER_SHORT".to_owned();
    };
    let name = match (instruction, p1, p2) {
        (0x20, 0xFF, _) => "VERIFY_UNDO",
        (0x20, ..) if rest.is_empty() && class & CHAINING == 0 => "VERIFY_STATUS",
        (0x20, ..) => "VERIFY",
        (0x22, ..) => "MANAGE_SECURITY_ENVIRONMENT",
        (0x24, ..) => "CHANGE_REFERENCE_DATA",
        (0x2A, 0x9E, 0x9A) => "PSO_CDS",
        (0x2A, 0x80, 0x86) => "PSO_DEC",
        (0x2A, 0x86, 0x80) => "PSO_ENC",
        (0x2C, ..) => "RESET_RETRY",
        (0x44, ..) => "ACTIVATE",
        (0x47, 0x81, _) => "READ_PUBLIC_KEY",
        (0x47, ..) => "GENERATE",
        (0x84, ..) => "GET_CHALLENGE",
        (0x88, ..) => "INTERNAL_AUTHENTICATE",
        (0xA4, ..) => "SELECT",
        (0xA5, ..) => "SELECT_DATA",
        (0xC0, ..) => "GET_RESPONSE",
        (0xCA, 0, tag) => return format!("GET_DATA_{tag:02X}"),
        (0xCA, ..) => return format!("GET_DATA_{p1:02X}{p2:02X}"),
        (0xCC, ..) => "GET_NEXT_DATA",
        (0xDA | 0xDB, ..) => "PUT_DATA",
        (0xE6, ..) => "TERMINATE",
        (other, ..) => return format!("OTHER_{other:02X}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn commands_are_named_by_what_they_ask() {
        for (apdu, expected) in [
            (&[0x00, 0xA4, 4, 0, 6, 0xD2, 0x76, 0, 1, 0x24, 1][..], "SELECT"),
            (&[0x00, 0xCA, 0, 0x6E, 0], "GET_DATA_6E"),
            (&[0x00, 0xCA, 0x5F, 0x52, 0], "GET_DATA_5F52"),
            (&[0x00, 0x20, 0, 0x81, 6, 49, 50, 51, 52, 53, 54], "VERIFY"),
            (&[0x00, 0x20, 0, 0x81], "VERIFY_STATUS"),
            (&[0x00, 0x20, 0xFF, 0x81], "VERIFY_UNDO"),
            (&[0x00, 0x2A, 0x9E, 0x9A, 1, 0, 0], "PSO_CDS"),
            (&[0x00, 0x2A, 0x80, 0x86, 1, 0, 0], "PSO_DEC"),
            (&[0x00, 0x47, 0x80, 0, 2, 0xB6, 0, 0], "GENERATE"),
            (&[0x00, 0x47, 0x81, 0, 2, 0xB6, 0, 0], "READ_PUBLIC_KEY"),
            (&[0x00, 0xDA, 0, 0xC4, 1, 1], "PUT_DATA"),
            (&[0x00, 0xDB, 0x3F, 0xFF, 1, 1], "PUT_DATA"),
            (&[0x00, 0x24, 0, 0x81, 1, 1], "CHANGE_REFERENCE_DATA"),
            (&[0x00, 0x2C, 2, 0x81, 1, 1], "RESET_RETRY"),
            (&[0x00, 0xC0, 0, 0, 0], "GET_RESPONSE"),
            (&[0x00, 0x88, 0, 0, 1, 1, 0], "INTERNAL_AUTHENTICATE"),
            (&[0x00, 0x44, 0, 0], "ACTIVATE"),
            (&[0x00, 0xE6, 0, 0], "TERMINATE"),
            (&[0x00, 0xF1, 0, 0], "OTHER_F1"),
            (&[0x00, 0xA4], "OTHER_SHORT"),
        ] {
            assert_eq!(name(apdu), expected, "{apdu:02X?}");
        }
    }

    #[test]
    fn a_block_of_a_chain_has_its_commands_name() {
        assert_eq!(name(&[0x10, 0x2A, 0x80, 0x86, 1, 0]), "PSO_DEC");
        assert_eq!(name(&[0x10, 0x20, 0, 0x81]), "VERIFY");
    }
}
