//! Turns: the one place that every use of a card passes, whoever asks.
//!
//! A turn begins when the PIN is there and ends with the signature, a touch included. Whoever has one holds the
//! [`Waiting`] person with it, who therefore cannot be asked anything meanwhile: a prompt that is left open
//! blocks nobody. How the next one is found is in [`crate::queue`].

mod line;

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_protocol::ids::CardIdent;

use super::Cards;
use super::error::CardError;
use super::readers::Readers;
use super::seen::CardSeen;
use super::slot::Slot;
use super::worker::{Steps, Worker};
use crate::holder::{Holders, Wanted};
use crate::queue::{Party, Turns};
use line::{AllTurns, Place};

/// Somebody at the other end while a card is waited for.
pub trait Waiting {
    /// When it is too late.
    fn deadline(&self) -> Instant;
    /// Nobody is there any more.
    fn is_cancelled(&self) -> bool;
    /// Says something.
    fn note(&mut self, text: &str);
}

/// Nobody: what the agent does of its own accord.
pub(super) struct Nobody {
    pub(super) deadline: Instant,
}

impl Waiting for Nobody {
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn is_cancelled(&self) -> bool {
        false
    }

    fn note(&mut self, _text: &str) {}
}

/// On whose behalf a card is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Whom the turn is counted to.
    pub party: Party,
    /// What others are told about it: `sudo of olga (terminal pts/3)`.
    pub what: String,
}

impl Asker {
    /// This host, for its own card.
    #[must_use]
    pub fn host() -> Self {
        Self { party: Party::Host, what: "this host itself".to_owned() }
    }
}

/// A turn with one card, until it is dropped.
pub struct Turn<'w> {
    cards: Cards,
    waiting: &'w mut dyn Waiting,
}

/// The connection of a turn, and its place in the queue: they end in this order.
struct Held {
    card: CardIdent,
    reader: String,
    worker: Arc<Worker>,
    _place: Place,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.worker.post(Slot::close);
    }
}

impl Turn<'_> {
    /// The cards, for as much of this turn's card as is needed. Nobody else's request comes in between.
    #[must_use]
    pub const fn cards(&self) -> &Cards {
        &self.cards
    }

    /// The same, and whoever waits, to be told of steps.
    pub fn split(&mut self) -> (&Cards, &mut dyn Waiting) {
        (&self.cards, self.waiting)
    }

    /// Says something to the one whose turn it is.
    pub fn note(&mut self, text: &str) {
        self.waiting.note(text);
    }
}

impl Cards {
    /// Waits for a turn with this card. Whoever waits is told who has it.
    ///
    /// # Errors
    /// [`CardError::Occupied`] if too many wait or the deadline comes first; [`CardError::Cancelled`]; or why the
    /// card cannot be reached.
    pub fn turn<'w>(
        &self,
        card: CardIdent,
        asker: &Asker,
        waiting: &'w mut dyn Waiting,
    ) -> Result<Turn<'w>, CardError> {
        let held = self.readers.take(card, asker, waiting)?;
        let cards = Self { readers: Reach { held: Some(Arc::new(held)), ..self.readers.clone() } };
        Ok(Turn { cards, waiting })
    }

    /// Has the cards read that another program had for itself when they were put in, or the agent was started: it
    /// is asked to let go. Returns when that is done, or was in vain; the list says which.
    pub fn read_held(&self, waiting: &mut dyn Waiting) {
        for reader in self.readers.held() {
            let name = format!("the card in {reader}");
            let mut read = || self.readers.read_held(&reader);
            let wanted = Wanted { card: None, name: &name };
            if let Err(holder @ CardError::InUse(_)) =
                self.readers.holders.make_way(wanted, waiting, &mut read)
            {
                self.readers.is_held_by(&reader, holder);
            }
        }
    }

    /// The same for a card that somebody looks for and that was not read yet, without anybody to tell.
    pub(crate) fn read_held_for(&self, card: CardIdent) {
        if !self.list().iter().any(|seen| seen.ident == Some(card)) {
            self.read_held(&mut Nobody { deadline: Instant::now() + self.readers.timing.answer });
        }
    }

    /// Has a card read once more that is in already, in case another program changed its keys since; if that program has
    /// it for itself, it is asked to let go. The list says what came of it.
    pub fn read_again(&self, seen: &CardSeen, waiting: &mut dyn Waiting) {
        let Some(card) = seen.ident else { return };
        let mut read = || self.readers.look_again(card);
        // If it was in vain, what was known before is all there is.
        let _ = self.readers.holders.make_way(
            Wanted { card: Some(card), name: &seen.name() },
            waiting,
            &mut read,
        );
    }

    /// Whose turn it is with which card, since when, and how many wait. Cards that nobody uses are not in it.
    #[must_use]
    pub fn turns(&self) -> Vec<Turns> {
        self.readers.turns.lock().snapshot()
    }
}

/// The readers, by way of a turn.
#[derive(Clone)]
pub(super) struct Reach {
    readers: Arc<Readers>,
    turns: Arc<AllTurns>,
    holders: Holders,
    /// A turn that is had already. Whoever keeps a copy of this keeps the turn.
    held: Option<Arc<Held>>,
}

impl Deref for Reach {
    type Target = Arc<Readers>;

    fn deref(&self) -> &Arc<Readers> {
        &self.readers
    }
}

impl Reach {
    pub(super) fn new(readers: Arc<Readers>, holders: Holders) -> Self {
        Self { readers, turns: Arc::default(), holders, held: None }
    }

    /// A job on this card, in the turn that is had, or in one of this host's own.
    pub(super) fn ask<T: Send + 'static, S: Send + 'static>(
        &self,
        card: CardIdent,
        limit: Duration,
        on_step: &mut dyn FnMut(S),
        job: impl FnOnce(&mut Slot, &Steps<S>) -> Result<T, CardError> + Send + 'static,
    ) -> Result<T, CardError> {
        let own;
        let held = match &self.held {
            Some(held) if held.card == card => held.as_ref(),
            _ => {
                let mut nobody = Nobody { deadline: Instant::now() + self.readers.timing.answer };
                own = self.take(card, &Asker::host(), &mut nobody)?;
                &own
            }
        };
        // Not looked for again: a card that was put into this reader meanwhile is told from the one that is meant.
        self.readers.ask_worker(&held.reader, &held.worker, limit, on_step, job)
    }

    fn take(&self, card: CardIdent, asker: &Asker, waiting: &mut dyn Waiting) -> Result<Held, CardError> {
        let name = self.readers.list().iter().find(|seen| seen.ident == Some(card)).map(|seen| seen.name());
        let name = name.unwrap_or_else(|| format!("card {card}"));
        let place = self.turns.wait(card, asker, waiting, &name)?;
        let (reader, worker) = match self.open(card, &name, waiting) {
            Err(CardError::NoService | CardError::NoCard | CardError::Gone)
                if self.readers.comes_back(card, waiting) =>
            {
                self.open(card, &name, waiting)?
            }
            other => other?,
        };
        Ok(Held { card, reader, worker, _place: place })
    }

    /// The connection of a turn. A program that has the card for itself is asked to let go.
    fn open(
        &self,
        card: CardIdent,
        name: &str,
        waiting: &mut dyn Waiting,
    ) -> Result<(String, Arc<Worker>), CardError> {
        let (reader, worker) = self.readers.worker_of(card)?;
        let limit = self.readers.timing.answer;
        let mut open = || {
            let no_steps = &mut |step: Infallible| match step {};
            self.readers.ask_worker(&reader, &worker, limit, no_steps, |slot, _| slot.open())
        };
        let opened = match open() {
            Err(CardError::InUse(_)) => {
                self.holders.make_way(Wanted { card: Some(card), name }, waiting, &mut open)
            }
            other => other,
        };
        match opened {
            Ok(()) => Ok((reader, worker)),
            Err(error) => {
                worker.post(Slot::close);
                Err(error)
            }
        }
    }
}
