//! The agent of a site.

use super::{SOON, Site};
use crate::machine::Machine;
use crate::trouble::Trouble;
use crate::waiting::wait_until;

/// The courier's user and the folders that the packages would make.
pub(super) fn prepare(machine: &Machine) -> Result<(), Trouble> {
    machine.add_user("countersign-courier", 987)?;
    let courier = crate::target_bin("countersign-courier")?;
    let config = format!("courier_path = \"{}\"\ncheck_in_seconds = 10\n", courier.display());
    machine.write("/etc/countersign/agent.toml", &config, 0o644)?;
    machine.write("/etc/countersign/managed", "", 0o644)
}

impl Site<'_> {
    /// Starts the agent and waits until it answers.
    ///
    /// # Errors
    /// If it does not, with its log.
    pub fn start_agent(&mut self) -> Result<(), Trouble> {
        self.start_agent_with(&[])
    }

    /// The same with arguments of its own.
    ///
    /// # Errors
    /// If it does not, with its log.
    pub fn start_agent_with(&mut self, arguments: &[&str]) -> Result<(), Trouble> {
        let mut command = self.machine.command(crate::target_bin("countersignd")?);
        command.args(arguments);
        if let Some(clock) = &self.clock {
            clock.give_to(&mut command);
        }
        let agent = self.machine.spawn("countersignd", &mut command)?;
        let socket = self.machine.path("/run/countersign/user.sock");
        let started = wait_until("the agent's socket", SOON, || {
            Ok(std::os::unix::net::UnixStream::connect(&socket).ok().map(drop))
        });
        started.map_err(|trouble| match trouble {
            Trouble::Timeout { what, limit, .. } => {
                Trouble::Timeout { what, limit, detail: format!("\n{}", agent.log()) }
            }
            other => other,
        })?;
        self.agent = Some(agent);
        Ok(())
    }

    /// Stops the agent as a service manager does.
    ///
    /// # Errors
    /// If it does not stop in time.
    pub fn stop_agent(&mut self) -> Result<(), Trouble> {
        match self.agent.take() {
            Some(mut agent) => agent.terminate(SOON).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Replaces the file that says who needs a card.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn manage(&self, rules: &str) -> Result<(), Trouble> {
        self.machine.write("/etc/countersign/managed", rules, 0o644)
    }

    /// What the agent said so far.
    #[must_use]
    pub fn agent_log(&self) -> String {
        self.agent.as_ref().map_or_else(String::new, crate::running::Running::log)
    }
}
