//! A picture that an authenticator program reads from the terminal, and the words to type where none can be shown.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

use qrcode::types::Color;
use qrcode::{EcLevel, QrCode};

/// White around the picture, in modules: less, and programs do not find it (ISO/IEC 18004, 9.1).
const QUIET: usize = 4;

/// Black on white whatever colours the terminal has: a picture in the terminal's own is inverted on a dark one, and many
/// programs read none such. Numbers 16 and 231 are in the cube of 256 colours, which no theme changes.
const BLACK_ON_WHITE: &str = "\u{1b}[38;5;16;48;5;231m";
const BACK: &str = "\u{1b}[0m";

/// An address `otpauth://…`.
pub(crate) struct Authenticator<'a>(pub(crate) &'a str);

impl Authenticator<'_> {
    /// The secret by itself, for a program without a camera.
    pub(crate) fn secret(&self) -> &str {
        let behind = self.0.split_once("secret=").map_or("", |(_, secret)| secret);
        behind.split('&').next().unwrap_or_default()
    }

    /// Shows it on standard error, to which the agent's notes go: the picture only where there is a terminal.
    pub(crate) fn tell(&self) {
        let picture = if io::stderr().is_terminal() { picture(self.0) } else { None };
        // What cannot be shown is no reason to stop.
        let _ = write!(io::stderr().lock(), "{}{}", picture.unwrap_or_default(), self.words());
    }

    fn words(&self) -> Words<'_> {
        Words(self)
    }
}

/// With the picture, where standard output is a terminal.
impl fmt::Display for Authenticator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.words())
    }
}

struct Words<'a>(&'a Authenticator<'a>);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  address     {}", crate::output::plain(self.0.0))?;
        let secret: Vec<String> = self
            .0
            .secret()
            .as_bytes()
            .chunks(4)
            .map(|four| String::from_utf8_lossy(four).into_owned())
            .collect();
        writeln!(
            f,
            "  secret      {} (time-based, SHA-1, 6 digits, 30 s)",
            crate::output::plain(&secret.join(" "))
        )
    }
}

/// Two rows of modules in each line. None if it is longer than a picture can hold.
pub(crate) fn picture(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let width = code.width();
    let modules = code.to_colors();
    let dark = |x: usize, y: usize| {
        let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < width);
        let module = inside(x).zip(inside(y)).and_then(|(x, y)| modules.get(y * width + x));
        module == Some(&Color::Dark)
    };
    let size = width + 2 * QUIET;
    let mut drawn = String::new();
    for y in (0..size).step_by(2) {
        drawn.push_str(BLACK_ON_WHITE);
        drawn.extend((0..size).map(|x| match (dark(x, y), dark(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        }));
        drawn.push_str(BACK);
        drawn.push('\n');
    }
    Some(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str =
        "otpauth://totp/auth.example.org:ana?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=auth.example.org";

    /// What a camera sees: one row of modules for each half of a line.
    fn seen(drawn: &str) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in drawn.lines() {
            let line = line.strip_prefix(BLACK_ON_WHITE).unwrap().strip_suffix(BACK).unwrap();
            rows.push(line.chars().map(|c| "█▀".contains(c)).collect());
            rows.push(line.chars().map(|c| "█▄".contains(c)).collect());
        }
        rows
    }

    #[test]
    fn the_picture_is_black_on_white_with_a_margin_on_every_terminal() {
        let rows = seen(&picture(ADDRESS).unwrap());
        let width = rows[0].len();
        assert!((width..=width + 1).contains(&rows.len()), "{width} {}", rows.len());
        let light = |row: &[bool]| row.iter().all(|dark| !dark);
        assert!(rows[..QUIET].iter().chain(&rows[width - QUIET..]).all(|row| light(row)));
        assert!(rows.iter().all(|row| light(&row[..QUIET]) && light(&row[width - QUIET..])));
        // The finder in a corner: seven by seven, and a dark core of three by three.
        let corner: Vec<String> = rows[QUIET..QUIET + 7]
            .iter()
            .map(|row| row[QUIET..QUIET + 7].iter().map(|dark| if *dark { '#' } else { '.' }).collect())
            .collect();
        assert_eq!(corner, ["#######", "#.....#", "#.###.#", "#.###.#", "#.###.#", "#.....#", "#######"]);
    }

    #[test]
    fn a_decoder_reads_the_address_from_the_picture() {
        let rows = seen(&picture(ADDRESS).unwrap());
        let (width, scale) = (rows[0].len(), 4);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.pbm");
        let mut image = format!("P1\n{} {}\n", width * scale, rows.len() * scale);
        for row in &rows {
            let line: String =
                row.iter().map(|dark| if *dark { "1 " } else { "0 " }.repeat(scale)).collect::<String>()
                    + "\n";
            image.push_str(&line.repeat(scale));
        }
        std::fs::write(&path, image).unwrap();
        let told =
            std::process::Command::new("zbarimg").args(["--quiet", "--raw"]).arg(&path).output().unwrap();
        assert_eq!(String::from_utf8(told.stdout).unwrap().trim_end(), ADDRESS);
    }

    #[test]
    fn the_secret_can_be_typed_where_there_is_no_camera() {
        let authenticator = Authenticator(ADDRESS);
        assert_eq!(authenticator.secret(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(authenticator.to_string().contains("GEZD GNBV GY3T QOJQ"), "{authenticator}");
    }
}
