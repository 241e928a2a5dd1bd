//! A whole site on one private machine: a server, an agent, the host's card and people with theirs.
//!
//! Everything is done as an administrator does it: with the programs' own commands, typed into a terminal.

mod agent;
mod installed;
mod offline_rules;
mod pam;
mod pam_client;
mod people;
mod road;
mod scene;
mod second;
mod server;
mod talk;
mod turned_clock;

use std::time::Duration;

pub use pam::{SILENT_REST, module_path, stack, whole_stack};
pub use pam_client::{PamAnswer, PamClient};
pub use people::{Person, Seat};
pub use road::{Road, Weather};
pub use scene::{SERVICE, Scene};
pub use server::{Server, Way};
pub use talk::{Ending, talk};
pub use turned_clock::TurnedClock;

use crate::card::{Card, CardSpec};
use crate::machine::Machine;
use crate::running::Running;
use crate::trouble::Trouble;

/// Long enough for anything that does not wait for a person, on a machine that is busy with other tests.
pub const SOON: Duration = Duration::from_secs(30);

/// Long enough for keys to be generated on a card.
pub const KEY_GENERATION: Duration = Duration::from_secs(120);

/// The reader that the host's own card is in. People's cards are in the ones after it.
const HOST_READER: usize = 0;

/// A server and an agent on one machine.
pub struct Site<'m> {
    /// The machine they run on.
    pub machine: &'m Machine,
    /// The server.
    pub server: Server,
    /// The agent, while it runs.
    pub agent: Option<Running>,
    /// The host's card, where the site was built with one.
    pub host_card: Option<Card<'m>>,
    /// The agent's clock, if it has one of its own from its next start on.
    pub clock: Option<TurnedClock>,
}

/// Where the host keeps its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKey {
    /// On a card of its own.
    Card,
    /// In a file.
    Sealed,
}

impl<'m> Site<'m> {
    /// Starts `pcscd` with `readers` readers besides the host's own, a server that was just initialised, and
    /// an agent that knows nothing yet.
    ///
    /// # Errors
    /// Whatever did not start, with what it said.
    pub fn new(machine: &'m Machine, readers: usize, host_key: HostKey) -> Result<Self, Trouble> {
        Self::by(Way::Straight, machine, readers, host_key)
    }

    /// The same, with a server that is reached this way.
    ///
    /// # Errors
    /// Whatever did not start, with what it said.
    pub fn by(way: Way, machine: &'m Machine, readers: usize, host_key: HostKey) -> Result<Self, Trouble> {
        Self::with_server(|| Server::init(machine, way, None), machine, readers, host_key)
    }

    /// The same, with a server that keeps everything in the PostgreSQL database at `address`.
    ///
    /// # Errors
    /// Whatever did not start, with what it said.
    pub fn on_postgres(
        address: &str,
        machine: &'m Machine,
        readers: usize,
        host_key: HostKey,
    ) -> Result<Self, Trouble> {
        let server = || Server::init(machine, Way::Straight, Some(address));
        Self::with_server(server, machine, readers, host_key)
    }

    fn with_server(
        server: impl FnOnce() -> Result<Server, Trouble>,
        machine: &'m Machine,
        readers: usize,
        host_key: HostKey,
    ) -> Result<Self, Trouble> {
        machine.start_pcscd(readers + 1)?;
        let host_card = match host_key {
            HostKey::Card => Some(machine.card(HOST_READER, CardSpec::new("00000001"))?),
            HostKey::Sealed => None,
        };
        if let Some(card) = &host_card {
            card.wait_until_seen()?;
        }
        let server = server()?;
        agent::prepare(machine)?;
        Ok(Self { machine, server, agent: None, host_card, clock: None })
    }

    /// The same, enrolled with the token that `init` printed, and running.
    ///
    /// # Errors
    /// Whatever did not start, with what it said.
    pub fn enrolled(machine: &'m Machine, readers: usize, host_key: HostKey) -> Result<Self, Trouble> {
        let mut site = Self::new(machine, readers, host_key)?;
        site.put_to_work()?;
        Ok(site)
    }

    /// Starts server and agent, and enrols the host.
    ///
    /// # Errors
    /// Whatever did not start, with what it said.
    pub fn put_to_work(&mut self) -> Result<(), Trouble> {
        self.server.start(self.machine)?;
        self.start_agent()?;
        self.enroll().map(drop)
    }

    /// The arguments of `countersign enroll` for this site.
    #[must_use]
    pub fn enroll_arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "enroll".to_owned(),
            "--server-fingerprint".to_owned(),
            self.server.fingerprint.clone(),
            "--bundle".to_owned(),
            self.server.bundle.clone(),
            "--token".to_owned(),
            self.server.token.clone(),
        ];
        match &self.host_card {
            Some(card) => arguments.extend(["--card".to_owned(), card.ident()]),
            None => arguments.push("--sealed".to_owned()),
        }
        arguments
    }

    /// What `countersign enroll` asks for this site, and the answers.
    #[must_use]
    pub fn enroll_answers(&self) -> &'static [(&'static str, &'static str)] {
        if self.host_card.is_some() { &[("Type yes", "yes")] } else { &[] }
    }

    /// Enrols the host.
    ///
    /// # Errors
    /// If the command fails, with what it said.
    pub fn enroll(&self) -> Result<Ending, Trouble> {
        let mut command = self.machine.command(crate::target_bin("countersign")?);
        command.args(self.enroll_arguments());
        talk(&command, self.enroll_answers(), KEY_GENERATION)?.success()
    }
}
