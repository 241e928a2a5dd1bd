//! Secrets as they are typed: read a byte at a time into one buffer that neither grows nor moves and is wiped, so
//! that no copy of a PIN stays in memory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write as _};

use nix::sys::signal::{Signal, raise};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use zeroize::{Zeroize as _, Zeroizing};

use super::TERMINAL;

/// Longest line in bytes; what is typed beyond is not a PIN, and is refused.
const LONGEST: usize = 1024;

/// Asks at the terminal, without echo; `None` for somebody who gave up.
pub(super) fn typed(question: &str) -> io::Result<Option<SecretString>> {
    let terminal = OpenOptions::new().read(true).write(true).open(TERMINAL)?;
    let mut line = Line::new();
    let quiet = Quiet::begin(&terminal)?;
    (&terminal).write_all(question.as_bytes())?;
    let end = line.edit(&mut &terminal);
    drop(quiet);
    // Nobody saw the Enter, or there was none.
    (&terminal).write_all(b"\n")?;
    match end? {
        End::Entered => line.secret().map(Some),
        End::GivenUp => Ok(None),
        End::Interrupted => {
            // Held back until the terminal is as it was; now it ends the program as ^C should.
            raise(Signal::SIGINT)?;
            Ok(None)
        }
    }
}

/// One line of a script's answers; `None` at their end. Not through a buffer, which would keep what it read.
pub(super) fn next_line(from: &mut impl Read) -> io::Result<Option<SecretString>> {
    let mut line = Line::new();
    loop {
        match byte(from)? {
            Some(b'\n') => break,
            Some(byte) => line.push(byte),
            None if line.bytes.is_empty() => return Ok(None),
            None => break,
        }
    }
    if line.bytes.last() == Some(&b'\r') {
        line.bytes.pop();
    }
    line.secret().map(Some)
}

/// A terminal without echo, whose keys are ours; as it was before when dropped.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn begin(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        // Line editing is done here, because the kernel's would keep the line; and ^C must not end the program
        // while echo is off.
        quiet.local_flags.remove(
            LocalFlags::ECHO
                | LocalFlags::ECHONL
                | LocalFlags::ICANON
                | LocalFlags::ISIG
                | LocalFlags::IEXTEN,
        );
        // What was typed before there was a question answers none.
        tcsetattr(terminal, SetArg::TCSAFLUSH, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // A terminal that went away needs no echo.
        let _ = tcsetattr(self.terminal, SetArg::TCSANOW, &self.before);
    }
}

/// How the typing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Enter.
    Entered,
    /// ^D, or the terminal is gone.
    GivenUp,
    /// ^C.
    Interrupted,
}

/// What was typed so far.
struct Line {
    bytes: Zeroizing<Vec<u8>>,
    too_long: bool,
}

impl Line {
    fn new() -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(LONGEST)), too_long: false }
    }

    /// Keys as a terminal's own line editing knows them.
    fn edit(&mut self, from: &mut impl Read) -> io::Result<End> {
        let mut put_back = None;
        loop {
            let key = match put_back.take() {
                Some(key) => Some(key),
                None => byte(from)?,
            };
            match key {
                None => return Ok(End::GivenUp),
                Some(b'\n' | b'\r') => return Ok(End::Entered),
                Some(0x03) => return Ok(End::Interrupted),
                Some(0x04) if self.bytes.is_empty() => return Ok(End::GivenUp),
                Some(0x08 | 0x7F) => self.rub_out(),
                // ^U and ^W: nobody sees where a word began.
                Some(0x15 | 0x17) => self.clear(),
                Some(0x1B) => put_back = skip_sequence(from)?,
                Some(0x00..0x20) => {}
                Some(byte) => self.push(byte),
            }
        }
    }

    fn push(&mut self, byte: u8) {
        if self.bytes.len() < LONGEST {
            self.bytes.push(byte);
        } else {
            self.too_long = true;
        }
    }

    /// One character: a byte, and those of UTF-8 that continue it.
    fn rub_out(&mut self) {
        while self.bytes.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {}
    }

    fn clear(&mut self) {
        self.bytes.zeroize();
        self.too_long = false;
    }

    fn secret(&self) -> io::Result<SecretString> {
        let refused = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidData, why.to_owned()));
        match std::str::from_utf8(&self.bytes) {
            _ if self.too_long => refused("that is longer than any PIN"),
            // Exactly as long as it is, so that nothing is moved.
            Ok(text) => Ok(SecretString::from(text)),
            Err(_) => refused("that is not UTF-8 text; a PIN is"),
        }
    }
}

/// An arrow key or the like: `ESC [` and bytes up to a final one. After the key ESC alone comes another, which is given
/// back.
fn skip_sequence(from: &mut impl Read) -> io::Result<Option<u8>> {
    match byte(from)? {
        Some(b'[' | b'O') => {
            while byte(from)?.is_some_and(|byte| !(0x40..=0x7E).contains(&byte)) {}
            Ok(None)
        }
        other => Ok(other),
    }
}

/// The next byte; `None` at the end, which is also a terminal that was hung up.
fn byte(from: &mut impl Read) -> io::Result<Option<u8>> {
    let mut byte = [0];
    loop {
        return match from.read(&mut byte) {
            Ok(0) => Ok(None),
            Ok(_) => {
                let [byte] = byte;
                Ok(Some(byte))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EIO as i32) => Ok(None),
            Err(error) => Err(error),
        };
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn typed(keys: &[u8]) -> (End, Result<String, String>) {
        let mut line = Line::new();
        let end = line.edit(&mut &*keys).unwrap();
        let text = line.secret().map(|secret| secret.expose_secret().to_owned());
        (end, text.map_err(|error| error.to_string()))
    }

    #[test]
    fn keys_do_what_they_do_in_any_line() {
        for (keys, end, text) in [
            (b"123456\n".as_slice(), End::Entered, "123456"),
            (b"123456\r", End::Entered, "123456"),
            (b"12x\x7f3y\x084\n", End::Entered, "1234"),
            ("12\u{e9}\u{20ac}\x7f3\n".as_bytes(), End::Entered, "12\u{e9}3"),
            (b"\x7f\x7f12\n", End::Entered, "12"),
            (b"oops\x1512\n", End::Entered, "12"),
            (b"1\x1b[A2\x1bOB3\x1b[3~4\n", End::Entered, "1234"),
            (b"1\x1b2\x1b\x1b[A3\x1b\x7f4\x1b\n", End::Entered, "124"),
            (b"12\x043\n", End::Entered, "123"),
            (b"\n", End::Entered, ""),
            (b"\x04", End::GivenUp, ""),
            (b"12", End::GivenUp, "12"),
            (b"12\x03", End::Interrupted, "12"),
        ] {
            assert_eq!(typed(keys), (end, Ok(text.to_owned())), "{keys:?}");
        }
    }

    #[test]
    fn what_is_no_pin_is_refused_in_words() {
        let (_, told) = typed(b"\xff12\n");
        assert!(told.unwrap_err().contains("UTF-8"));
        let (_, told) = typed(&[[b'1'; LONGEST + 1].as_slice(), b"\n"].concat());
        assert!(told.unwrap_err().contains("longer"));
        let (_, told) = typed(&[[b'1'; LONGEST + 1].as_slice(), b"\x152\n"].concat());
        assert_eq!(told, Ok("2".to_owned()));
    }

    #[test]
    fn a_script_answers_line_by_line_and_loses_none() {
        let mut script: &[u8] = b"first\nsecond\r\n\nlast";
        let mut next = || next_line(&mut script).unwrap().map(|line| line.expose_secret().to_owned());
        assert_eq!(
            [next(), next(), next(), next(), next()],
            [Some("first"), Some("second"), Some(""), Some("last"), None].map(|line| line.map(str::to_owned))
        );
    }

    #[test]
    fn the_buffer_never_grows() {
        let mut line = Line::new();
        let (place, keys) = (line.bytes.as_ptr(), [b'1'; 2 * LONGEST]);
        line.edit(&mut keys.as_slice()).unwrap();
        assert_eq!(line.bytes.as_ptr(), place);
    }
}
