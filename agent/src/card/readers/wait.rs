//! Waiting for a card, and noticing those that will not do.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use countersign_protocol::ids::CardIdent;

use super::super::error::CardError;
use super::super::seen::CardSeen;
use super::super::turn::Waiting;
use super::{Reader, Readers, State};

/// What somebody sees who looks out for a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// A card as it is wanted.
    Card(CardSeen),
    /// Something is in this reader that cannot be used, and why.
    Unusable {
        /// The reader's name.
        reader: String,
        /// Why.
        problem: CardError,
    },
    /// No card at all can be seen, and why.
    Blind(CardError),
}

/// What was seen and need not be said again.
#[derive(Debug, Default)]
pub struct Told {
    insertions: BTreeSet<u64>,
    blind: bool,
}

/// A caller without [`Readers::wake`] is heard this late at most.
const LISTEN: Duration = Duration::from_millis(250);

/// How long reading a card may take before that is worth a word: honest ones need a fraction of a second.
const SLOW: Duration = Duration::from_secs(3);

/// How long pcscd may be gone before that is worth a word: a service manager starts it again at once.
const BLIND: Duration = Duration::from_secs(1);

/// How long after it was found pcscd may take to tell what is in its readers.
const FIRST_WORD: Duration = Duration::from_millis(500);

/// How long a pcscd that was started again may take to find its readers, and the agent to read what is in them.
const SETTLING: Duration = Duration::from_secs(3);

impl Readers {
    /// Whether this card is there after all, a moment after pcscd ended or was started again: no reader is known
    /// then, and nobody has pulled anything.
    pub(in super::super) fn comes_back(&self, card: CardIdent, waiting: &dyn Waiting) -> bool {
        let turned = self.lock().service_turned;
        let settled = turned.is_none_or(|turned| turned.elapsed() >= SETTLING);
        let deadline = waiting.deadline().min(Instant::now() + SETTLING);
        let is_it = |seen: &CardSeen| seen.ident == Some(card);
        !settled && self.wait_for(&is_it, deadline, &|| waiting.is_cancelled()).is_ok()
    }

    /// Waits a moment for a card as wanted, if one that is in may not have been read yet.
    pub(in super::super) fn settle(&self, wanted: &dyn Fn(&CardSeen) -> bool, cancelled: &dyn Fn() -> bool) {
        let deadline = Instant::now() + SETTLING;
        let over = |state: &State| (state.find(wanted).is_some() || !state.is_settling()).then_some(());
        // Whatever it comes to is seen by whoever asked for this.
        let _ = self.wait(deadline, cancelled, over);
    }

    /// Waits until a card is as wanted. `cancelled` is asked whenever something changes, and now and then.
    pub(in super::super) fn wait_for(
        &self,
        wanted: &dyn Fn(&CardSeen) -> bool,
        deadline: Instant,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<CardSeen, CardError> {
        match self.wait(deadline, cancelled, |state| state.find(wanted)) {
            // A card that nobody could look at may be the one.
            Err(CardError::NoCard) => Err(self.lock().held().unwrap_or(CardError::NoCard)),
            other => other,
        }
    }

    /// The same, and comes back for anything else that a person who waits should hear of, once for each insertion.
    /// At the deadline the card that could not be used is the error, if there is one.
    pub(in super::super) fn look_out(
        &self,
        wanted: &dyn Fn(&CardSeen) -> bool,
        told: &mut Told,
        deadline: Instant,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Sight, CardError> {
        let begun = Instant::now();
        let seen = self.wait(deadline, cancelled, |state| {
            if let Some(seen) = state.find(&|seen| seen.problem.is_none() && wanted(seen)) {
                return Some(Sight::Card(seen));
            }
            if let Some(problem) = state.service.as_ref().filter(|_| begun.elapsed() >= BLIND) {
                return (!std::mem::replace(&mut told.blind, true)).then(|| Sight::Blind(problem.clone()));
            }
            let (reader, problem, insertion) =
                state.unusable().find(|(_, _, insertion)| !told.insertions.contains(insertion))?;
            told.insertions.insert(insertion);
            Some(Sight::Unusable { reader: reader.clone(), problem })
        });
        match seen {
            // A card of another kind is not what was waited for, and may lie in its reader for ever.
            Err(CardError::NoCard) => {
                let state = self.lock();
                let problem = state.unusable().map(|(_, problem, _)| problem);
                Err(problem.into_iter().find(|p| *p != CardError::NotOpenPgp).unwrap_or(CardError::NoCard))
            }
            other => other,
        }
    }

    fn wait<T>(
        &self,
        deadline: Instant,
        cancelled: &dyn Fn() -> bool,
        mut look: impl FnMut(&State) -> Option<T>,
    ) -> Result<T, CardError> {
        let mut state = self.lock();
        loop {
            if let Some(found) = look(&state) {
                return Ok(found);
            }
            if cancelled() {
                return Err(CardError::Cancelled);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(state.service.clone().unwrap_or(CardError::NoCard));
            }
            (state, _) =
                self.changed.wait_timeout(state, left.min(LISTEN)).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl State {
    fn is_settling(&self) -> bool {
        let is_new = |since: Instant| since.elapsed() < SLOW;
        let is_being_read = |reader: &Reader| {
            reader.seen.is_none() && reader.insertion.is_some_and(|(_, since)| is_new(since))
        };
        let turned = self.service_turned.is_some_and(|turned| turned.elapsed() < FIRST_WORD);
        turned || self.readers.values().any(is_being_read)
    }

    fn find(&self, wanted: &dyn Fn(&CardSeen) -> bool) -> Option<CardSeen> {
        self.readers.values().filter_map(|reader| reader.seen.as_ref()).find(|seen| wanted(seen)).cloned()
    }

    /// Why a card could not be looked at that another program has for itself.
    fn held(&self) -> Option<CardError> {
        let held = self.readers.values().find(|reader| reader.is_held())?;
        held.seen.as_ref()?.problem.clone()
    }

    /// Readers with something in them that cannot be used: why, and in which insertion.
    fn unusable(&self) -> impl Iterator<Item = (&String, CardError, u64)> {
        self.readers.iter().filter_map(|(name, reader)| {
            let (insertion, since) = reader.insertion?;
            // That is said of pcscd, not of a card.
            let problem = reader.problem(since).filter(|problem| *problem != CardError::NoService)?;
            Some((name, problem, insertion))
        })
    }
}

impl Reader {
    fn problem(&self, since: Instant) -> Option<CardError> {
        match &self.seen {
            Some(seen) => seen.problem.clone(),
            None => (since.elapsed() >= SLOW).then_some(CardError::NotAnswering),
        }
    }
}
