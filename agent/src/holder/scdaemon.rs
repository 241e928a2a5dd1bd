//! GnuPG's scdaemon, asked over its own socket: which cards it has, and to reset one.
//!
//! The language is Assuan's: a line each way, `OK` or `ERR` at the end of an answer, `S` for what comes before
//! (seen with GnuPG 2.2.40). `RESET`, in a session that has named a card, resets the card and closes the
//! reader; scdaemon opens it again at GnuPG's next use. It waits for a command under way to end first.
//! `KILLSCD` would do as well, but GnuPG 2.2 fails for four seconds after it.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use countersign_protocol::ids::CardIdent;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket, sockopt};

/// For everything that needs no card: a scdaemon that is held still answers nothing.
const PROMPT: Duration = Duration::from_secs(2);

/// Longest line of Assuan, and more lines than any answer has.
const LINE: u64 = 1002;
const LINES: usize = 256;

/// The application of OpenPGP cards, at the beginning of their serial numbers (OpenPGP card 3.4.1, 4.2.1).
const OPENPGP: &str = "D27600012401";

/// A session with one scdaemon.
pub(super) struct Scdaemon {
    stream: BufReader<UnixStream>,
    /// Its process, by the kernel's word.
    pub(super) pid: i32,
}

impl Scdaemon {
    /// Connects to the one that listens at `path`, if it is of this process's own user.
    pub(super) fn connect(path: &str) -> io::Result<Self> {
        // Without waiting: a queue that is full, because nobody accepts, is an error.
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd: OwnedFd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
        let stream = UnixStream::from(fd);
        stream.set_nonblocking(false)?;
        let peer = getsockopt(&stream, sockopt::PeerCredentials)?;
        if peer.uid() != nix::unistd::geteuid().as_raw() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let mut session = Self { stream: BufReader::new(stream), pid: peer.pid() };
        session.answer(Instant::now() + PROMPT)?;
        Ok(session)
    }

    /// The serial numbers of the OpenPGP cards it has; only `card`'s, if one is meant.
    pub(super) fn cards(&mut self, card: Option<CardIdent>) -> io::Result<Vec<String>> {
        let until = Instant::now() + PROMPT;
        let said = match self.ask("GETINFO card_list", until) {
            Ok(said) => said,
            // Older ones have one card at most.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => self.ask("SERIALNO", until)?,
            Err(error) => return Err(error),
        };
        let serials = said.iter().filter_map(|line| line.strip_prefix("S SERIALNO "));
        let serials = serials.filter_map(|rest| rest.split(' ').next());
        Ok(serials.filter(|serial| is_wanted(serial, card)).map(str::to_owned).collect())
    }

    /// Has it let go of a card, which it does before it answers.
    pub(super) fn reset(&mut self, serial: &str, until: Instant) -> io::Result<()> {
        if self.ask(&format!("SERIALNO --demand={serial}"), Instant::now() + PROMPT).is_err() {
            self.ask("SERIALNO", Instant::now() + PROMPT)?;
        }
        self.ask("RESET", until).map(drop)
    }

    fn ask(&mut self, command: &str, until: Instant) -> io::Result<Vec<String>> {
        let stream = self.stream.get_mut();
        stream.set_write_timeout(Some(PROMPT))?;
        stream.write_all(format!("{command}\n").as_bytes())?;
        self.answer(until)
    }

    /// The lines before `OK`.
    fn answer(&mut self, until: Instant) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        for _ in 0..LINES {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.get_ref().set_read_timeout(Some(left))?;
            let mut line = Vec::new();
            self.stream.by_ref().take(LINE).read_until(b'\n', &mut line)?;
            let Some(b'\n') = line.pop() else { return Err(io::ErrorKind::UnexpectedEof.into()) };
            let line = String::from_utf8_lossy(&line).into_owned();
            match line.split(' ').next() {
                Some("OK") => return Ok(lines),
                Some("ERR") => return Err(io::ErrorKind::Unsupported.into()),
                _ => lines.push(line),
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// Serial numbers are the whole application identifier: version, manufacturer and number follow the application.
fn is_wanted(serial: &str, card: Option<CardIdent>) -> bool {
    if !serial.starts_with(OPENPGP) || serial.len() > 64 || !serial.chars().all(|c| c.is_ascii_hexdigit()) {
        return false;
    }
    let Some(card) = card else { return true };
    let wanted = card.to_string().replace(':', "");
    serial.get(16..28).is_some_and(|number| number.eq_ignore_ascii_case(&wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERIAL: &str = "D276000124010304FFFE0000ABCD0000";

    #[test]
    fn a_card_is_told_by_manufacturer_and_number() {
        let card: CardIdent = "FFFE:0000ABCD".parse().unwrap();
        assert!(is_wanted(SERIAL, Some(card)) && is_wanted(SERIAL, None));
        assert!(!is_wanted(SERIAL, Some("FFFE:0000ABCE".parse().unwrap())));
        assert!(!is_wanted("FF0100001234", None), "another application");
        assert!(!is_wanted(&format!("{OPENPGP}; RESET"), None));
    }

    fn one_that_says(answer: &'static [u8]) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("S.scdaemon").to_str().unwrap().to_owned();
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.write_all(answer);
            std::thread::sleep(Duration::from_secs(20));
        });
        (folder, path)
    }

    #[test]
    fn nonsense_and_silence_end_the_session_in_time() {
        let endless = [b'x'; 300_000].to_vec().leak();
        for answer in [&b""[..], b"ERR 1 no", b"OK", endless] {
            let (_folder, path) = one_that_says(answer);
            let begun = Instant::now();
            assert!(Scdaemon::connect(&path).is_err());
            assert!(begun.elapsed() < 3 * PROMPT);
        }
    }

    #[test]
    fn a_scdaemon_says_which_cards_it_has() {
        let (_folder, path) =
            one_that_says(b"OK hello\nS SERIALNO D276000124010304FFFE0000ABCD0000\nS SERIALNO FF01\nOK\n");
        let mut session = Scdaemon::connect(&path).unwrap();
        assert_eq!(session.pid.cast_unsigned(), std::process::id());
        assert_eq!(session.cards(None).unwrap(), [SERIAL]);
    }
}
