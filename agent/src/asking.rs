//! One question under way on a thread of its own, so that whoever waits may stop waiting.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::wire::LinkError;

/// The thread seals, sends, and proves what comes back.
const STACK: usize = 1024 * 1024;

/// What is waited for.
pub(crate) struct Asking<T> {
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
    /// Begins to `ask`, which may look whether anybody waits still. Calls `told` when the answer is there.
    ///
    /// # Errors
    /// The kernel gives no thread: nothing was asked.
    pub(crate) fn begin(
        ask: impl FnOnce(&dyn Fn() -> bool) -> Result<T, LinkError> + Send + 'static,
        told: impl FnOnce() + Send + 'static,
    ) -> Result<Self, LinkError> {
        let shared = Arc::new(Shared { state: Mutex::new(State::Waiting), heard: Condvar::new() });
        let teller = Arc::clone(&shared);
        let work = move || {
            let is_wanted = || !matches!(*teller.lock(), State::GivenUp);
            // A bug in here must not leave somebody waiting.
            let result = std::panic::catch_unwind(AssertUnwindSafe(|| ask(&is_wanted)));
            teller.tell(result.unwrap_or_else(|_| Err(LinkError::Internal("internal error".to_owned()))));
            told();
        };
        let thread = std::thread::Builder::new().name("answer".to_owned()).stack_size(STACK);
        thread.spawn(work).map_err(|error| LinkError::Internal(format!("no thread: {error}")))?;
        Ok(Self { shared })
    }

    /// Waits for the answer until `until`; comes back as it was if there is none by then.
    pub(crate) fn wait(self, until: Instant) -> Result<Result<T, LinkError>, Self> {
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

    /// Waits no longer: an answer that is there by now is the answer, one that comes later is nobody's.
    pub(crate) fn give_up(self) -> Option<Result<T, LinkError>> {
        match std::mem::replace(&mut *self.shared.lock(), State::GivenUp) {
            State::Heard(result) => Some(result),
            State::Waiting | State::GivenUp => None,
        }
    }
}

impl<T> Shared<T> {
    /// Hands it to whoever waits; nobody gets it if nobody does.
    fn tell(&self, result: Result<T, LinkError>) {
        let mut state = self.lock();
        if !matches!(*state, State::GivenUp) {
            *state = State::Heard(result);
        }
        drop(state);
        self.heard.notify_all();
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

    #[test]
    fn an_answer_in_time_is_heard_and_a_panic_is_an_answer_too() {
        let asking = Asking::begin(|_| Ok(7), || ()).unwrap();
        assert_eq!(asking.wait(Instant::now() + SOON).ok(), Some(Ok(7)));
        let asking = Asking::<u8>::begin(|_| panic!("a bug"), || ()).unwrap();
        assert!(matches!(asking.wait(Instant::now() + SOON), Ok(Err(LinkError::Internal(_)))));
    }

    #[test]
    fn an_answer_after_giving_up_is_nobodys_and_one_just_before_is_an_answer() {
        let (go, wait) = channel::<()>();
        let (begin, begun) = channel();
        let (tell, told) = channel();
        let ask = move |is_wanted: &dyn Fn() -> bool| {
            begin.send(is_wanted()).unwrap();
            wait.recv().ok();
            assert!(!is_wanted());
            Ok(7)
        };
        let asking = Asking::begin(ask, move || tell.send(()).unwrap()).unwrap();
        assert!(begun.recv_timeout(SOON).unwrap());
        let asking = asking.wait(Instant::now()).err().unwrap();
        let shared = Arc::clone(&asking.shared);
        assert!(asking.give_up().is_none());
        go.send(()).unwrap();
        told.recv_timeout(SOON).unwrap();
        assert!(matches!(*shared.lock(), State::GivenUp));

        let (tell, told) = channel();
        let asking = Asking::begin(|_| Ok(8), move || tell.send(()).unwrap()).unwrap();
        told.recv_timeout(SOON).unwrap();
        assert_eq!(asking.give_up(), Some(Ok(8)));
    }
}
