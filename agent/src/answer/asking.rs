//! One question under way on a thread of its own, so that whoever waits may stop waiting and what comes too late is
//! still heard.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::wire::LinkError;

/// The thread seals, sends, and proves what comes back.
const STACK: usize = 1024 * 1024;

/// What is waited for.
pub(super) struct Asking<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    heard: Condvar,
}

enum State<T> {
    Waiting,
    Heard(Result<T, LinkError>),
    /// Nobody waits any more.
    GivenUp,
}

impl<T: Send + 'static> Asking<T> {
    /// Begins to `ask`, which may look whether anybody waits still. What comes of it goes to whoever waits, or `late`
    /// if nobody does any more.
    ///
    /// # Errors
    /// The kernel gives no thread: nothing was asked.
    pub(super) fn begin(
        ask: impl FnOnce(&dyn Fn() -> bool) -> Result<T, LinkError> + Send + 'static,
        late: impl FnOnce(Result<T, LinkError>) + Send + 'static,
    ) -> Result<Self, LinkError> {
        let shared = Arc::new(Shared { state: Mutex::new(State::Waiting), heard: Condvar::new() });
        let told = Arc::clone(&shared);
        let work = move || {
            // A bug in here must not leave somebody waiting.
            let is_wanted = || !matches!(*told.lock(), State::GivenUp);
            let result = std::panic::catch_unwind(AssertUnwindSafe(|| ask(&is_wanted)));
            let result = result.unwrap_or_else(|_| Err(LinkError::Internal("internal error".to_owned())));
            if let Some(unheard) = told.tell(result) {
                late(unheard);
            }
        };
        let thread = std::thread::Builder::new().name("answer".to_owned()).stack_size(STACK);
        thread.spawn(work).map_err(|error| LinkError::Internal(format!("no thread: {error}")))?;
        Ok(Self { shared })
    }

    /// Waits for the answer until `until`; comes back as it was if there is none by then.
    pub(super) fn wait(self, until: Instant) -> Result<Result<T, LinkError>, Self> {
        let left = until.saturating_duration_since(Instant::now());
        let is_waiting = |state: &mut State<T>| matches!(state, State::Waiting);
        let heard = self.shared.heard.wait_timeout_while(self.shared.lock(), left, is_waiting);
        let (mut state, _) = heard.unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Waiting) {
            State::Heard(result) => Ok(result),
            State::Waiting | State::GivenUp => {
                drop(state);
                Err(self)
            }
        }
    }

    /// Waits no longer: an answer that is there by now is the answer, one that comes later is late.
    pub(super) fn give_up(self) -> Option<Result<T, LinkError>> {
        match std::mem::replace(&mut *self.shared.lock(), State::GivenUp) {
            State::Heard(result) => Some(result),
            State::Waiting | State::GivenUp => None,
        }
    }
}

impl<T> Shared<T> {
    /// Hands it to whoever waits; back if nobody does.
    fn tell(&self, result: Result<T, LinkError>) -> Option<Result<T, LinkError>> {
        let mut state = self.lock();
        if matches!(*state, State::GivenUp) {
            return Some(result);
        }
        *state = State::Heard(result);
        drop(state);
        self.heard.notify_all();
        None
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // A state is replaced whole: a panic leaves none half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn nobody(_: Result<u8, LinkError>) {
        panic!("somebody waits");
    }

    #[test]
    fn an_answer_in_time_is_heard_and_a_panic_is_an_answer_too() {
        let asking = Asking::begin(|_| Ok(7), nobody).unwrap();
        assert_eq!(asking.wait(Instant::now() + SOON).ok(), Some(Ok(7)));
        let asking = Asking::begin(|_| panic!("a bug"), nobody).unwrap();
        assert!(matches!(asking.wait(Instant::now() + SOON), Ok(Err(LinkError::Internal(_)))));
    }

    #[test]
    fn an_answer_after_giving_up_is_late_and_one_just_before_is_not() {
        let (go, wait) = channel::<()>();
        let (begin, begun) = channel();
        let (late, heard) = channel();
        let ask = move |is_wanted: &dyn Fn() -> bool| {
            begin.send(is_wanted()).unwrap();
            wait.recv().ok();
            assert!(!is_wanted());
            Ok(7)
        };
        let asking = Asking::begin(ask, move |result| late.send(result).unwrap()).unwrap();
        assert!(begun.recv_timeout(SOON).unwrap());
        let asking = asking.wait(Instant::now()).err().unwrap();
        assert!(asking.give_up().is_none());
        go.send(()).unwrap();
        assert_eq!(heard.recv_timeout(SOON).unwrap(), Ok(7));

        let asking = Asking::begin(|_| Ok(8), nobody).unwrap();
        let end = Instant::now() + SOON;
        while matches!(*asking.shared.lock(), State::Waiting) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(asking.give_up(), Some(Ok(8)));
    }
}
