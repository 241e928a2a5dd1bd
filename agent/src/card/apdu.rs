//! Commands to a card and its answers, as bytes (ISO 7816-4; OpenPGP card 3.4.1, chapter 7).
//!
//! Commands that may hold a PIN are built and sent from memory that is wiped. That, and status words
//! that reach the caller unchanged, is why this is not left to a library.

use zeroize::Zeroizing;

/// One command.
pub(super) struct Command {
    /// For error messages.
    pub(super) name: &'static str,
    header: [u8; 4],
    data: Zeroizing<Vec<u8>>,
    answer: Answer,
}

/// How much answer is expected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    None,
    Short,
    /// May be more than 256 bytes.
    Long,
}

/// What the card understands on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wire {
    /// Three-byte lengths.
    pub(super) extended: bool,
    /// Long data in several commands.
    pub(super) chaining: bool,
}

impl Wire {
    /// From the historical bytes in an answer to reset: the third byte of the card capabilities
    /// (ISO 7816-4, 12.1.1.9). Nothing found means nothing assumed.
    pub(super) fn from_atr(atr: &[u8]) -> Self {
        historical(atr)
            .and_then(capabilities)
            .map_or(Self::default(), |byte| Self { extended: byte & 0x40 != 0, chaining: byte & 0x80 != 0 })
    }
}

/// The historical bytes of an answer to reset (ISO 7816-3, 8.2).
fn historical(atr: &[u8]) -> Option<&[u8]> {
    let (&t0, mut rest) = atr.get(1..)?.split_first()?;
    let mut present = t0 >> 4;
    while present != 0 {
        let interface = usize::try_from(present.count_ones()).ok()?;
        let (bytes, after) = rest.split_at_checked(interface)?;
        present = if present & 0x8 != 0 { bytes.last()? >> 4 } else { 0 };
        rest = after;
    }
    rest.get(..usize::from(t0 & 0x0F))
}

/// The third card capabilities byte among the compact-TLV objects.
fn capabilities(historical: &[u8]) -> Option<u8> {
    let mut rest = match historical.split_first()? {
        // Status indicator in the last three bytes, which are not an object.
        (0x00, rest) => rest.get(..rest.len().checked_sub(3)?)?,
        (0x80, rest) => rest,
        _ => return None,
    };
    while let Some((head, after)) = rest.split_first() {
        let (value, after) = after.split_at_checked(usize::from(head & 0x0F))?;
        if head >> 4 == 7 {
            return value.get(2).copied();
        }
        rest = after;
    }
    None
}

impl Command {
    fn new(name: &'static str, header: [u8; 4], data: Vec<u8>, answer: Answer) -> Self {
        Self { name, header, data: Zeroizing::new(data), answer }
    }

    pub(super) fn select_openpgp() -> Self {
        let application = vec![0xD2, 0x76, 0x00, 0x01, 0x24, 0x01];
        Self::new("SELECT", [0x00, 0xA4, 0x04, 0x00], application, Answer::Short)
    }

    pub(super) fn get_data(tag: u16) -> Self {
        let [high, low] = tag.to_be_bytes();
        let (name, answer) = match tag {
            0x4F => ("GET DATA 4F", Answer::Short),
            0xC4 => ("GET DATA C4", Answer::Short),
            0x5F50 => ("GET DATA 5F50", Answer::Long),
            0x65 => ("GET DATA 65", Answer::Long),
            0x6E => ("GET DATA 6E", Answer::Long),
            0x7A => ("GET DATA 7A", Answer::Short),
            0xD6..=0xD9 => ("GET DATA (touch)", Answer::Short),
            0xF9 => ("GET DATA F9", Answer::Short),
            0xFA => ("GET DATA FA", Answer::Long),
            _ => ("GET DATA", Answer::Short),
        };
        Self::new(name, [0x00, 0xCA, high, low], Vec::new(), answer)
    }

    pub(super) fn put_data(tag: u16, data: Vec<u8>) -> Self {
        Self::put_secret(tag, Zeroizing::new(data))
    }

    /// For a data object that holds a PIN.
    pub(super) fn put_secret(tag: u16, data: Zeroizing<Vec<u8>>) -> Self {
        let [high, low] = tag.to_be_bytes();
        Self { name: "PUT DATA", header: [0x00, 0xDA, high, low], data, answer: Answer::None }
    }

    /// `which` is 81 for signing, 82 for the other keys, 83 for the admin PIN.
    pub(super) fn verify(which: u8, secret: Zeroizing<Vec<u8>>) -> Self {
        Self { name: "VERIFY", header: [0x00, 0x20, 0x00, which], data: secret, answer: Answer::None }
    }

    /// Takes a verification back (card 3.x).
    pub(super) fn forget_verification(which: u8) -> Self {
        Self::new("VERIFY (take back)", [0x00, 0x20, 0xFF, which], Vec::new(), Answer::None)
    }

    /// Old and new PIN, one after the other.
    pub(super) fn change_pin(which: u8, secrets: Zeroizing<Vec<u8>>) -> Self {
        Self {
            name: "CHANGE REFERENCE DATA",
            header: [0x00, 0x24, 0x00, which],
            data: secrets,
            answer: Answer::None,
        }
    }

    /// A new user PIN, after the admin PIN was verified.
    pub(super) fn reset_user_pin(new: Zeroizing<Vec<u8>>) -> Self {
        Self {
            name: "RESET RETRY COUNTER",
            header: [0x00, 0x2C, 0x02, 0x81],
            data: new,
            answer: Answer::None,
        }
    }

    /// Resetting code and new user PIN, one after the other.
    pub(super) fn reset_user_pin_with_code(secrets: Zeroizing<Vec<u8>>) -> Self {
        Self {
            name: "RESET RETRY COUNTER",
            header: [0x00, 0x2C, 0x00, 0x81],
            data: secrets,
            answer: Answer::None,
        }
    }

    /// Ends the application's life; only [`Command::activate`] is answered after it.
    pub(super) fn terminate() -> Self {
        Self::new("TERMINATE DF", [0x00, 0xE6, 0x00, 0x00], Vec::new(), Answer::None)
    }

    /// Begins a new life, as from the factory.
    pub(super) fn activate() -> Self {
        Self::new("ACTIVATE FILE", [0x00, 0x44, 0x00, 0x00], Vec::new(), Answer::None)
    }

    /// A YubiKey's firmware version, three bytes of binary-coded decimals (Yubico's addition).
    pub(super) fn yubikey_version() -> Self {
        Self::new("GET VERSION", [0x00, 0xF1, 0x00, 0x00], Vec::new(), Answer::Short)
    }

    pub(super) fn compute_signature(data: Vec<u8>) -> Self {
        Self::new("PSO: COMPUTE DIGITAL SIGNATURE", [0x00, 0x2A, 0x9E, 0x9A], data, Answer::Long)
    }

    /// Signs as [`Command::compute_signature`] does, with the key in the authentication slot.
    pub(super) fn internal_authenticate(data: Vec<u8>) -> Self {
        Self::new("INTERNAL AUTHENTICATE", [0x00, 0x88, 0x00, 0x00], data, Answer::Long)
    }

    /// A session key, or what one is made of, with the key in the decryption slot.
    pub(super) fn decipher(data: Vec<u8>) -> Self {
        Self::new("PSO: DECIPHER", [0x00, 0x2A, 0x80, 0x86], data, Answer::Long)
    }

    /// `slot` as for [`Command::generate_key`]; the public half of the key that is in it.
    pub(super) fn read_public_key(slot: u8) -> Self {
        Self::new("READ PUBLIC KEY", [0x00, 0x47, 0x81, 0x00], vec![slot, 0x00], Answer::Long)
    }

    /// `slot` is B6 (signature), B8 (decryption) or A4 (authentication).
    pub(super) fn generate_key(slot: u8) -> Self {
        Self::new("GENERATE ASYMMETRIC KEY PAIR", [0x00, 0x47, 0x80, 0x00], vec![slot, 0x00], Answer::Long)
    }

    pub(super) fn get_response(length: u8) -> Vec<u8> {
        vec![0x00, 0xC0, 0x00, 0x00, length]
    }

    /// Whether the card has anything to say but a status word.
    pub(super) fn wants_data(&self) -> bool {
        self.answer != Answer::None
    }

    /// The bytes to send, several commands where the data must be chained. None if it does not fit.
    pub(super) fn serialise(&self, wire: Wire) -> Option<Vec<Zeroizing<Vec<u8>>>> {
        let long = self.data.len() > 255;
        let extended = wire.extended && (long || self.answer == Answer::Long);
        if extended || !long {
            return Some(vec![self.one(0x00, &self.data, extended, self.answer)]);
        }
        if !wire.chaining {
            return None;
        }
        let last = self.data.len().div_ceil(255) - 1;
        Some(
            self.data
                .chunks(255)
                .enumerate()
                .map(|(at, chunk)| {
                    let (class, answer) = if at == last { (0x00, self.answer) } else { (0x10, Answer::None) };
                    self.one(class, chunk, false, answer)
                })
                .collect(),
        )
    }

    fn one(&self, class: u8, data: &[u8], extended: bool, answer: Answer) -> Zeroizing<Vec<u8>> {
        // Reserved in full, so that growing leaves no copy of a PIN behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(data.len() + 9));
        let [_, rest @ ..] = self.header;
        bytes.push(class);
        bytes.extend(rest);
        if extended {
            bytes.push(0);
        }
        if !data.is_empty() {
            let [.., high, low] = data.len().to_be_bytes();
            if extended {
                bytes.push(high);
            }
            bytes.push(low);
            bytes.extend(data);
        }
        if answer != Answer::None {
            bytes.extend(if extended { &[0, 0][..] } else { &[0] });
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Wire = Wire { extended: false, chaining: false };
    const EXTENDED: Wire = Wire { extended: true, chaining: false };
    const CHAINING: Wire = Wire { extended: false, chaining: true };

    fn one(command: &Command, wire: Wire) -> Vec<u8> {
        command.serialise(wire).unwrap()[0].to_vec()
    }

    #[test]
    fn lengths_are_written_as_the_standard_says() {
        assert_eq!(one(&Command::get_data(0xC4), EXTENDED), [0, 0xCA, 0, 0xC4, 0]);
        assert_eq!(one(&Command::get_data(0x6E), EXTENDED), [0, 0xCA, 0, 0x6E, 0, 0, 0]);
        assert_eq!(one(&Command::get_data(0x6E), PLAIN), [0, 0xCA, 0, 0x6E, 0]);
        assert_eq!(one(&Command::generate_key(0xB6), EXTENDED), [0, 0x47, 0x80, 0, 0, 0, 2, 0xB6, 0, 0, 0]);
        assert_eq!(one(&Command::generate_key(0xB6), PLAIN), [0, 0x47, 0x80, 0, 2, 0xB6, 0, 0]);
        let verify = Command::verify(0x81, Zeroizing::new(b"123456".to_vec()));
        assert_eq!(one(&verify, EXTENDED), *b"\x00\x20\x00\x81\x06123456");
        assert_eq!(one(&Command::forget_verification(0x81), EXTENDED), [0, 0x20, 0xFF, 0x81]);
    }

    #[test]
    fn long_data_is_chained_extended_or_refused() {
        let command = Command::put_data(0xF9, vec![7; 300]);
        let chained = command.serialise(CHAINING).unwrap();
        assert_eq!(chained.len(), 2);
        assert_eq!(chained[0][..5], [0x10, 0xDA, 0, 0xF9, 255]);
        assert_eq!(chained[1][..5], [0x00, 0xDA, 0, 0xF9, 45]);
        assert_eq!(one(&command, EXTENDED)[..7], [0, 0xDA, 0, 0xF9, 0, 1, 44]);
        assert!(command.serialise(PLAIN).is_none());
    }

    #[test]
    fn capabilities_are_read_from_real_answers_to_reset() {
        let both = Wire { extended: true, chaining: true };
        let yubikey = hex::decode("3bfd1300008131fe158073c021c057597562694b657940").unwrap();
        assert_eq!(Wire::from_atr(&yubikey), both);
        let zeitcontrol = hex::decode("3bda18ff81b1fe751f030031c573c001400090000c").unwrap();
        assert_eq!(Wire::from_atr(&zeitcontrol), EXTENDED);
        // A Nitrokey 3 says its name there and nothing else.
        let nitrokey = hex::decode("3b8f01805d4e6974726f6b657900000000006a").unwrap();
        assert_eq!(Wire::from_atr(&nitrokey), PLAIN);
        for length in 0..yubikey.len() {
            let _ = Wire::from_atr(&yubikey[..length]);
        }
    }
}
