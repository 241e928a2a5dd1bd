//! Cards that could not be read, because another program had them for itself.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Reader, Readers, State};
use crate::card::error::CardError;
use crate::card::seen::CardSeen;

impl Readers {
    /// Whether its card could not be read because another program had it for itself.
    pub(in crate::card) fn is_held(&self, name: &str) -> bool {
        self.lock().readers.get(name).is_some_and(Reader::is_held)
    }

    /// Whether its card was read.
    pub(in crate::card) fn is_read(&self, name: &str) -> bool {
        let state = self.lock();
        state
            .readers
            .get(name)
            .and_then(|reader| reader.seen.as_ref())
            .is_some_and(|seen| seen.ident.is_some())
    }

    /// The readers whose cards could not be read because another program had them. An agent that was started a
    /// moment ago looks first.
    pub(in crate::card) fn held(&self) -> Vec<String> {
        const FIRST_LOOK: Duration = Duration::from_secs(2);
        let unknown = |state: &mut State| {
            let unread = |reader: &Reader| reader.insertion.is_some() && reader.seen.is_none();
            !state.looked_at || state.readers.values().any(unread)
        };
        let waited = self.changed.wait_timeout_while(self.lock(), FIRST_LOOK, unknown);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let held = state.readers.iter().filter(|(_, reader)| reader.is_held());
        held.map(|(name, _)| name.clone()).collect()
    }

    /// Tries again to read a card that another program had.
    ///
    /// # Errors
    /// [`CardError::InUse`] if it still has it. Whatever else is wrong is in the list.
    pub(in crate::card) fn read_held(self: &Arc<Self>, name: &str) -> Result<(), CardError> {
        let (worker, insertion) = {
            let mut state = self.lock();
            let Some(reader) = state.readers.get_mut(name).filter(|reader| reader.is_held()) else {
                return Ok(());
            };
            (reader.worker(name, self.timing)?, reader.insertion)
        };
        let no_steps = &mut |step: Infallible| match step {};
        let read = self.ask_worker(name, &worker, self.timing.answer, no_steps, |slot, _| slot.look());
        let seen = match read {
            Ok(public) => Some(CardSeen::of(name, &public)),
            Err(problem @ CardError::InUse(_)) => return Err(problem),
            // Somebody else of ours noticed that it is free, and reads it.
            Err(CardError::Busy) => None,
            Err(problem) => Some(CardSeen::unread(name, Some(problem))),
        };
        if let (Some((insertion, _)), Some(seen)) = (insertion, seen) {
            self.was_read(name, insertion, seen);
        }
        self.settle_reader(name);
        Ok(())
    }

    /// Waits a little until something is known of the card in this reader: it was noticed to be free, and is read
    /// once more.
    fn settle_reader(&self, name: &str) {
        const PATIENCE: Duration = Duration::from_secs(2);
        let unsettled = |state: &mut State| {
            let reader = state.readers.get(name);
            reader.is_some_and(|reader| {
                reader.insertion.is_some() && (reader.seen.is_none() || reader.is_held())
            })
        };
        drop(self.changed.wait_timeout_while(self.lock(), PATIENCE, unsettled));
    }

    /// Who has it.
    pub(in crate::card) fn is_held_by(&self, name: &str, holder: CardError) {
        let mut state = self.lock();
        if let Some(reader) = state.readers.get_mut(name).filter(|reader| reader.is_held()) {
            reader.seen = Some(CardSeen::unread(name, Some(holder)));
        }
    }

    /// A card is free to be read at last: has it read, unless somebody did.
    pub(in crate::card) fn is_released(self: &Arc<Self>, name: &str) {
        let was_held = {
            let mut state = self.lock();
            let reader = state.readers.get_mut(name).filter(|reader| reader.is_held());
            reader.map(|reader| reader.seen = None).is_some()
        };
        if was_held {
            self.read(name);
        }
    }
}

impl Reader {
    pub(super) fn is_held(&self) -> bool {
        self.seen.as_ref().is_some_and(CardSeen::is_held)
    }
}
