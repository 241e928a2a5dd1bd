//! What whoever delivers letters asks of the core.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::contact::Channel;
use countersign_protocol::ids::CorrelationId;
use countersign_protocol::ledger::{Entry, EntryKind, Outcome};
use countersign_protocol::limits;

use super::{Letter, Taken};
use crate::core::Core;
use crate::ledger::StorageFailure;
use crate::stop::Failure;
use crate::store::Transaction;

/// A letter to be handed over now, by this process alone.
pub struct Delivery {
    /// The letter.
    pub letter: Letter,
    taken: Taken,
}

/// Why a letter was not handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// Another time it may go.
    ForNow,
    /// It never will: there is no such receiver, or they take nothing from us.
    ForGood,
}

impl Delivery {
    /// The same each time this letter is handed over.
    #[must_use]
    pub fn id(&self) -> String {
        self.taken.queued.id.to_string()
    }
}

impl Core {
    /// The next letter that is due by this way, if there is one.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn next_letter(&self, channel: Channel) -> Result<Option<Delivery>, Failure> {
        loop {
            let now = self.now();
            if !self.store().view()?.has_post(channel, now)? {
                return Ok(None);
            }
            let tx = self.store().begin()?;
            let Some(taken) = tx.take_letter(channel, now, now.plus(limits::OUTBOX_LEASE))? else {
                return Ok(None);
            };
            if taken.queued.expires.seconds_since(now) <= 0 {
                self.give_up(tx, &taken, now, "it was not delivered in time")?;
                continue;
            }
            let letter = Letter::open(self.store_key(), taken.queued.id, &taken.queued.sealed);
            let letter = match letter {
                Ok(letter) => letter,
                // Kept, it would be in the way for ever.
                Err(_) => {
                    self.give_up(tx, &taken, now, "it was not sealed by this server's store key")?;
                    continue;
                }
            };
            tx.commit()?;
            return Ok(Some(Delivery { letter, taken }));
        }
    }

    /// It was handed over: nothing of it is kept.
    ///
    /// # Errors
    /// [`Failure`]; then it is handed over once more.
    pub fn delivered(&self, delivery: &Delivery) -> Result<(), Failure> {
        let tx = self.store().begin()?;
        tx.drop_letter(&delivery.taken.queued.id, delivery.taken.attempt)?;
        Ok(tx.commit()?)
    }

    /// It was not handed over: it is tried again later, or given up, which is in the ledger. Whether it was given up.
    ///
    /// # Errors
    /// [`Failure`]; then it is tried once more.
    pub fn not_delivered(&self, delivery: &Delivery, why: Failed) -> Result<bool, Failure> {
        let now = self.now();
        let tx = self.store().begin()?;
        let Taken { queued, attempt } = &delivery.taken;
        if why == Failed::ForGood {
            self.give_up(tx, &delivery.taken, now, "its receiver does not take it")?;
            return Ok(true);
        }
        let due = now.plus(pause(*attempt));
        let due = if due.seconds_since(queued.expires) > 0 { queued.expires } else { due };
        tx.postpone_letter(&queued.id, *attempt, due)?;
        tx.commit()?;
        Ok(false)
    }

    /// The ledger names the account and the purpose, never the address: that could not be erased there.
    fn give_up(
        &self,
        mut tx: Box<dyn Transaction + '_>,
        taken: &Taken,
        now: Timestamp,
        why: &str,
    ) -> Result<(), Failure> {
        let Taken { queued, attempt } = taken;
        if !tx.drop_letter(&queued.id, *attempt)? {
            return Ok(());
        }
        if queued.silent {
            return Ok(tx.commit()?);
        }
        let reason = format!("a message was given up: {why}");
        let correlation = CorrelationId::new(self.random())?;
        let mut entry = Entry::new(EntryKind::Undelivered, now, correlation, Outcome::Noted, reason);
        entry.account.clone_from(&queued.account);
        entry.detail.insert("channel".into(), queued.channel.as_str().into());
        entry.detail.insert("purpose".into(), queued.purpose.as_str().into());
        entry.detail.insert("attempts".into(), attempt.to_string());
        let ledger = self.ledger();
        let _beside = ledger.append(&mut *tx, &entry, None)?;
        let sealed = ledger.seal(&mut *tx)?;
        let _proof = sealed.commit(|| tx.commit().map_err(|error| StorageFailure(error.into())))?;
        Ok(())
    }
}

fn pause(attempt: u32) -> i64 {
    let doubled = 10_i64.checked_shl(attempt.saturating_sub(1)).unwrap_or(limits::OUTBOX_PAUSE);
    doubled.clamp(10, limits::OUTBOX_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour_and_no_further() {
        assert_eq!([1, 2, 3, 9, 10, 100].map(pause), [10, 20, 40, 2560, 3600, 3600]);
    }
}
