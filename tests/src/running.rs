//! A program that runs beside the test.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::trouble::{Attempt as _, Trouble};
use crate::waiting::wait_until;

/// A program with its output in a file. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Running {
    pub(crate) fn start(name: &str, command: &mut Command, log: PathBuf) -> Result<Self, Trouble> {
        let out = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .attempt(|| format!("create {}", log.display()))?;
        let err = out.try_clone().attempt(|| format!("share {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .attempt(|| format!("start {name}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// The program's process id: namespaces and cgroups are entered before it is executed.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said so far, on both streams.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// If the kernel cannot say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, Trouble> {
        self.child.try_wait().attempt(|| format!("ask for the state of {}", self.name))
    }

    /// Waits for it to end by itself.
    ///
    /// # Errors
    /// [`Trouble::Timeout`] with its output.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus, Trouble> {
        let what = format!("the end of {}", self.name);
        match wait_until(&what, limit, || self.ended()) {
            Err(Trouble::Timeout { what, limit, .. }) => {
                Err(Trouble::Timeout { what, limit, detail: format!("; it said:\n{}", self.log()) })
            }
            other => other,
        }
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    /// [`Trouble::Timeout`] if it does not end.
    pub fn terminate(&mut self, limit: Duration) -> Result<ExitStatus, Trouble> {
        self.signal(Signal::SIGTERM)?;
        self.wait(limit)
    }

    /// SIGKILL, and waits for the end.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn kill(&mut self) -> Result<ExitStatus, Trouble> {
        self.child.kill().attempt(|| format!("kill {}", self.name))?;
        self.child.wait().attempt(|| format!("wait for {}", self.name))
    }

    /// Any other signal: SIGHUP to reload, SIGSTOP to freeze.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn signal(&mut self, signal: Signal) -> Result<(), Trouble> {
        // While the child is not waited for, its id cannot belong to another process.
        if self.ended()?.is_some() {
            return Ok(());
        }
        let pid = i32::try_from(self.pid()).map(Pid::from_raw);
        match pid {
            Ok(pid) => kill(pid, signal).attempt(|| format!("send {signal} to {}", self.name)),
            Err(_) => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
