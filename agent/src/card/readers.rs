//! All readers: what is in each, and the thread that talks to it.

mod events;
mod held;
mod wait;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use countersign_protocol::ids::CardIdent;

use super::Timing;
use super::error::CardError;
use super::seen::CardSeen;
use super::slot::Slot;
use super::worker::{Steps, Worker};

pub use wait::{Sight, Told};

/// Shared by everyone who holds [`super::Cards`].
pub(super) struct Readers {
    state: Mutex<State>,
    changed: Condvar,
    pub(super) timing: Timing,
}

#[derive(Default)]
struct State {
    readers: BTreeMap<String, Reader>,
    /// Why pcscd cannot be asked, if so.
    service: Option<CardError>,
    /// All of them were looked at once, or cannot be.
    looked_at: bool,
    /// When that changed.
    service_turned: Option<Instant>,
    /// Insertions so far: no number names two.
    insertions: u64,
}

#[derive(Default)]
struct Reader {
    /// Which insertion, and since when, while a card is in.
    insertion: Option<(u64, Instant)>,
    /// What is known of the card; none until its first reading ends.
    seen: Option<CardSeen>,
    /// The card whose stored PIN was refused since it was put in.
    refused: Option<CardIdent>,
    worker: Option<Arc<Worker>>,
    /// Threads that were given up.
    stuck: Vec<Weak<()>>,
}

impl Readers {
    pub(super) fn new(timing: Timing) -> Self {
        let service_turned = Some(Instant::now());
        let state = State { service: Some(CardError::NoService), service_turned, ..State::default() };
        Self { state: Mutex::new(state), changed: Condvar::new(), timing }
    }

    /// Every card that is in. One that is still being read, or hangs in it, is busy.
    pub(super) fn list(&self) -> Vec<CardSeen> {
        let busy = |name: &String| CardSeen::unread(name, Some(CardError::Busy));
        let state = self.lock();
        let full = state.readers.iter().filter(|(_, reader)| reader.insertion.is_some());
        full.map(|(name, reader)| reader.seen.clone().unwrap_or_else(|| busy(name))).collect()
    }

    pub(super) fn service(&self) -> Option<CardError> {
        self.lock().service.clone()
    }

    pub(super) fn insertion_of(&self, card: CardIdent) -> Option<u64> {
        let state = self.lock();
        if state.service.is_some() {
            return None;
        }
        let mut found = state.readers.values().filter(|reader| reader.has(card));
        let insertion = found.next()?.insertion.map(|(number, _)| number);
        insertion.filter(|_| found.next().is_none())
    }

    pub(super) fn wait_for_change(&self, most: Duration) {
        drop(self.changed.wait_timeout(self.lock(), most));
    }

    pub(super) fn wake(&self) {
        self.changed.notify_all();
    }

    /// A job on the thread of this reader. What it reads from the card is known before its result is.
    pub(super) fn ask_worker<T: Send + 'static, S: Send + 'static>(
        self: &Arc<Self>,
        reader: &str,
        worker: &Arc<Worker>,
        limit: Duration,
        on_step: &mut dyn FnMut(S),
        job: impl FnOnce(&mut Slot, &Steps<S>) -> Result<T, CardError> + Send + 'static,
    ) -> Result<T, CardError> {
        let insertion = self.lock().readers.get(reader).and_then(|reader| reader.insertion);
        let (readers, name) = (Arc::downgrade(self), reader.to_owned());
        let result = worker.ask(limit, on_step, move |slot, steps| {
            let result = job(slot, steps);
            if let (Some(public), Some((insertion, _)), Some(readers)) =
                (slot.take_news(), insertion, readers.upgrade())
            {
                readers.was_read(&name, insertion, CardSeen::of(&name, &public));
            }
            result
        });
        if result.as_ref().err() == Some(&CardError::TimedOut) {
            self.give_up(reader, worker);
        }
        result
    }

    /// A job on whatever card is in this reader, for one that has no number and so no turns.
    pub(super) fn ask_reader<T: Send + 'static>(
        self: &Arc<Self>,
        name: &str,
        limit: Duration,
        job: impl FnOnce(&mut Slot) -> Result<T, CardError> + Send + 'static,
    ) -> Result<T, CardError> {
        let worker = {
            let mut state = self.lock();
            if let Some(problem) = &state.service {
                return Err(problem.clone());
            }
            state.readers.get_mut(name).ok_or(CardError::NoCard)?.worker(name, self.timing)?
        };
        let no_steps = &mut |step: Infallible| match step {};
        self.ask_worker(name, &worker, limit, no_steps, move |slot, _| job(slot))
    }

    /// Reads a card again, unless somebody has a turn with it, who reads it anyway.
    ///
    /// # Errors
    /// [`CardError::InUse`] if another program has it.
    pub(super) fn look_again(self: &Arc<Self>, card: CardIdent) -> Result<(), CardError> {
        let (reader, worker) = self.worker_of(card)?;
        let no_steps = &mut |step: Infallible| match step {};
        self.ask_worker(&reader, &worker, self.timing.answer, no_steps, |slot, _| slot.look_again())
    }

    /// The reader that this card is in, and its thread.
    pub(super) fn worker_of(&self, card: CardIdent) -> Result<(String, Arc<Worker>), CardError> {
        let mut state = self.lock();
        if let Some(problem) = &state.service {
            return Err(problem.clone());
        }
        let mut found = state.readers.iter_mut().filter(|(_, reader)| reader.has(card));
        let (name, reader) = found.next().ok_or(CardError::NoCard)?;
        if found.next().is_some() {
            return Err(CardError::Twice(card));
        }
        Ok((name.clone(), reader.worker(name, self.timing)?))
    }

    fn give_up(&self, reader: &str, worker: &Arc<Worker>) {
        let mut state = self.lock();
        let Some(reader) = state.readers.get_mut(reader) else { return };
        // Somebody else may have given it up first.
        if reader.worker.as_ref().is_some_and(|current| Arc::ptr_eq(current, worker)) {
            reader.worker = None;
            reader.stuck.push(worker.give_up());
        }
    }

    /// The tries left, read or told by the card just now.
    pub(super) fn note_tries(&self, card: CardIdent, tries: u8) {
        self.note(card, |seen| seen.tries = Some(tries));
    }

    pub(super) fn note(&self, card: CardIdent, change: impl Fn(&mut CardSeen)) {
        let mut state = self.lock();
        for seen in state.readers.values_mut().filter_map(|reader| reader.seen.as_mut()) {
            if seen.ident == Some(card) {
                change(seen);
            }
        }
    }

    /// A stored PIN was refused: nobody is there to correct it, so it is not sent again.
    pub(super) fn refuse_stored_pin(&self, card: CardIdent) {
        for reader in self.lock().readers.values_mut().filter(|reader| reader.has(card)) {
            reader.refused = Some(card);
        }
    }

    pub(super) fn stored_pin_was_refused(&self, card: CardIdent) -> bool {
        self.lock().readers.values().any(|reader| reader.refused == Some(card))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    fn is_in(&self, insertion: u64) -> bool {
        self.insertion.is_some_and(|(current, _)| current == insertion)
    }

    /// Whether this card is in it, as far as is known.
    fn has(&self, card: CardIdent) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.ident == Some(card))
    }

    /// The reader's thread, a new one if need be. While an old one still hangs there is no point in another.
    fn worker(&mut self, name: &str, timing: Timing) -> Result<Arc<Worker>, CardError> {
        self.stuck.retain(|thread| thread.upgrade().is_some());
        if !self.stuck.is_empty() {
            return Err(CardError::NotAnswering);
        }
        if let Some(worker) = &self.worker {
            return Ok(Arc::clone(worker));
        }
        let worker = Arc::new(Worker::start(name, timing)?);
        self.worker = Some(Arc::clone(&worker));
        Ok(worker)
    }
}
