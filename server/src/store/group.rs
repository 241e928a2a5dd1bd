//! One commit for the messages that come together.
//!
//! A commit waits for the disk, and nobody else may write meanwhile. So whoever is done while others wait for their turn leaves
//! the commit to them: the next one works behind a savepoint of the same transaction, and the last one, or one of many, commits
//! for all. Each waits for that commit before it says that it is done. If it fails, all of them failed; one that gives up by
//! itself takes back what it wrote and nothing else.
//!
//! Turns are taken in the order in which they were asked for, so that nobody waits much longer than the others.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use countersign_server_core::store::StoreError;
use parking_lot::{FairMutex, FairMutexGuard};

use super::faults::CrashPoint;

/// Most messages of one commit: what a crash could take is small, and nobody waits for a crowd.
const MOST: usize = 64;

/// How long one commit is put off: another process may wait for its turn.
const LONGEST: Duration = Duration::from_millis(200);

/// A connection on which one message after the other writes.
pub(super) trait Line {
    /// What whoever has a turn is going to ask.
    type Questions: Clone + Send;

    /// Opens a transaction in which nothing is left of those before.
    ///
    /// # Errors
    /// The database's.
    fn begin(&mut self) -> Result<(), StoreError>;

    /// Whether the transaction is still there. A database may give it up by itself.
    fn is_open(&self) -> bool;

    /// What is written from here on can be taken back by itself.
    ///
    /// # Errors
    /// The database's.
    fn set_apart(&mut self) -> Result<(), StoreError>;

    /// Has the answers there to what whoever's turn it is asks, and asks meanwhile what `others` will, who wait for theirs. Each
    /// is told by a number.
    ///
    /// # Errors
    /// The database's.
    fn expect(
        &mut self,
        own: (u64, Self::Questions),
        others: Vec<(u64, Self::Questions)>,
    ) -> Result<(), StoreError>;

    /// What was written last belongs to the rest.
    ///
    /// # Errors
    /// The database's.
    fn join(&mut self) -> Result<(), StoreError>;

    /// What was written since [`Self::set_apart`] was not.
    ///
    /// # Errors
    /// The database's; then the transaction must be given up.
    fn take_back(&mut self) -> Result<(), StoreError>;

    /// Makes everything durable.
    ///
    /// # Errors
    /// The database's; then nothing of it happened.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Gives the transaction up, as far as it is there still.
    fn roll_back(&mut self);

    /// Those whose writes are durable have been told.
    fn after(&mut self) {}
}

/// The one line to a database that this process writes on.
pub(super) struct Writer<L: Line> {
    /// Who waits for it. Counted before they wait: whoever leaves a commit to others knows that there are some.
    waiting: AtomicUsize,
    /// What those who wait are going to ask, as far as nobody has asked it for them yet.
    questions: Mutex<Vec<(u64, L::Questions)>>,
    numbers: AtomicU64,
    turn: FairMutex<Open<L>>,
}

/// It, and who shares the transaction that is open on it.
pub(super) struct Open<L> {
    pub(super) line: L,
    group: Option<Arc<Group>>,
    members: usize,
    began: Instant,
    /// Why nobody could begin last time, and who was there by then.
    failed: Option<(u64, StoreError)>,
}

/// Those whose writes one commit makes durable.
#[derive(Default)]
pub(super) struct Group {
    outcome: Mutex<Option<Result<(), StoreError>>>,
    known: Condvar,
}

/// A turn to write.
pub(super) struct Member<'a, L: Line> {
    writer: &'a Writer<L>,
    open: FairMutexGuard<'a, Open<L>>,
    /// Of its group: what it takes back is everything.
    first: bool,
    /// It was kept or given up.
    over: bool,
}

impl<L: Line> Writer<L> {
    pub(super) fn new(line: L) -> Self {
        let open = Open { line, group: None, members: 0, began: Instant::now(), failed: None };
        Self {
            waiting: AtomicUsize::new(0),
            questions: Mutex::new(Vec::new()),
            numbers: AtomicU64::new(0),
            turn: FairMutex::new(open),
        }
    }

    /// Waits for a turn, for who is going to ask `questions`.
    pub(super) fn begin(
        &self,
        crash: &CrashPoint,
        questions: L::Questions,
    ) -> Result<Member<'_, L>, StoreError> {
        let own = (self.numbers.fetch_add(1, Ordering::Relaxed), questions);
        self.questions().push(own.clone());
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut open = self.turn.lock();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        let others = std::mem::take(&mut *self.questions());
        let first = open.group.is_none();
        if first {
            // Whoever waited while it failed would wait as long again, one after the other.
            if let Some((there, error)) = &open.failed
                && own.0 < *there
            {
                return Err(error.clone());
            }
            if let Err(error) = open.line.begin() {
                open.failed = Some((self.numbers.load(Ordering::Relaxed), error.clone()));
                return Err(error);
            }
            (open.group, open.members, open.began) = (Some(Arc::default()), 0, Instant::now());
        }
        let mut turn = Member { writer: self, open, first, over: false };
        if !first && let Err(error) = turn.open.line.set_apart() {
            turn.leave(crash);
            return Err(error);
        }
        match turn.open.line.expect(own, others) {
            Ok(()) => {
                turn.open.failed = None;
                Ok(turn)
            }
            Err(error) => {
                if first {
                    turn.open.failed = Some((self.numbers.load(Ordering::Relaxed), error.clone()));
                }
                turn.give_up(crash);
                Err(error)
            }
        }
    }

    fn questions(&self) -> MutexGuard<'_, Vec<(u64, L::Questions)>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn into_line(self) -> L {
        self.turn.into_inner().line
    }

    #[cfg(test)]
    pub(super) fn lock(&self) -> FairMutexGuard<'_, Open<L>> {
        self.turn.lock()
    }
}

impl<L: Line> Member<'_, L> {
    pub(super) fn line(&self) -> &L {
        &self.open.line
    }

    /// Keeps what was written, and waits until it is durable.
    pub(super) fn keep(mut self, crash: &CrashPoint) -> Result<(), StoreError> {
        if self.open.line.is_open()
            && let Err(error) = self.open.line.join()
        {
            self.give_up(crash);
            return Err(error);
        }
        let group = self.open.group.clone();
        self.leave(crash);
        group.map_or_else(|| Err(gone()), |group| group.outcome())
    }

    /// Takes back what was written, and nothing of those before it.
    pub(super) fn give_up(mut self, crash: &CrashPoint) {
        if self.first {
            self.end_all(gone());
        } else if self.open.line.is_open()
            && let Err(error) = self.open.line.take_back()
        {
            self.end_all(error);
        } else {
            self.leave(crash);
        }
    }

    /// Nobody in the group keeps anything.
    fn end_all(&mut self, why: StoreError) {
        self.over = true;
        self.open.line.roll_back();
        self.open.end(Err(why));
    }

    /// Commits, unless somebody waits who will. Who gave up counts too: those who kept something do not wait for many of them.
    fn leave(mut self, crash: &CrashPoint) {
        self.open.members += 1;
        self.over = true;
        let is_enough = self.open.members >= MOST || self.open.began.elapsed() >= LONGEST;
        if !self.open.line.is_open() {
            self.end_all(gone());
        } else if is_enough || self.writer.waiting.load(Ordering::SeqCst) == 0 {
            let committed = self.open.line.commit();
            let is_kept = committed.is_ok();
            if is_kept {
                crash.wrote();
            } else {
                self.open.line.roll_back();
            }
            self.open.end(committed);
            if is_kept {
                self.open.line.after();
            }
        }
    }
}

/// Somebody's code stopped in the middle.
impl<L: Line> Drop for Member<'_, L> {
    fn drop(&mut self) {
        if !self.over {
            self.end_all(gone());
        }
    }
}

impl<L> Open<L> {
    /// Tells everybody who waits what became of the group.
    fn end(&mut self, outcome: Result<(), StoreError>) {
        if let Some(group) = self.group.take() {
            *group.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            group.known.notify_all();
        }
    }
}

impl Group {
    fn outcome(&self) -> Result<(), StoreError> {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(outcome) = &*outcome {
                return outcome.clone();
            }
            outcome = self.known.wait(outcome).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

pub(super) fn gone() -> StoreError {
    StoreError::Unavailable("the transaction was given up".into())
}

#[cfg(test)]
mod tests;
