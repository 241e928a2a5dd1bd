//! Waiting for one's turn with a card: who waits is told who has it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use countersign_protocol::ids::CardIdent;

use super::super::error::CardError;
use super::{Asker, Waiting};
use crate::queue::{Queue, Ticket};

/// A program that goes away is noticed this late at most.
const LISTEN: Duration = Duration::from_millis(100);

/// Whoever waits no longer than this is not told.
const UNNOTICED: Duration = Duration::from_millis(250);

#[derive(Default)]
pub(super) struct AllTurns {
    queue: Mutex<Queue>,
    changed: Condvar,
}

/// A place in the queue, or at its head; given back when dropped, also by a panic.
pub(super) struct Place {
    turns: Arc<AllTurns>,
    ticket: Ticket,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.turns.lock().leave(self.ticket, Instant::now());
        self.turns.changed.notify_all();
    }
}

impl AllTurns {
    /// Waits for the head of the queue. Whoever waits is told who has the card.
    ///
    /// # Errors
    /// [`CardError::Occupied`], [`CardError::Cancelled`].
    pub(super) fn wait(
        self: &Arc<Self>,
        card: CardIdent,
        asker: &Asker,
        waiting: &mut dyn Waiting,
        name: &str,
    ) -> Result<Place, CardError> {
        let came = Instant::now();
        let ticket = self
            .lock()
            .join(card, &asker.party, &asker.what, came)
            .map_err(|crowded| CardError::Occupied { by: crowded.holder, crowded: true })?;
        let place = Place { turns: Arc::clone(self), ticket };
        let mut told = None;
        loop {
            let before = {
                let queue = self.lock();
                let (queue, _) = self
                    .changed
                    .wait_timeout_while(queue, LISTEN, |queue| !queue.has_turn(ticket))
                    .unwrap_or_else(PoisonError::into_inner);
                queue.before(ticket)
            };
            // Also when the turn has come: the card shall not blink for somebody who left.
            if waiting.is_cancelled() {
                return Err(CardError::Cancelled);
            }
            let Some((by, since, between)) = before else { return Ok(place) };
            if Instant::now() >= waiting.deadline() {
                return Err(CardError::Occupied { by, crowded: false });
            }
            let news = Some((by.clone(), between));
            if told != news && came.elapsed() >= UNNOTICED {
                waiting.note(&in_words(name, &by, since.elapsed(), between));
                told = news;
            }
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic elsewhere leaves no request half in it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_words(name: &str, by: &str, since: Duration, between: usize) -> String {
    let since = match since.as_secs() {
        0 => String::new(),
        seconds => format!(" since {seconds} s"),
    };
    let place = match between {
        0 => "yours is next".to_owned(),
        1 => "one request is before yours".to_owned(),
        more => format!("{more} requests are before yours"),
    };
    format!("{name} is in use by {by}{since}; {place}.")
}

#[cfg(test)]
mod tests;
