//! What the watch tells: readers and cards that come and go, and each card's first reading.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_protocol::ids::CardIdent;

use super::super::error::CardError;
use super::super::seen::CardSeen;
use super::super::slot::Slot;
use super::{Reader, Readers};

impl Readers {
    /// pcscd cannot be asked: no reader is known any more.
    pub(in crate::card) fn service_is_gone(&self, problem: CardError) {
        let mut state = self.lock();
        for reader in state.readers.values_mut() {
            (reader.insertion, reader.seen) = (None, None);
        }
        if state.service.replace(problem).is_none() {
            state.service_turned = Some(Instant::now());
        }
        state.looked_at = true;
        self.changed.notify_all();
    }

    /// Whatever is in a reader is known now, or being read.
    pub(in crate::card) fn were_looked_at(&self) {
        self.lock().looked_at = true;
        self.changed.notify_all();
    }

    pub(in crate::card) fn service_is_there(&self) {
        let mut state = self.lock();
        if state.service.take().is_some() {
            state.service_turned = Some(Instant::now());
        }
        self.changed.notify_all();
    }

    /// Nothing is in this reader, or the reader itself left.
    pub(in crate::card) fn is_empty(&self, name: &str) {
        if let Some(reader) = self.lock().readers.get_mut(name)
            && reader.is_emptied()
        {
            self.changed.notify_all();
        }
    }

    /// These are all readers that there are.
    pub(in crate::card) fn are(&self, names: &BTreeSet<String>) {
        for (_, reader) in self.lock().readers.iter_mut().filter(|(name, _)| !names.contains(*name)) {
            if reader.is_emptied() {
                self.changed.notify_all();
            }
        }
    }

    /// Whether another program has any card for itself, or may turn out to: its first reading goes on.
    pub(in crate::card) fn is_any_unread(&self) -> bool {
        let unread = |reader: &Reader| reader.insertion.is_some() && reader.seen.is_none();
        self.lock().readers.values().any(|reader| unread(reader) || reader.is_held())
    }

    /// What is in the reader cannot be talked to.
    pub(in crate::card) fn is_unusable(&self, name: &str, problem: CardError) {
        let mut state = self.lock();
        state.insertions += 1;
        let insertion = state.insertions;
        let reader = state.readers.entry(name.to_owned()).or_default();
        reader.insertion = Some((insertion, Instant::now()));
        reader.seen = Some(CardSeen::unread(name, Some(problem)));
        self.changed.notify_all();
    }

    /// A card was put in: has it read. Until then nothing is known of it.
    pub(in crate::card) fn is_in(self: &Arc<Self>, name: &str) {
        if let Some(reader) = self.lock().readers.get_mut(name) {
            reader.seen = None;
        }
        self.read(name);
    }

    pub(super) fn read(self: &Arc<Self>, name: &str) {
        let mut state = self.lock();
        state.insertions += 1;
        let insertion = state.insertions;
        let reader = state.readers.entry(name.to_owned()).or_default();
        reader.insertion = Some((insertion, Instant::now()));
        match reader.worker(name, self.timing) {
            Err(problem) => reader.seen = Some(CardSeen::unread(name, Some(problem))),
            Ok(worker) => {
                let (readers, name) = (Arc::downgrade(self), name.to_owned());
                worker.post(move |slot| {
                    let still_in =
                        || readers.upgrade().is_some_and(|readers| readers.still_in(&name, insertion));
                    let seen = look(slot, &name, &still_in);
                    if let Some(readers) = readers.upgrade() {
                        readers.was_read(&name, insertion, seen);
                    }
                });
            }
        }
        self.changed.notify_all();
    }

    fn still_in(&self, name: &str, insertion: u64) -> bool {
        self.lock().readers.get(name).is_some_and(|reader| reader.is_in(insertion))
    }

    pub(super) fn was_read(&self, name: &str, insertion: u64, seen: CardSeen) {
        let mut state = self.lock();
        if let Some(reader) = state.readers.get_mut(name)
            // The card may have left while it was read.
            && reader.is_in(insertion)
        {
            reader.seen = Some(seen);
            self.changed.notify_all();
        }
    }

    /// Reads a card again after its keys or PINs were changed.
    pub(in crate::card) fn read_again(self: &Arc<Self>, card: CardIdent) {
        let name =
            self.lock().readers.iter().find(|(_, reader)| reader.has(card)).map(|(name, _)| name.clone());
        if let Some(name) = name {
            self.read(&name);
        }
    }
}

/// Reads a card; again if it failed while it stays in: contacts bounce when a card is pushed in, and nothing is
/// spent by reading.
fn look(slot: &mut Slot, name: &str, still_in: &dyn Fn() -> bool) -> CardSeen {
    const PAUSES: [Duration; 3] =
        [Duration::from_millis(100), Duration::from_millis(300), Duration::from_millis(600)];
    let mut pauses = PAUSES.into_iter();
    loop {
        let (seen, problem) = match slot.look() {
            Ok(public) => match (CardSeen::of(name, &public), &public.kdf) {
                (seen, Ok(_)) => return seen,
                (seen, Err(problem)) => (seen, problem.clone()),
            },
            Err(problem) => (CardSeen::unread(name, Some(problem.clone())), problem),
        };
        let passing = matches!(
            problem,
            CardError::Gone
                | CardError::Reader(_)
                | CardError::Mute
                | CardError::Failed { .. }
                | CardError::Malformed { .. }
        );
        match pauses.next().filter(|_| passing) {
            Some(pause) => std::thread::sleep(pause),
            None => return seen,
        }
        if !still_in() {
            return seen;
        }
    }
}

impl Reader {
    /// Nothing is in it any more. Whether something was.
    fn is_emptied(&mut self) -> bool {
        (self.seen, self.refused) = (None, None);
        self.insertion.take().is_some()
    }
}
