//! The site that cells are played on, and what a fault may do to it.

use std::time::Duration;

use super::Start;
use super::login::{Aim, Attempt};
use crate::card::Card;
use crate::machine::Machine;
use crate::site::{HostKey, Road, SERVICE, SOON, Scene, Site, Way};
use crate::trouble::Trouble;
use crate::waiting::wait_until;

/// A site with Ana's card, a road to the server, and nothing wrong.
pub struct Stage<'m> {
    /// Server, agent, people.
    pub scene: Scene<'m>,
    /// What the agents said that are gone.
    past: String,
    /// Ana's last login was served, and nothing was done to her card since.
    is_warm: bool,
    works_offline: bool,
}

/// Ana's reader.
const ANAS_READER: usize = 2;

/// The agent has heard of a card that left, once pcscd's other clients have.
const HEARD: Duration = Duration::from_millis(100);

impl<'m> Stage<'m> {
    /// Sets it up.
    ///
    /// # Errors
    /// Whatever did not start.
    pub fn new(machine: &'m Machine) -> Result<Self, Trouble> {
        let mut site = Site::by(Way::Road, machine, 2, HostKey::Sealed)?;
        site.put_to_work()?;
        Ok(Self { scene: Scene::at(site)?, past: String::new(), is_warm: false, works_offline: false })
    }

    /// The machine.
    #[must_use]
    pub fn machine(&self) -> &'m Machine {
        self.scene.site.machine
    }

    /// Ana's card.
    #[must_use]
    pub fn card(&self) -> &Card<'m> {
        &self.scene.ana.card
    }

    /// The road to the server.
    ///
    /// # Errors
    /// There is none, which is a bug of the harness.
    pub fn road(&self) -> Result<&Road, Trouble> {
        let road = self.scene.site.server.road.as_ref();
        road.ok_or_else(|| Trouble::Machine("this site has no road".to_owned()))
    }

    /// Whether the roster lets Ana in while the server is away.
    #[must_use]
    pub const fn works_offline(&self) -> bool {
        self.works_offline
    }

    /// The agent's process id.
    #[must_use]
    pub fn agent(&self) -> Option<u32> {
        self.scene.site.agent.as_ref().map(crate::running::Running::pid)
    }

    /// Whether the agent has not ended.
    ///
    /// # Errors
    /// The kernel cannot say.
    pub fn agent_lives(&mut self) -> Result<bool, Trouble> {
        match &mut self.scene.site.agent {
            Some(agent) => Ok(agent.ended()?.is_none()),
            None => Ok(false),
        }
    }

    /// What all its agents said.
    #[must_use]
    pub fn log(&self) -> String {
        format!("{}{}", self.past, self.scene.site.agent_log())
    }

    /// Kills the agent without warning.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn kill_agent(&mut self) -> Result<(), Trouble> {
        self.is_warm = false;
        self.past = self.log();
        match self.scene.site.agent.take() {
            Some(mut agent) => agent.kill().map(drop),
            None => Ok(()),
        }
    }

    /// Stops the agent as a service manager does.
    ///
    /// # Errors
    /// It does not stop.
    pub fn stop_agent(&mut self) -> Result<(), Trouble> {
        self.is_warm = false;
        self.past = self.log();
        self.scene.site.stop_agent()
    }

    /// Starts the agent.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start_agent(&mut self) -> Result<(), Trouble> {
        self.scene.site.start_agent()
    }

    /// Kills the courier. The agent is not told.
    ///
    /// # Errors
    /// There is none.
    pub fn kill_courier(&self) -> Result<(), Trouble> {
        let agent = self.agent().unwrap_or_default().to_string();
        let mut kill = self.machine().command("pkill");
        kill.args(["-KILL", "-P", &agent]);
        crate::site::talk(&kill, &[], SOON)?.success().map(drop)
    }

    /// Takes Ana's card out, until everybody has noticed.
    ///
    /// # Errors
    /// It is not noticed.
    pub fn take_out(&mut self) -> Result<(), Trouble> {
        self.is_warm = false;
        self.card().pull()?;
        self.wait_until_noticed()
    }

    /// Waits until everybody has noticed whether Ana's card is in.
    ///
    /// # Errors
    /// It is not noticed.
    pub fn wait_until_noticed(&mut self) -> Result<(), Trouble> {
        self.is_warm = false;
        self.card().wait_until_seen()?;
        std::thread::sleep(HEARD);
        Ok(())
    }

    /// Puts Ana's card in, and waits until it is noticed.
    ///
    /// # Errors
    /// It is not noticed.
    pub fn put_in(&mut self) -> Result<(), Trouble> {
        self.is_warm = false;
        self.card().insert()?;
        self.card().wait_until_seen()
    }

    /// Waits until a command hangs in Ana's card.
    ///
    /// # Errors
    /// None does.
    pub fn wait_for_hanging(&self) -> Result<(), Trouble> {
        wait_until("a command that hangs", SOON, || Ok(self.card().status()?.hanging.then_some(())))
    }

    /// Has the next login begin like this.
    ///
    /// # Errors
    /// A login that should work did not.
    pub(super) fn prepare(&mut self, start: Start) -> Result<(), Trouble> {
        if !self.is_warm {
            self.plain_login()?;
        }
        match start {
            Start::Warm => Ok(()),
            Start::Cold => {
                self.is_warm = false;
                self.machine().apdus(ANAS_READER, &[]).map(drop)
            }
            Start::Inserted => self.take_out(),
        }
    }

    /// A login with nothing wrong.
    ///
    /// # Errors
    /// [`Trouble::Machine`] with what Ana saw, if it is not served.
    pub fn plain_login(&mut self) -> Result<Attempt, Trouble> {
        self.card().reset_counts()?;
        let attempt = Attempt::at(self, Aim::Plain, SOON)?;
        let counts = self.card().counts()?;
        if !attempt.is_served() || counts.refused_pins != 0 || attempt.took > SOON {
            return Err(Trouble::Machine(format!("a plain login was not served: {attempt} ({counts:?})")));
        }
        self.is_warm = true;
        Ok(attempt)
    }

    /// The next login is not a warm one.
    pub(super) fn disturbed(&mut self) {
        self.is_warm = false;
    }

    /// `pamtester` at the console, for Ana, as she logs in every day.
    pub(super) fn login_command(&self) -> std::process::Command {
        let mut command = self.scene.console.command("pamtester");
        command.args([SERVICE, "ana", "authenticate", "acct_mgmt", "setcred"]);
        command
    }
}
