//! A real pcscd with vpcd readers.

use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::{Machine, User};
use crate::binaries::target_bin;
use crate::dialogue::Dialogue;
use crate::ports::PortPair;
use crate::running::Running;
use crate::trouble::{Attempt as _, Trouble};
use crate::waiting::wait_until;

/// Where distributions put vpcd's driver: Debian, Fedora.
const DRIVERS: [&str; 2] =
    ["/usr/lib/pcsc/drivers/serial/libifdvpcd.so", "/usr/lib64/pcsc/drivers/serial/libifdvpcd.so"];

/// In the machine: reader entries, and nothing else, since pcscd reads every file there.
const ENTRIES: &str = "/run/readers/conf";

const LIMIT: Duration = Duration::from_secs(20);

/// The readers of a machine, and the pcscd that serves them unless it is stopped.
#[derive(Debug)]
pub(super) struct Readers {
    ports: Vec<PortPair>,
    pcscd: Option<Running>,
}

impl Machine {
    /// Gives the machine `readers` readers and starts pcscd.
    ///
    /// # Errors
    /// If pcscd or its driver is missing or does not come up.
    pub fn start_pcscd(&self, readers: usize) -> Result<(), Trouble> {
        let ports = (0..readers).map(|_| PortPair::claim()).collect::<Result<Vec<_>, _>>()?;
        let driver = DRIVERS
            .iter()
            .find_map(|path| std::fs::read(path).ok())
            .ok_or_else(|| Trouble::NotBuilt(PathBuf::from("libifdvpcd.so (package vsmartcard-vpcd)")))?;
        let mut entries = String::new();
        for (number, pair) in ports.iter().enumerate() {
            // pcscd maps one file once, and the driver's sockets are global: a shared copy would mix
            // up the readers.
            let copy = format!("/run/readers/libifdvpcd-{number}.so");
            std::fs::create_dir_all(self.path(ENTRIES))
                .and_then(|()| std::fs::write(self.path(&copy), &driver))
                .attempt(|| "copy vpcd's driver into the machine".to_owned())?;
            entries.push_str(&entry(&friendly_name(number), &copy, pair.first()));
        }
        self.write(Path::new(ENTRIES).join("vpcd"), &entries, 0o644)?;
        *self.readers() = Some(Readers { ports, pcscd: None });
        self.restart_pcscd()
    }

    /// Gives the machine the ports of `readers` readers and no pcscd: that of a system booted inside has them.
    ///
    /// # Errors
    /// If no ports are free.
    pub(crate) fn reserve_readers(&self, readers: usize) -> Result<Vec<u16>, Trouble> {
        let ports = (0..readers).map(|_| PortPair::claim()).collect::<Result<Vec<_>, _>>()?;
        let first = ports.iter().map(PortPair::first).collect();
        *self.readers() = Some(Readers { ports, pcscd: None });
        Ok(first)
    }

    /// Stops pcscd if it runs; its readers and their ports stay reserved.
    ///
    /// # Errors
    /// If it does not end.
    pub fn stop_pcscd(&self) -> Result<(), Trouble> {
        let running = self.readers().as_mut().and_then(|readers| readers.pcscd.take());
        match running {
            Some(mut pcscd) => pcscd.terminate(LIMIT).map(drop),
            None => Ok(()),
        }
    }

    /// Kills pcscd without warning.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn kill_pcscd(&self) -> Result<(), Trouble> {
        let running = self.readers().as_mut().and_then(|readers| readers.pcscd.take());
        match running {
            Some(mut pcscd) => pcscd.kill().map(drop),
            None => Ok(()),
        }
    }

    /// Stops pcscd if it runs, and starts it with the same readers.
    ///
    /// # Errors
    /// If it does not come up; its log is in the error.
    pub fn restart_pcscd(&self) -> Result<(), Trouble> {
        self.stop_pcscd()?;
        let socket = self.path("/run/pcscd/pcscd.comm");
        // A killed pcscd leaves its socket; that must not be taken for the new one's.
        let _ = std::fs::remove_file(&socket);
        let mut pcscd = self.spawn("pcscd", self.command("pcscd").args(["-f", "-c", ENTRIES]))?;
        wait_until("pcscd's socket", LIMIT, || match pcscd.ended()? {
            Some(status) => Err(Trouble::Program {
                program: "pcscd".to_owned(),
                status: status.to_string(),
                output: pcscd.log(),
            }),
            None => Ok(socket.exists().then_some(())),
        })?;
        match self.readers().as_mut() {
            Some(readers) => readers.pcscd = Some(pcscd),
            None => *self.readers() = Some(Readers { ports: Vec::new(), pcscd: Some(pcscd) }),
        }
        Ok(())
    }

    /// What pcscd said, if it runs.
    #[must_use]
    pub fn pcscd_log(&self) -> String {
        self.readers()
            .as_ref()
            .and_then(|readers| readers.pcscd.as_ref())
            .map(Running::log)
            .unwrap_or_default()
    }

    /// Has somebody's program take the card in a reader for itself, until it is killed or dropped.
    ///
    /// # Errors
    /// If it does not get the card, with what it said.
    pub fn hold_card(&self, user: &User, reader: usize) -> Result<Dialogue, Trouble> {
        let mut command = self.command_as(user, target_bin("countersign-pcsc-probe")?);
        command.args(["hold", &reader_name(reader)]);
        let mut program = Dialogue::start(&command)?;
        program.expect("held", LIMIT)?;
        Ok(program)
    }

    /// Sends APDUs (hexadecimal) to the card in a reader, over one shared connection that ends with a
    /// reset; gives the answers (hexadecimal, with status word).
    ///
    /// # Errors
    /// [`Trouble::Program`] with the PC/SC error and the answers up to it.
    pub fn apdus(&self, reader: usize, apdus: &[&str]) -> Result<Vec<String>, Trouble> {
        let said = self.probe(&[&["apdu", &reader_name(reader)], apdus].concat())?;
        Ok(said.lines().map(str::to_owned).collect())
    }

    /// How long `rounds` rounds of `apdus` (hexadecimal) take a program that does nothing else: connecting,
    /// a transaction, disconnecting.
    ///
    /// # Errors
    /// [`Trouble::Program`] with the PC/SC error, or the command that did not answer 9000.
    pub(crate) fn stopwatch(
        &self,
        reader: usize,
        rounds: usize,
        apdus: &[&str],
    ) -> Result<Vec<Duration>, Trouble> {
        let said = self.probe(&[&["time", &reader_name(reader), &rounds.to_string()], apdus].concat())?;
        let rounds: Vec<u64> = serde_json::from_str(&said)
            .map_err(|error| Trouble::Machine(format!("the stopwatch said {said:?}: {error}")))?;
        Ok(rounds.into_iter().map(Duration::from_micros).collect())
    }

    /// Waits until pcscd's clients see a card in the reader, or none.
    pub(crate) fn wait_for_card(&self, reader: usize, present: bool) -> Result<(), Trouble> {
        let wanted = if present { "present" } else { "empty" };
        self.probe(&["wait", &reader_name(reader), wanted]).map(drop)
    }

    pub(crate) fn pcscd_runs(&self) -> bool {
        self.readers().as_ref().is_some_and(|readers| readers.pcscd.is_some())
    }

    pub(crate) fn reader_port(&self, reader: usize) -> Result<u16, Trouble> {
        self.readers().as_ref().and_then(|readers| readers.ports.get(reader).map(PortPair::first)).ok_or_else(
            || Trouble::Machine(format!("no reader {reader}: call start_pcscd with more of them")),
        )
    }

    fn probe(&self, words: &[&str]) -> Result<String, Trouble> {
        let program = "countersign-pcsc-probe";
        let done =
            self.command(target_bin(program)?).args(words).output().attempt(|| format!("start {program}"))?;
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        if done.status.success() {
            return Ok(said);
        }
        let output =
            format!("{said}{}\npcscd said:\n{}", String::from_utf8_lossy(&done.stderr), self.pcscd_log());
        Err(Trouble::Program { program: program.to_owned(), status: done.status.to_string(), output })
    }

    fn readers(&self) -> MutexGuard<'_, Option<Readers>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name PC/SC clients see. Each entry has a second slot, `00 01`, which stays empty.
pub(crate) fn reader_name(number: usize) -> String {
    format!("{} 00 00", friendly_name(number))
}

pub(crate) fn friendly_name(number: usize) -> String {
    format!("Countersign Test Reader {number}")
}

/// An entry of `reader.conf(5)` for a vpcd reader with a driver of its own.
pub(crate) fn entry(name: &str, driver: &str, port: u16) -> String {
    format!(
        "FRIENDLYNAME \"{name}\"\nDEVICENAME /dev/null:0x{port:04X}\nLIBPATH {driver}\nCHANNELID 0x{port:04X}\n\n"
    )
}
