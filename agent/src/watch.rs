//! One thread that always has a question open at the server: did anything change for this host? So a key that an
//! administrator revokes is gone from here a moment later, and a server that goes away is noticed before anybody
//! needs it.

use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use countersign_protocol::limits;
use countersign_protocol::message::{InstanceState, WatchReply};
use countersign_protocol::random::Random;

use crate::agent::Agent;
use crate::reach::Patience;
use crate::wire::LinkError;

/// How much longer than the server holds a watch its answer is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// Between two questions that were answered at once although nothing came of them.
const BREATHER: Duration = Duration::from_secs(1);

/// Pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause. A check-in that succeeds ends it at once.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Rung by the keeper when the server was there: whoever waits for that goes on.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<u64>,
    sound: Condvar,
}

impl Bell {
    /// Wakes the watch.
    pub fn ring(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        *rung = rung.wrapping_add(1);
        drop(rung);
        self.sound.notify_all();
    }

    /// How often it rang so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it rings for more than the `heard`-th time, `time` at most.
    pub fn wait(&self, heard: u64, time: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = self.sound.wait_timeout_while(rung, time, |rung| *rung == heard);
        drop(silent.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Starts the thread. It ends with the agent.
///
/// # Errors
/// The kernel gives no thread.
pub fn start(agent: &Arc<Agent>) -> std::io::Result<()> {
    let (bell, agent) = (Arc::clone(&agent.bell), Arc::downgrade(agent));
    std::thread::Builder::new().name("watch".to_owned()).spawn(move || watch(&bell, &agent)).map(drop)
}

/// What came of one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Ask again.
    Answered,
    /// There is nothing to ask before the next check-in.
    Nothing,
    /// Nobody said anything, or no.
    Failed,
}

fn watch(bell: &Bell, agent: &Weak<Agent>) {
    let mut failures = 0;
    loop {
        let heard = bell.count();
        let Some(agent) = agent.upgrade() else { return };
        // A bug in here must not end the only watch.
        let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ask(&agent)));
        let random = Arc::clone(&agent.random);
        drop(agent);
        match asked.unwrap_or(Asked::Failed) {
            Asked::Answered => failures = 0,
            Asked::Nothing => {
                failures = 0;
                bell.wait(heard, LONGEST_PAUSE);
            }
            Asked::Failed => {
                // What rang while it was asked changed nothing.
                let heard = bell.count();
                bell.wait(heard, jittered(pause(failures), random.as_ref()));
                failures = failures.saturating_add(1);
            }
        }
    }
}

fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_PAUSE)
}

/// Between half and all of it: the hosts of one server shall not all come back at the same moment.
pub(crate) fn jittered(time: Duration, random: &dyn Random) -> Duration {
    let mut byte = [0xFF];
    // Without chance it is the whole time.
    let _ = random.fill(&mut byte);
    let [byte] = byte;
    time / 2 + (time / 2) * u32::from(byte) / 255
}

/// One question, to its answer, and what it calls for.
fn ask(agent: &Agent) -> Asked {
    let is_active = agent.contacts.get().is_some_and(|contact| contact.state == InstanceState::Active);
    let link = agent.link().filter(|link| is_active && link.session().is_some());
    let (Some(link), Some(question)) = (link, agent.contacts.watched()) else { return Asked::Nothing };
    let begun = Instant::now();
    let patience = Patience::until(begun + limits::WATCH + GRACE).once();
    let reply = link.ask_once(agent.means(patience), &question, None);
    match reply.and_then(|exchange| Ok(exchange.reply.body::<WatchReply>()?)) {
        Ok(WatchReply { changed: true }) => {
            let fresh = agent.keeper.freshen(Instant::now() + limits::SERVER_ANSWER);
            let still = agent.contacts.watched().is_some_and(|now| now.revision == question.revision);
            match fresh {
                // It says that something changed, and nothing did.
                Ok(()) if still => breathe(),
                Ok(()) => {}
                Err(_) => return Asked::Failed,
            }
            Asked::Answered
        }
        Ok(WatchReply { changed: false }) => {
            if begun.elapsed() < BREATHER {
                breathe();
            }
            Asked::Answered
        }
        // It may know other session keys; the next check-in, which is soon, sees to that.
        Err(LinkError::Refused { .. }) => {
            let _ = agent.keeper.freshen(Instant::now() + limits::SERVER_ANSWER);
            Asked::Failed
        }
        // Whether it is gone, or only this connection, shall be known before somebody logs in.
        Err(_) => {
            agent.keeper.nudge();
            Asked::Failed
        }
    }
}

fn breathe() {
    std::thread::sleep(BREATHER);
}

#[cfg(test)]
mod tests {
    use countersign_protocol::random::SystemRandom;

    use super::*;

    #[test]
    fn pauses_grow_and_have_an_end() {
        let seconds: Vec<u64> = (0..9).map(|failures| pause(failures).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
        for _ in 0..100 {
            let pause = jittered(LONGEST_PAUSE, &SystemRandom);
            assert!((LONGEST_PAUSE / 2..=LONGEST_PAUSE).contains(&pause), "{pause:?}");
        }
    }

    #[test]
    fn a_bell_that_rang_meanwhile_is_not_waited_for() {
        let bell = Arc::new(Bell::default());
        let heard = bell.count();
        bell.ring();
        let begun = Instant::now();
        bell.wait(heard, Duration::from_secs(60));
        let ringer = Arc::clone(&bell);
        let heard = bell.count();
        let thread = std::thread::spawn(move || ringer.ring());
        bell.wait(heard, Duration::from_secs(60));
        thread.join().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(30));
        bell.wait(bell.count(), Duration::from_millis(10));
    }
}
