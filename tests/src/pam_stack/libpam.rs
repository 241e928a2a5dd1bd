//! The same through the real library: `countersign-pam-dispatch`, a program that loads it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::Code;
use crate::trouble::{Attempt as _, Trouble};

/// What a program calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// `pam_authenticate`
    Authenticate,
    /// `pam_setcred`
    Setcred,
    /// `pam_acct_mgmt`
    Account,
    /// `pam_open_session`
    Open,
    /// `pam_close_session`
    Close,
    /// `pam_chauthtok`
    ChangePassword,
}

impl Call {
    /// The word that `countersign-pam-dispatch` knows it by.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Authenticate => "authenticate",
            Self::Setcred => "setcred",
            Self::Account => "account",
            Self::Open => "open",
            Self::Close => "close",
            Self::ChangePassword => "chauthtok",
        }
    }
}

/// The program, running.
pub struct Libpam {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Libpam {
    /// Starts it.
    ///
    /// # Errors
    /// If it is not built.
    pub fn start() -> Result<Self, Trouble> {
        let mut child = Command::new(crate::target_bin("countersign-pam-dispatch")?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .attempt(|| "start countersign-pam-dispatch".to_owned())?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| Trouble::Machine("a program without pipes".to_owned()))?;
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// One handle for `service` with the configuration in `folder`, and libpam's answers to these calls.
    ///
    /// # Errors
    /// If the program ended, or gave fewer answers.
    pub fn run(&mut self, folder: &Path, service: &str, calls: &[Call]) -> Result<Vec<Code>, Trouble> {
        let words: Vec<&str> = calls.iter().map(|call| call.word()).collect();
        let asked = writeln!(self.input, "{} {service} {}", folder.display(), words.join(" "));
        asked.attempt(|| "ask countersign-pam-dispatch".to_owned())?;
        let mut line = String::new();
        self.output.read_line(&mut line).attempt(|| "read from countersign-pam-dispatch".to_owned())?;
        let codes: Option<Vec<Code>> =
            line.split_whitespace().map(|word| Code::numbered(word.parse().ok()?)).collect();
        codes.filter(|codes| codes.len() == calls.len()).ok_or_else(|| Trouble::Program {
            program: "countersign-pam-dispatch".to_owned(),
            status: "an answer that is not understood".to_owned(),
            output: line,
        })
    }
}

impl Drop for Libpam {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
