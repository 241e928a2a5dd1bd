//! The agent's questions, asked at the terminal or answered by a script.
//!
//! Questions never go to standard output, which belongs to the result.

mod secret;

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd as _;

use countersign_protocol::ipc::{Conversation, NoteKind};
use secrecy::SecretString;

use crate::authenticator::Authenticator;
use crate::failure::{Failure, LocalKind};
use crate::output::plain;

const TERMINAL: &str = "/dev/tty";

/// Who answers.
pub(crate) struct Terminal {
    answers_from_stdin: bool,
    used: bool,
    failure: Option<Failure>,
}

impl Terminal {
    pub(crate) const fn new(answers_from_stdin: bool) -> Self {
        Self { answers_from_stdin, used: false, failure: None }
    }

    /// Why a question could not be asked, if one could not: the agent only hears that it was cancelled.
    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    /// Whether anything was shown or asked.
    pub(crate) const fn was_used(&self) -> bool {
        self.used
    }

    fn fail(&mut self, error: &io::Error) {
        let failure =
            Failure::local(LocalKind::NoTerminal, format!("a question could not be asked: {error}"))
                .then("Run this in a terminal, or give --answers-from-stdin and one answer a line.");
        self.failure = Some(failure);
    }
}

/// Says something before the agent does.
pub(crate) fn tell(text: &str) {
    // What cannot be shown is no reason to stop.
    let _ = writeln!(io::stderr().lock(), "{}", plain(text));
}

impl Conversation for Terminal {
    fn note(&mut self, kind: NoteKind, text: &str) {
        self.used = true;
        match kind {
            NoteKind::Info | NoteKind::Error => tell(text),
            NoteKind::Authenticator => Authenticator(text).tell(),
        }
    }

    fn hidden(&mut self, question: &str) -> Option<SecretString> {
        self.used = true;
        let answer =
            if self.answers_from_stdin { next_line(question) } else { secret::typed(&plain(question)) };
        answer.unwrap_or_else(|error| {
            self.fail(&error);
            None
        })
    }

    fn shown(&mut self, question: &str) -> Option<String> {
        self.used = true;
        let answer = if self.answers_from_stdin {
            next_line(question)
                .map(|line| line.map(|line| secrecy::ExposeSecret::expose_secret(&line).to_owned()))
        } else {
            typed_shown(question)
        };
        answer.unwrap_or_else(|error| {
            self.fail(&error);
            None
        })
    }
}

/// One line of standard input; `None` at its end.
fn next_line(question: &str) -> io::Result<Option<SecretString>> {
    writeln!(io::stderr().lock(), "{}", plain(question))?;
    // The standard library's own standard input has a buffer, which would keep a PIN.
    let mut unbuffered = std::fs::File::from(io::stdin().as_fd().try_clone_to_owned()?);
    secret::next_line(&mut unbuffered)
}

/// What a person types with echo; `None` for end of file.
fn typed_shown(question: &str) -> io::Result<Option<String>> {
    let mut terminal = OpenOptions::new().read(true).write(true).open(TERMINAL)?;
    terminal.write_all(plain(question).as_bytes())?;
    terminal.flush()?;
    let mut line = String::new();
    if BufReader::new(terminal).read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned()))
}
