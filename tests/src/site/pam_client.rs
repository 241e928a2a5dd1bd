//! `countersign-pam-client`: a program that logs people in, again and again, and can be looked into.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use crate::trouble::{Attempt as _, Trouble};

/// A running client.
pub struct PamClient {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// One login, as libpam answered it.
#[derive(Debug, Clone, Deserialize)]
pub struct PamAnswer {
    /// The PAM code; 0 is success.
    pub code: i32,
    total_us: u64,
    after_pin_us: Option<u64>,
    whole_us: u64,
    /// What the person was shown.
    pub shown: Vec<String>,
}

impl PamAnswer {
    /// From the call to the answer.
    #[must_use]
    pub fn total(&self) -> Duration {
        Duration::from_micros(self.total_us)
    }

    /// From before `pam_start` until after `pam_end`.
    #[must_use]
    pub fn whole(&self) -> Duration {
        Duration::from_micros(self.whole_us)
    }

    /// From the PIN to the answer; none if nothing was asked.
    #[must_use]
    pub fn after_pin(&self) -> Option<Duration> {
        self.after_pin_us.map(Duration::from_micros)
    }
}

impl PamClient {
    /// The path of the program, for a place's `command`.
    ///
    /// # Errors
    /// [`Trouble::NotBuilt`].
    pub fn program() -> Result<std::path::PathBuf, Trouble> {
        crate::target_bin("countersign-pam-client")
    }

    /// Starts it: `command` is one for [`Self::program`] at the place where the person is. An argument `--whole` has the
    /// account checked and credentials set as well.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(mut command: Command, service: &str, login: &str) -> Result<Self, Trouble> {
        let what = || "start countersign-pam-client".to_owned();
        let mut child = command
            .args([service, login])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .attempt(what)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| Trouble::Machine("a program without pipes".to_owned()))?;
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Logs in with this PIN; none: cancels at the question.
    ///
    /// # Errors
    /// If the program ended.
    pub fn login(&mut self, pin: Option<&str>) -> Result<PamAnswer, Trouble> {
        self.begin(pin)?;
        self.finish()
    }

    /// Begins a login and does not wait for its end.
    ///
    /// # Errors
    /// If the program ended.
    pub fn begin(&mut self, pin: Option<&str>) -> Result<(), Trouble> {
        let line = match pin {
            // Complemented, so that the program's memory holds the PIN only where libpam wants it.
            Some(pin) => pin.bytes().map(|byte| format!("{:02x}", !byte)).collect(),
            None => "-".to_owned(),
        };
        writeln!(self.input, "{line}").attempt(|| "tell countersign-pam-client to log in".to_owned())
    }

    /// The answer to [`Self::begin`].
    ///
    /// # Errors
    /// If the program ended.
    pub fn finish(&mut self) -> Result<PamAnswer, Trouble> {
        let mut line = String::new();
        self.output.read_line(&mut line).attempt(|| "read from countersign-pam-client".to_owned())?;
        serde_json::from_str(&line).map_err(|error| Trouble::Program {
            program: "countersign-pam-client".to_owned(),
            status: error.to_string(),
            output: line,
        })
    }
}

impl Drop for PamClient {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
