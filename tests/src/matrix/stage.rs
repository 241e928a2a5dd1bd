//! The site that cells are played on, and what a fault may do to it.

use std::time::{Duration, Instant};

use super::Start;
use super::login::{Aim, Attempt};
use crate::card::Card;
use crate::machine::Machine;
use crate::site::{HostKey, Road, SERVICE, SOON, Scene, Site, TurnedClock, Way};
use crate::trouble::Trouble;
use crate::waiting::wait_until;

/// A site with Ana's card, a road to the server, and nothing wrong.
pub struct Stage<'m> {
    /// Server, agent, people.
    pub scene: Scene<'m>,
    /// What the agents said that are gone.
    past: String,
    /// When Ana's last login was served, if nothing was done to her card since.
    served: Option<Instant>,
    works_offline: bool,
}

/// The agent keeps a card powered for ten seconds after its last use, and looks a few times a second.
const COLD: Duration = Duration::from_millis(10_700);

/// Well within them.
const WARM: Duration = Duration::from_secs(5);

/// How long a roster is good, and for how many logins: more than are played.
const HOURS: u32 = 24;
const USES: u32 = 1000;

/// The agent has heard of a card that left, once pcscd's other clients have.
const HEARD: Duration = Duration::from_millis(100);

impl<'m> Stage<'m> {
    /// Sets it up, with a roster that lets Ana in without the server, or one that does not.
    ///
    /// # Errors
    /// Whatever did not start.
    pub fn new(machine: &'m Machine, works_offline: bool) -> Result<Self, Trouble> {
        let mut site = Site::by(Way::Road, machine, 2, HostKey::Sealed)?;
        site.server.permit_offline(machine, HOURS, if works_offline { USES } else { 0 })?;
        site.clock = Some(TurnedClock::new(machine)?);
        site.put_to_work()?;
        let scene = Scene::at(site)?;
        let mut stage = Self { scene, past: String::new(), served: None, works_offline };
        // The host asks for a roster with Ana in it when she logs in for the first time.
        stage.plain_login()?;
        Ok(stage)
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

    /// The last lines that agent and server said.
    #[must_use]
    pub fn logs(&self) -> String {
        const LINES: usize = 30;
        let last = |log: String| {
            let lines: Vec<&str> = log.lines().collect();
            lines.split_at(lines.len().saturating_sub(LINES)).1.join("\n")
        };
        format!("agent:\n{}\nserver:\n{}", last(self.log()), last(self.scene.site.server.log()))
    }

    /// Kills the agent without warning.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn kill_agent(&mut self) -> Result<(), Trouble> {
        self.served = None;
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
        self.served = None;
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

    /// Sends the courier a signal (`KILL`, `STOP`). The agent is not told.
    ///
    /// # Errors
    /// There is no courier.
    pub fn signal_courier(&self, signal: &str) -> Result<(), Trouble> {
        let agent = self.agent().unwrap_or_default().to_string();
        let mut kill = self.machine().command("pkill");
        kill.args([&format!("-{signal}"), "-P", &agent]);
        crate::site::talk(&kill, &[], SOON)?.success().map(drop)
    }

    /// The agent's clock shows so many seconds more than the machine's.
    ///
    /// # Errors
    /// There is none, which is a bug of the harness.
    pub fn turn_clock(&self, seconds: i64) -> Result<(), Trouble> {
        let clock = self.scene.site.clock.as_ref();
        clock.ok_or_else(|| Trouble::Machine("this site has no clock".to_owned()))?.turn(seconds)
    }

    /// Takes Ana's card out, until everybody has noticed.
    ///
    /// # Errors
    /// It is not noticed.
    pub fn take_out(&mut self) -> Result<(), Trouble> {
        self.served = None;
        self.card().pull()?;
        self.wait_until_noticed()
    }

    /// Waits until everybody has noticed whether Ana's card is in.
    ///
    /// # Errors
    /// It is not noticed.
    pub fn wait_until_noticed(&mut self) -> Result<(), Trouble> {
        self.served = None;
        self.card().wait_until_seen()?;
        std::thread::sleep(HEARD);
        Ok(())
    }

    /// Puts Ana's card in, and waits until it is noticed.
    ///
    /// # Errors
    /// It is not noticed.
    pub fn put_in(&mut self) -> Result<(), Trouble> {
        self.served = None;
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
        let served = match self.served.filter(|served| start != Start::Warm || served.elapsed() < WARM) {
            Some(served) => served,
            None => {
                self.plain_login()?;
                Instant::now()
            }
        };
        match start {
            Start::Warm => {}
            Start::Cold => std::thread::sleep(COLD.saturating_sub(served.elapsed())),
            Start::Inserted => self.take_out()?,
        }
        Ok(())
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
        self.served = Some(Instant::now());
        Ok(attempt)
    }

    /// Nobody knows how the card was left.
    pub(super) fn disturbed(&mut self) {
        self.served = None;
    }

    /// `pamtester` at the console, for Ana, as she logs in every day.
    pub(super) fn login_command(&self) -> std::process::Command {
        let mut command = self.scene.console.command("pamtester");
        command.args([SERVICE, "ana", "authenticate", "acct_mgmt", "setcred"]);
        command
    }
}
