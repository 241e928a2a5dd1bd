//! One thread per reader. A card that never answers blocks its thread for ever; then the thread is given up
//! and the reader gets another.

use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::Timing;
use super::error::CardError;
use super::slot::Slot;

/// How to talk to a reader's thread.
///
/// A thread that was given up leaks, with its connection, until its card answers or leaves the reader; it
/// sends nothing more, and its card is reset when it ends.
pub(super) struct Worker {
    jobs: Sender<Job>,
    given_up: Arc<AtomicBool>,
    busy_since: Arc<Mutex<Option<Instant>>>,
    alive: Weak<()>,
}

type Job = Box<dyn FnOnce(&mut Slot) + Send>;

/// Where a long job says that it goes on.
pub(super) struct Steps<S>(Box<dyn Fn(S) + Send>);

impl<S> Steps<S> {
    /// The next step begins; its time starts now.
    pub(super) fn begin(&self, step: S) {
        (self.0)(step);
    }
}

enum Word<T, S> {
    Started,
    Step(S),
    Done(Result<T, CardError>),
}

impl Worker {
    /// Starts the thread.
    pub(super) fn start(reader: &str, timing: Timing) -> Result<Self, CardError> {
        let name = CString::new(reader).map_err(|_| CardError::Reader("its name holds a NUL".to_owned()))?;
        let (jobs, inbox) = mpsc::channel::<Job>();
        let given_up = Arc::new(AtomicBool::new(false));
        let token = Arc::new(());
        let alive = Arc::downgrade(&token);
        let busy_since: Arc<Mutex<Option<Instant>>> = Arc::default();
        let mut slot = Slot::new(name, Arc::clone(&given_up), timing);
        let (unwanted, busy) = (Arc::clone(&given_up), Arc::clone(&busy_since));
        thread::Builder::new()
            .name("card".to_owned())
            .spawn(move || {
                let _token = token;
                while !unwanted.load(Ordering::SeqCst) {
                    match inbox.recv_timeout(slot.pause()) {
                        Ok(job) => job(&mut slot),
                        Err(RecvTimeoutError::Timeout) => timed(&busy, || slot.pulse()),
                        Err(RecvTimeoutError::Disconnected) => break,
                    }
                }
            })
            .map_err(|error| CardError::Reader(format!("no thread for it: {error}")))?;
        Ok(Self { jobs, given_up, busy_since, alive })
    }

    /// Does a job without waiting for it.
    pub(super) fn post(&self, job: impl FnOnce(&mut Slot) + Send + 'static) {
        let busy_since = Arc::clone(&self.busy_since);
        // A send that fails means the thread is gone; the next `ask` says so.
        let _ = self.jobs.send(Box::new(move |slot| {
            timed(&busy_since, || shielded(slot, job));
        }));
    }

    /// Does a job and waits for it.
    ///
    /// # Errors
    /// [`CardError::TimedOut`] if a step of it takes longer than `limit`: give this worker up.
    /// [`CardError::Busy`] if it did not come to its turn; it will not be done later.
    pub(super) fn ask<T: Send + 'static, S: Send + 'static>(
        &self,
        limit: Duration,
        on_step: &mut dyn FnMut(S),
        job: impl FnOnce(&mut Slot, &Steps<S>) -> Result<T, CardError> + Send + 'static,
    ) -> Result<T, CardError> {
        let (words, heard) = mpsc::channel();
        let job = Arc::new(Mutex::new(Some(job)));
        let waiting = Arc::clone(&job);
        let busy_since = Arc::clone(&self.busy_since);
        self.post(move |slot| {
            let Some(job) = lock(&waiting).take() else { return };
            if words.send(Word::Started).is_err() {
                return;
            }
            let tell = words.clone();
            let steps = Steps(Box::new(move |step| {
                *lock(&busy_since) = Some(Instant::now());
                let _ = tell.send(Word::Step(step));
            }));
            let result = job(slot, &steps);
            let _ = words.send(Word::Done(result));
        });
        let mut started = false;
        loop {
            match heard.recv_timeout(limit) {
                Ok(Word::Started) => started = true,
                Ok(Word::Step(step)) => on_step(step),
                Ok(Word::Done(result)) => return result,
                // The job panicked, or the thread did.
                Err(RecvTimeoutError::Disconnected) => return Err(CardError::Gone),
                Err(RecvTimeoutError::Timeout) => {
                    // Behind a card that never answers it would wait for ever, with the PIN in it.
                    if lock(&job).take().is_none() && !started {
                        // Taken at this very moment: its time begins now.
                        started = true;
                        continue;
                    }
                    let stuck = started || self.busy_for().is_some_and(|time| time >= limit);
                    return Err(if stuck { CardError::TimedOut } else { CardError::Busy });
                }
            }
        }
    }

    fn busy_for(&self) -> Option<Duration> {
        lock(&self.busy_since).map(|since| since.elapsed())
    }

    /// Gives the thread up. What is left says whether it still hangs.
    pub(super) fn give_up(&self) -> Weak<()> {
        self.given_up.store(true, Ordering::SeqCst);
        Weak::clone(&self.alive)
    }
}

/// Whatever talks to the card may never come back, and is then seen to have begun.
fn timed(busy_since: &Mutex<Option<Instant>>, work: impl FnOnce()) {
    *lock(busy_since) = Some(Instant::now());
    work();
    *lock(busy_since) = None;
}

/// A panic ends the job, not the thread; what was open is closed by a reset.
fn shielded(slot: &mut Slot, job: impl FnOnce(&mut Slot)) {
    if catch_unwind(AssertUnwindSafe(|| job(&mut *slot))).is_err() {
        slot.forget();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);

    fn worker() -> Worker {
        Worker::start("a reader", Timing::default()).unwrap()
    }

    fn ask<T: Send + 'static>(
        worker: &Worker,
        job: impl FnOnce() -> Result<T, CardError> + Send + 'static,
    ) -> Result<T, CardError> {
        worker.ask(LIMIT, &mut |()| {}, move |_, _| job())
    }

    #[test]
    fn a_panic_is_a_card_that_went_away_and_the_worker_lives() {
        let worker = worker();
        // Telling where it came from takes a panic its time on a busy machine.
        let ample = Duration::from_secs(60);
        let panics = worker
            .ask(ample, &mut |()| {}, |_, _| -> Result<(), CardError> { panic!("as openpgp-card does") });
        assert_eq!(panics, Err(CardError::Gone));
        assert_eq!(ask(&worker, || Ok(7)), Ok(7));
    }

    #[test]
    fn a_job_that_never_ends_is_given_up_and_those_behind_it_are_never_done() {
        let worker = worker();
        let (release, hold) = mpsc::channel::<()>();
        assert_eq!(
            ask(&worker, move || {
                let _ = hold.recv();
                Ok(())
            }),
            Err(CardError::TimedOut)
        );
        let (done, was_done) = mpsc::channel();
        assert_eq!(
            ask(&worker, move || {
                done.send(()).unwrap();
                Ok(())
            }),
            Err(CardError::TimedOut)
        );
        let stuck = worker.give_up();
        assert!(stuck.upgrade().is_some());
        drop(release);
        assert!(was_done.recv_timeout(LIMIT).is_err());
        while stuck.upgrade().is_some() {
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn what_a_job_that_is_never_done_holds_is_gone_when_nobody_waits() {
        let worker = worker();
        let (_release, hold) = mpsc::channel::<()>();
        let stuck = ask(&worker, move || {
            let _ = hold.recv();
            Ok(())
        });
        assert_eq!(stuck, Err(CardError::TimedOut));
        let pin = Arc::new(());
        let held = Arc::downgrade(&pin);
        assert_eq!(
            ask(&worker, move || {
                drop(pin);
                Ok(())
            }),
            Err(CardError::TimedOut)
        );
        assert!(held.upgrade().is_none());
    }

    #[test]
    fn a_long_job_lives_as_long_as_it_takes_steps() {
        let mut seen = Vec::new();
        let result = worker().ask(LIMIT, &mut |step| seen.push(step), |_, steps| {
            for step in 0..4 {
                steps.begin(step);
                thread::sleep(LIMIT / 2);
            }
            Ok(())
        });
        assert_eq!(result, Ok(()));
        assert_eq!(seen, [0, 1, 2, 3]);
    }
}
