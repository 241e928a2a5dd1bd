//! The agent's parts, and what they share.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use countersign_protocol::clock::Clock;
use countersign_protocol::ids::{AccountName, CardIdent, CorrelationId};
use countersign_protocol::ipc::ProblemKind;
use countersign_protocol::key_words::key_words;
use countersign_protocol::limits;
use countersign_protocol::message::{HostEvent, HostEventKind, InstanceState};
use countersign_protocol::random::Random;
use serde::Serialize;

use crate::card::{CardError, CardSeen, Cards};
use crate::card_removal::CardSessions;
use crate::check_in::Contacts;
use crate::config::Config;
use crate::consent::Consents;
use crate::courier::{Courier, CourierSpec};
use crate::flood::{Floods, Heed, Source};
use crate::harden::Weaknesses;
use crate::job::Unopened;
use crate::journal::Journal;
use crate::keeper::{Ear, Keeper, Untold, Unwritten};
use crate::known::Known;
use crate::limits::Gate;
use crate::log::Log;
use crate::lookers::Lookers;
use crate::made_keys::MadeKeys;
use crate::permit::HostState;
use crate::reach::Patience;
use crate::server_link::{Link, Means};
use crate::server_time::{ServerTime, Uptime};
use crate::session::Choice;
use crate::state::StateDir;
use crate::trouble::Trouble;
use crate::unsettled::Flights;
use crate::watch::Bell;
use crate::wire::{LinkError, Wire};

/// Everything a request may need. Nothing in here is locked while a card or the network is waited for.
pub struct Agent {
    /// As read at the start.
    pub config: Config,
    /// The cards.
    pub cards: Cards,
    /// The state folder.
    pub state: StateDir,
    /// To the server.
    pub wire: Wire,
    /// What the last check-ins brought.
    pub contacts: Contacts,
    /// Cards that were registered on this host.
    pub known: Known,
    /// Keys made on cards here that nobody registered yet.
    pub made_keys: MadeKeys,
    /// The local journal.
    pub journal: Journal,
    /// The local log.
    pub log: Log,
    /// Statements under way.
    pub flights: Flights,
    /// Requests that the server tells nothing about.
    pub untold: Untold,
    /// Results that are here and were not opened so far.
    pub unopened: Unopened,
    /// What it told and the journal could not take.
    pub unwritten: Unwritten,
    /// Keeps what strangers cause from filling all three.
    pub floods: Floods,
    /// Logins with a card that stand for the next ones.
    pub consents: Consents,
    /// Sessions that end or are locked without their card.
    pub card_sessions: CardSessions,
    /// Keeps those who look at the journal out of the way of those who log in.
    pub lookers: Lookers,
    /// Room for the bodies of requests.
    pub bodies: Arc<Gate>,
    /// The thread that keeps in touch.
    pub keeper: Keeper,
    /// Rung when it succeeded.
    pub bell: Arc<Bell>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// What this process could not have of its own protection.
    pub weaknesses: Weaknesses,
    link: RwLock<Option<Arc<Link>>>,
}

/// The agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state folder.
    #[error(transparent)]
    State(#[from] crate::state::StateError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalError),
    /// The instance's key or certificate.
    #[error("{0}")]
    Link(#[from] LinkError),
    /// A thread.
    #[error("no thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The courier's user.
    #[error(
        "there is no user {0:?} for the courier. Run: useradd --system --no-create-home --shell /usr/sbin/nologin {0}, or name another as courier_user"
    )]
    CourierUser(String),
}

impl Agent {
    /// Puts the parts together; nothing is sent yet. The keeper starts with what is returned beside it.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn assemble(
        config: Config,
        cards: Cards,
        log: Log,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        weaknesses: Weaknesses,
    ) -> Result<(Arc<Self>, Ear), StartError> {
        let state = StateDir::open(&config.state_dir)?;
        let courier = Courier::new(courier_spec(&config)?);
        let (keeper, ear) = Keeper::new();
        let contacts = Contacts::load(state.clone(), &config.managed)?;
        let time = ServerTime::new(clock, Arc::new(Uptime));
        let contact = contacts.get();
        if let Some(at) = contact.as_ref().and_then(|contact| contact.at) {
            time.remember(at);
        }
        let link = Link::load(&state)?.map(Arc::new);
        let newest = contact.and_then(|contact| contact.roster_issued);
        let taken = link
            .as_ref()
            .map_or(Ok(()), |link| contacts.rosters.load(link.as_ref().into(), newest, time.now()));
        if let Err(trouble) = taken {
            log.warn("roster-refused", &[("why", &trouble.to_string())]);
        }
        let journal = state.path("journal.sqlite");
        let journal = Journal::open_anyway(&journal, time.local(), contacts.rosters.digest())?;
        if let Some(trouble) = journal.trouble() {
            log.warn("journal-lost", &[("why", trouble)]);
        }
        // Somebody was let in then: it is later now, whatever the host's clock says.
        if let Some(at) = journal.last_use() {
            time.remember(at);
        }
        let known = Known::load(state.clone())?;
        let card_sessions = CardSessions::load(state.clone())?;
        let troubles = [contacts.services.trouble(), known.trouble(), card_sessions.trouble()];
        for trouble in troubles.into_iter().flatten() {
            log.warn("file-set-aside", &[("what", trouble)]);
        }
        let agent = Self {
            contacts,
            known,
            made_keys: MadeKeys::new(state.clone()),
            journal,
            link: RwLock::new(link),
            wire: Wire::new(courier, time),
            config,
            cards,
            state,
            log,
            flights: Flights::default(),
            untold: Untold::default(),
            unopened: Unopened::default(),
            unwritten: Unwritten::default(),
            floods: Floods::default(),
            consents: Consents::default(),
            card_sessions,
            lookers: Lookers::default(),
            bodies: Gate::new(limits::BODIES_PER_UID, limits::BODIES_PER_UID, limits::BODIES),
            keeper,
            bell: Arc::default(),
            random,
            weaknesses,
        };
        Ok((Arc::new(agent), ear))
    }

    /// The connection of an enrolled host.
    #[must_use]
    pub fn link(&self) -> Option<Arc<Link>> {
        self.link.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// This host is enrolled now.
    pub fn set_link(&self, link: Link) {
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(link));
    }

    /// How far this host is, for the permit table.
    #[must_use]
    pub fn host_state(&self) -> HostState {
        if self.link().is_none() {
            return HostState::NotEnrolled;
        }
        match self.contacts.get().map(|contact| contact.state) {
            Some(InstanceState::Active) => HostState::Active,
            _ => HostState::Waiting,
        }
    }

    /// For requests to the server.
    #[must_use]
    pub fn means(&self, patience: Patience) -> Means<'_> {
        Means { wire: &self.wire, random: self.random.as_ref(), patience }
    }

    /// The connection of a host that may work now; finds out if it does not know.
    ///
    /// # Errors
    /// Not enrolled, waiting, or the server cannot be reached.
    pub fn ready_link(&self, deadline: Instant) -> Result<Arc<Link>, Trouble> {
        let link = self.link().ok_or(LinkError::NotEnrolled)?;
        let is_ready = || {
            let active = self.contacts.get().is_some_and(|contact| contact.state == InstanceState::Active);
            let now = self.wire.time.now();
            active && link.session().is_some_and(|session| session.until() > now)
        };
        if !is_ready() {
            self.keeper.freshen(deadline.min(Instant::now() + limits::SERVER_ANSWER))?;
        }
        if is_ready() {
            return Ok(link);
        }
        Err(Trouble::new(
            ProblemKind::Enrolment,
            format!(
                "This host may not work yet. An administrator approves it with: countersign admin host approve {}",
                key_words(&link.instance.fingerprint)
            ),
        ))
    }

    /// Reports an event about a card outside a login.
    pub fn report_card(
        &self,
        event: HostEventKind,
        correlation: CorrelationId,
        choice: Option<&Choice>,
        told: &str,
    ) {
        self.report(&self.card_event(event, correlation, choice, told));
    }

    /// The same about a card that is nobody's, or somebody's. A host without a server has nobody to tell.
    pub fn report_card_of(
        &self,
        event: HostEventKind,
        card: CardIdent,
        account: Option<AccountName>,
        told: &str,
    ) {
        if self.link().is_some()
            && let Ok(correlation) = self.correlation()
        {
            let event = self.card_event(event, correlation, None, told);
            self.report(&HostEvent { card: Some(card), account, ..event });
        }
    }

    /// Reports that somebody away from the seat asked for a card.
    pub fn report_away(&self, source: Source, told: &str) {
        if let Heed::Record { missed } = self.floods.heed(source, Instant::now())
            && let Ok(correlation) = self.correlation()
        {
            let event = self.card_event(HostEventKind::RemoteSession, correlation, None, told);
            self.report(&with_missed(event, missed));
        }
    }

    fn card_event(
        &self,
        event: HostEventKind,
        correlation: CorrelationId,
        choice: Option<&Choice>,
        told: &str,
    ) -> HostEvent {
        HostEvent {
            event,
            at: self.wire.time.now(),
            correlation,
            login: None,
            account: choice.map(|choice| choice.account.clone()),
            service: None,
            card: choice.map(|choice| choice.card),
            told: told.to_owned(),
        }
    }

    /// A fresh correlation id.
    ///
    /// # Errors
    /// The kernel gave no randomness.
    pub fn correlation(&self) -> Result<CorrelationId, Trouble> {
        Ok(CorrelationId::new(self.random.as_ref())?)
    }

    /// A card's name for prompts.
    ///
    /// # Errors
    /// It is in no reader.
    pub fn name_of(&self, card: CardIdent) -> Result<String, Trouble> {
        Ok(find_card(&self.cards, card)?.name())
    }

    /// Writes to the local journal. A full disk must not lock everybody out: the server's ledger has every
    /// decision, and the log says that the journal has not.
    pub fn note(&self, entry: &impl Serialize) {
        if let Err(error) = self.journal.write(self.wire.time.now(), entry) {
            self.log.warn("journal-failed", &[("why", &error.to_string())]);
        }
    }

    /// Writes a host event to the journal and has it sent to the ledger.
    pub fn report(&self, event: &HostEvent) {
        if let Err(error) = self.journal.report(event) {
            self.log.warn("journal-failed", &[("why", &error.to_string())]);
        }
        self.keeper.look();
    }
}

/// Says how many more like it were not reported.
#[must_use]
pub fn with_missed(event: HostEvent, missed: u64) -> HostEvent {
    if missed == 0 {
        return event;
    }
    // The number comes first: a long sentence is cut at its end.
    HostEvent {
        told: format!("({missed} more like this since the last one reported.) {}", event.told),
        ..event
    }
}

/// The card of this number. One that was put in, or an agent that was started, a moment ago is waited for.
///
/// # Errors
/// It is in no reader.
pub fn find_card(cards: &Cards, card: CardIdent) -> Result<CardSeen, CardError> {
    let here = |seen: &CardSeen| seen.ident == Some(card);
    let first = || Instant::now() + FIRST_LOOK;
    let found = cards.wait_for(&|seen| here(seen) || seen.is_held(), first(), &|| false)?;
    if here(&found) {
        return Ok(found);
    }
    // It may be the one that could not be read.
    cards.read_held_for(card);
    cards.wait_for(&here, first(), &|| false)
}

/// How long pcscd and a card may take to be seen for the first time.
const FIRST_LOOK: Duration = Duration::from_secs(3);

fn courier_spec(config: &Config) -> Result<CourierSpec, StartError> {
    let user = config.courier_user.as_str();
    let found = nix::unistd::User::from_name(user).ok().flatten();
    let found = found.filter(|found| !found.uid.is_root());
    let found = found.ok_or_else(|| StartError::CourierUser(user.to_owned()))?;
    let user = Some((found.uid.as_raw(), found.gid.as_raw()));
    Ok(CourierSpec { path: config.courier_path.clone(), user, ca: config.server_ca.clone() })
}
