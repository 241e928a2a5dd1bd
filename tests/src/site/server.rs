//! The server of a site.

use super::{Road, SOON, TurnedClock, talk};
use crate::machine::Machine;
use crate::ports::PortPair;
use crate::running::Running;
use crate::trouble::{Attempt as _, Trouble};
use crate::waiting::wait_until;

/// Where the server keeps its data, inside the machine.
const DATA: &str = "/var/lib/countersign-server";

/// How hosts reach a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// At its own port.
    Straight,
    /// By a [`Road`] in front of it.
    Road,
}

/// A server that was initialised, and what `init` printed.
pub struct Server {
    /// Its address.
    pub url: String,
    /// Its fingerprint, 40 digits.
    pub fingerprint: String,
    /// The first administrator's account.
    pub administrator: String,
    /// The first administrator's one-time code.
    pub code: String,
    /// Path of the first application's bundle, inside the machine.
    pub bundle: String,
    /// The first enrolment token.
    pub token: String,
    /// Path of the configuration, inside the machine.
    pub config: String,
    /// What `init` showed.
    pub shown: String,
    /// The process, while it runs.
    pub process: Option<Running>,
    /// The road to it, where there is one.
    pub road: Option<Road>,
    /// Its clock, if it has one of its own from its next start on.
    pub clock: Option<TurnedClock>,
    // Keeps the port ours.
    _ports: PortPair,
}

impl Server {
    /// `countersign-server init`, and its output read as an administrator reads it.
    pub(super) fn init(machine: &Machine, way: Way, postgres: Option<&str>) -> Result<Self, Trouble> {
        let ports = PortPair::claim()?;
        let url = format!("http://127.0.0.1:{}", ports.first());
        let mut command = machine.command(crate::target_bin("countersign-server")?);
        command.args(["init", "--data", DATA, "--url", &url]);
        if let Some(address) = postgres {
            command.args(["--postgres", address]);
        }
        let road = match way {
            Way::Straight => None,
            Way::Road => {
                command.args(["--listen", &format!("127.0.0.1:{}", ports.second())]);
                Some(Road::open(ports.first(), ports.second())?)
            }
        };
        let shown = talk(&command, &[], SOON)?.success()?.shown;
        let after = |label: &str| -> Result<String, Trouble> {
            shown
                .lines()
                .find_map(|line| line.strip_prefix(label)?.strip_prefix(':'))
                .map(|rest| rest.trim().to_owned())
                .ok_or_else(|| Trouble::Machine(format!("init did not print {label:?}:\n{shown}")))
        };
        // What is behind the value in brackets is for people.
        let word =
            |label: &str| after(label).map(|rest| rest.split_whitespace().next().unwrap_or("").to_owned());
        Ok(Self {
            fingerprint: after("Server fingerprint")?.replace(' ', ""),
            administrator: after("Administrator")?,
            code: word("Registration code")?,
            bundle: after("Application bundle")?,
            token: word("Enrolment token")?,
            config: after("Configuration")?,
            url,
            shown: shown.clone(),
            process: None,
            road,
            clock: None,
            _ports: ports,
        })
    }

    /// Adds to its configuration, for its next start.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn configure(&self, machine: &Machine, more: &str) -> Result<(), Trouble> {
        let path = machine.path(&self.config);
        let text = std::fs::read_to_string(&path).attempt(|| "read server.toml".to_owned())?;
        std::fs::write(&path, text + more).attempt(|| "write server.toml".to_owned())
    }

    /// Serves, and waits until it answers.
    ///
    /// # Errors
    /// If it does not, with its log.
    pub fn start(&mut self, machine: &Machine) -> Result<(), Trouble> {
        let mut command = machine.command(crate::target_bin("countersign-server")?);
        command.args(["serve", "--config", &self.config]);
        if let Some(clock) = &self.clock {
            clock.give_to(&mut command);
        }
        let process = machine.spawn("countersign-server", &mut command)?;
        let ready = wait_until("the server to listen", SOON, || {
            Ok(process.log().contains("listening on").then_some(()))
        });
        ready.map_err(|trouble| match trouble {
            Trouble::Timeout { what, limit, .. } => {
                Trouble::Timeout { what, limit, detail: format!("\n{}", process.log()) }
            }
            other => other,
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// What it said so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.as_ref().map_or_else(String::new, Running::log)
    }

    /// `countersign-server key …` on its machine.
    ///
    /// # Errors
    /// If it fails, with what it said.
    pub fn key(&self, machine: &Machine, arguments: &[&str]) -> Result<String, Trouble> {
        let mut command = machine.command(crate::target_bin("countersign-server")?);
        command.arg("key").args(arguments).args(["--config", &self.config]);
        Ok(talk(&command, &[], SOON)?.success()?.shown)
    }

    /// From its next start on it speaks TLS with these files, and hosts are told so by bundle and configuration.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn speak_tls(&mut self, machine: &Machine, certificate: &[u8], key: &[u8]) -> Result<(), Trouble> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        machine.write("/etc/countersign-server/tls.pem", &text(certificate), 0o644)?;
        machine.write("/etc/countersign-server/tls.key", &text(key), 0o600)?;
        let tls = "[tls]\ncertificate = \"/etc/countersign-server/tls.pem\"\nkey = \"/etc/countersign-server/tls.key\"\n";
        let https = self.url.replacen("http:", "https:", 1);
        for (path, more) in [(&self.config, tls), (&self.bundle, "")] {
            let written = machine.path(path);
            let before =
                std::fs::read_to_string(&written).map_err(|error| Trouble::Machine(error.to_string()))?;
            let after = format!("{}{more}", before.replace(&self.url, &https));
            std::fs::write(&written, after).map_err(|error| Trouble::Machine(error.to_string()))?;
        }
        self.url = https;
        Ok(())
    }

    /// Stops it as a service manager does.
    ///
    /// # Errors
    /// If it does not stop in time.
    pub fn stop(&mut self) -> Result<(), Trouble> {
        match self.process.take() {
            Some(mut process) => process.terminate(SOON).map(|_| ()),
            None => Ok(()),
        }
    }
}
