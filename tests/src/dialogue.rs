//! Somebody at a terminal, reading prompts and typing.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

use crate::trouble::{Attempt as _, Trouble};
use crate::waiting::wait_until;

/// A program in a terminal of its own, which is its controlling terminal. Killed when dropped.
pub struct Dialogue {
    program: String,
    child: Child,
    keyboard: File,
    screen: Arc<Screen>,
    /// How much of the screen was already expected.
    read: usize,
}

/// Everything the terminal showed.
#[derive(Default)]
struct Screen {
    shown: Mutex<Shown>,
    more: Condvar,
}

#[derive(Default)]
struct Shown {
    bytes: Vec<u8>,
    /// The last program that had the terminal open is gone.
    closed: bool,
}

impl Dialogue {
    /// Starts a command (any machine's or session's) in a new terminal.
    ///
    /// # Errors
    /// If there is no terminal to be had or the command cannot be started.
    pub fn start(command: &Command) -> Result<Self, Trouble> {
        let (keyboard, terminal) = terminal().attempt(|| "open a terminal".to_owned())?;
        let copy = || terminal.try_clone().attempt(|| "share the terminal".to_owned());
        // setsid(1) makes the terminal the controlling one and then becomes the program. Who runs the tests in a shell's
        // background is deaf to Ctrl-C, and so would be what they start.
        let mut wrapped = Command::new("env");
        wrapped.args(["--default-signal=INT", "setsid", "--ctty", "--"]);
        wrapped.arg(command.get_program()).args(command.get_args());
        wrapped.env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                wrapped.env(name, value);
            }
        }
        let child = wrapped
            .stdin(copy()?)
            .stdout(copy()?)
            .stderr(copy()?)
            .spawn()
            .attempt(|| "start setsid".to_owned())?;
        // The terminal closes only when nobody has it open, so not we either.
        drop((wrapped, terminal));

        let eyes = keyboard.try_clone().attempt(|| "share the terminal".to_owned())?;
        let screen = Arc::new(Screen::default());
        std::thread::spawn({
            let screen = Arc::clone(&screen);
            move || screen.watch(eyes)
        });
        let program = command.get_args().last().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { program, child, keyboard, screen, read: 0 })
    }

    /// Waits for a text and returns what was shown before it since the last expected one.
    ///
    /// # Errors
    /// [`Trouble::Timeout`] with the transcript, after `limit` or when the terminal closes.
    pub fn expect(&mut self, text: &str, limit: Duration) -> Result<String, Trouble> {
        self.expect_one_of(&[text], limit).map(|(_, before)| before)
    }

    /// Waits for the first of several texts: its index, and what was shown before it.
    ///
    /// # Errors
    /// As [`Dialogue::expect`].
    pub fn expect_one_of(&mut self, texts: &[&str], limit: Duration) -> Result<(usize, String), Trouble> {
        let found = self.screen.wait(limit, |shown| {
            let new = shown.bytes.get(self.read..)?;
            let hits = texts.iter().enumerate().filter_map(|(index, text)| {
                let start = find(new, text.as_bytes())?;
                Some((start, index, self.read + start + text.len()))
            });
            let (start, index, end) = hits.min()?;
            Some((index, String::from_utf8_lossy(new.get(..start)?).into_owned(), end))
        });
        match found {
            Some((index, before, end)) => {
                self.read = end;
                Ok((index, before))
            }
            None => Err(self.in_vain(&format!("{texts:?} on {}'s terminal", self.program), limit)),
        }
    }

    /// Waits for the first of several texts and says which, or `None` when the terminal closes before any of them.
    ///
    /// # Errors
    /// [`Trouble::Timeout`] with the transcript.
    pub fn next(&mut self, texts: &[&str], limit: Duration) -> Result<Option<usize>, Trouble> {
        match self.expect_one_of(texts, limit) {
            Ok((index, _)) => Ok(Some(index)),
            Err(_) if self.screen.is_closed() => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Types a text and Enter.
    ///
    /// # Errors
    /// If the terminal is closed.
    pub fn send_line(&mut self, text: &str) -> Result<(), Trouble> {
        self.send(format!("{text}\n").as_bytes())
    }

    /// Types these very bytes: `\x03` is Ctrl-C, `\x04` Ctrl-D.
    ///
    /// # Errors
    /// If the terminal is closed.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.keyboard.write_all(bytes).attempt(|| "type".to_owned())
    }

    /// Waits until the terminal is closed and returns what was shown since the last expected text.
    ///
    /// # Errors
    /// [`Trouble::Timeout`] with the transcript.
    pub fn expect_eof(&mut self, limit: Duration) -> Result<String, Trouble> {
        match self.screen.wait(limit, |shown| shown.closed.then(|| shown.bytes.clone())) {
            Some(all) => {
                let rest = String::from_utf8_lossy(all.get(self.read..).unwrap_or_default()).into_owned();
                self.read = all.len();
                Ok(rest)
            }
            None => Err(self.in_vain(&format!("{} to leave its terminal", self.program), limit)),
        }
    }

    /// Waits for the program to end.
    ///
    /// # Errors
    /// [`Trouble::Timeout`] with the transcript.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus, Trouble> {
        let what = format!("the end of {}", self.program);
        let ended = wait_until(&what, limit, || self.child.try_wait().attempt(|| what.clone()));
        ended.map_err(|_| self.in_vain(&what, limit))
    }

    /// The program's process id, once it has begun to speak.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything shown so far, typed echoes included.
    #[must_use]
    pub fn transcript(&self) -> String {
        let shown = self.screen.shown.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&shown.bytes).into_owned()
    }

    fn in_vain(&self, what: &str, limit: Duration) -> Trouble {
        let detail = format!("; the terminal showed:\n{}", self.transcript());
        Trouble::Timeout { what: what.to_owned(), limit, detail }
    }
}

/// Both ends of a new terminal. Neither gets into another program that a test beside this one starts meanwhile: the
/// terminal would stay open for as long as that one runs.
fn terminal() -> std::io::Result<(File, File)> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname_r(&master)?;
    let open = File::options().read(true).write(true).custom_flags(nix::libc::O_NOCTTY).open(name)?;
    Ok((File::from(master.as_fd().try_clone_to_owned()?), open))
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Screen {
    fn watch(&self, mut eyes: File) {
        let mut chunk = [0; 4096];
        loop {
            // A terminal whose last program left reads as an error (EIO) on Linux.
            let got = eyes.read(&mut chunk).unwrap_or(0);
            let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            shown.bytes.extend_from_slice(chunk.get(..got).unwrap_or_default());
            shown.closed = got == 0;
            let closed = shown.closed;
            drop(shown);
            self.more.notify_all();
            if closed {
                return;
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).closed
    }

    /// Looks at the screen until `look` has an answer. After the terminal closed it looks once more.
    fn wait<T>(&self, limit: Duration, mut look: impl FnMut(&Shown) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(answer) = look(&shown) {
                return Some(answer);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            if shown.closed {
                return None;
            }
            shown = self.more.wait_timeout(shown, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Dialogue {
        Dialogue::start(Command::new("/bin/sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn a_prompt_is_answered_on_the_controlling_terminal() {
        let mut shell =
            shell("stty -echo; printf 'name: ' >/dev/tty; read -r x </dev/tty; echo \"hello $x\"; exit 7");
        shell.expect("name: ", SOON).unwrap();
        shell.send_line("ana").unwrap();
        assert_eq!(shell.expect_eof(SOON).unwrap(), "hello ana\r\n");
        assert_eq!(shell.wait(SOON).unwrap().code(), Some(7));
        assert_eq!(shell.transcript(), "name: hello ana\r\n");
    }

    #[test]
    fn the_earliest_of_several_texts_is_found() {
        let mut shell = shell("echo one two three");
        assert_eq!(shell.expect_one_of(&["three", "two"], SOON).unwrap(), (1, "one ".to_owned()));
        assert_eq!(shell.expect("three", SOON).unwrap(), " ");
    }

    #[test]
    fn a_text_that_never_comes_tells_what_came() {
        let error = shell("echo something else").expect("PIN", SOON).unwrap_err().to_string();
        assert!(error.contains("something else"), "{error}");
    }

    #[test]
    fn a_terminal_that_closes_first_is_told_from_a_text() {
        let mut shell = shell("echo one");
        assert_eq!(shell.next(&["two", "one"], SOON).unwrap(), Some(1));
        assert_eq!(shell.next(&["two", "one"], SOON).unwrap(), None);
    }

    #[test]
    fn control_c_reaches_the_program() {
        let mut shell = shell("echo waiting; exec sleep 60");
        shell.expect("waiting", SOON).unwrap();
        shell.send(b"\x03").unwrap();
        assert!(!shell.wait(SOON).unwrap().success());
    }
}
