//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// An OpenPGP card for pcscd's vpcd driver. For tests: it protects nothing.
#[derive(Debug, Parser)]
#[command(name = "countersign-virtual-card", version)]
pub(crate) struct Args {
    /// Where vpcd listens; tried again for ever, so pcscd may start later or restart.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:35963")]
    pub(crate) vpcd: String,

    /// The card's serial number.
    #[arg(long, value_name = "HEX8", value_parser = hex_array::<4>)]
    pub(crate) serial: [u8; 4],

    /// The card's manufacturer; FFFE is the one for tests.
    #[arg(long, value_name = "HEX4", default_value = "FFFE", value_parser = hex_array::<2>)]
    pub(crate) manufacturer: [u8; 2],

    /// Keep keys, PINs and counters in this folder.
    #[arg(long, value_name = "DIR", required_unless_present = "memory")]
    pub(crate) state: Option<PathBuf>,

    /// Forget everything at the end.
    #[arg(long, conflicts_with = "state")]
    pub(crate) memory: bool,

    /// Listen for commands here.
    #[arg(long, value_name = "SOCKET_PATH")]
    pub(crate) control: Option<PathBuf>,

    /// Start pulled: the card is not in the reader until `insert`.
    #[arg(long)]
    pub(crate) absent: bool,

    /// Without a button to touch.
    #[arg(long)]
    pub(crate) buttonless: bool,
}

impl Args {
    /// Identity as the OpenPGP card specification writes it: `FFFE:0000AAAA`.
    pub(crate) fn ident(&self) -> String {
        format!("{:04X}:{:08X}", u16::from_be_bytes(self.manufacturer), u32::from_be_bytes(self.serial))
    }

    pub(crate) fn options(&self) -> opcard::Options {
        let mut options = opcard::Options::default();
        options.serial = self.serial;
        options.manufacturer = self.manufacturer;
        options.button_available = !self.buttonless;
        options
    }
}

fn hex_array<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let complaint = || format!("expected {} hexadecimal digits", 2 * N);
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(complaint());
    }
    let number = u64::from_str_radix(text, 16).map_err(|_| complaint())?;
    number.to_be_bytes().last_chunk().copied().ok_or_else(complaint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from([&["card"], words].concat())
    }

    #[test]
    fn serial_and_manufacturer_become_the_ident() {
        let args = parse(&["--serial", "0000aaaa", "--memory"]).unwrap();
        assert_eq!(args.ident(), "FFFE:0000AAAA");
        let args = parse(&["--serial", "12345678", "--manufacturer", "0006", "--memory"]).unwrap();
        assert_eq!(args.ident(), "0006:12345678");
        assert_eq!(args.options().serial, [0x12, 0x34, 0x56, 0x78]);
    }

    #[test]
    fn a_short_or_signed_serial_is_refused() {
        assert!(parse(&["--serial", "AAAA", "--memory"]).is_err());
        assert!(parse(&["--serial", "+000AAAA", "--memory"]).is_err());
    }

    #[test]
    fn the_state_is_either_kept_or_forgotten() {
        assert!(parse(&["--serial", "0000AAAA"]).is_err());
        assert!(parse(&["--serial", "0000AAAA", "--memory", "--state", "/tmp/x"]).is_err());
    }
}
