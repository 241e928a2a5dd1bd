//! One thread that always has a question open at the server: did anything change for this host? So a key that an
//! administrator revokes is gone from here a moment later, and a server that goes away is noticed before anybody
//! needs it.

mod bell;
mod pace;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use countersign_protocol::limits;
use countersign_protocol::message::{InstanceState, Watch, WatchReply};
use countersign_protocol::random::Random;

pub use self::bell::{Bell, Rung};
use self::pace::Pace;
use crate::agent::Agent;
use crate::asking::Asking;
use crate::check_in::Contact;
use crate::reach::Patience;
use crate::server_link::Link;
use crate::wire::LinkError;

/// How much longer than the server holds a watch its answer is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// Between two questions that were answered at once although nothing came of them.
const BREATHER: Duration = Duration::from_secs(1);

/// Pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause. A check-in that succeeds ends it at once.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

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
    /// The server is there and has no place for who waits: it says when to come back.
    Full(Duration),
}

fn watch(bell: &Bell, agent: &Weak<Agent>) {
    let (mut failures, mut pace) = (0, Pace::new(Instant::now()));
    loop {
        std::thread::sleep(pace.next(Instant::now()));
        let heard = bell.rung();
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
                let heard = bell.rung();
                bell.wait(heard, jittered(pause(failures), random.as_ref()));
                failures = failures.saturating_add(1);
            }
            // Check-ins bring what changes meanwhile, as often as they come.
            Asked::Full(after) => {
                let heard = bell.rung();
                bell.wait(heard, after + jittered(pause(failures), random.as_ref()));
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
fn ask(agent: &Arc<Agent>) -> Asked {
    // A host that was refused would be again: the next check-in that is answered rings the bell.
    let may_ask = |contact: &Contact| contact.state == InstanceState::Active && !contact.refused;
    let is_active = agent.contacts.get().is_some_and(|contact| may_ask(&contact));
    let link = agent.link().filter(|link| is_active && link.session().is_some());
    let (Some(link), Some(question)) = (link, agent.contacts.watched()) else { return Asked::Nothing };
    let begun = Instant::now();
    match answer(agent, link, &question) {
        // Another question is to be asked by now.
        None => Asked::Answered,
        Some(Ok(WatchReply { changed: true })) => {
            let fresh = agent.keeper.freshen(Instant::now() + limits::SERVER_ANSWER);
            let still = agent.contacts.watched().is_some_and(|now| now.revision == question.revision);
            match fresh {
                // It says that something changed, and nothing did.
                Ok(()) if still => std::thread::sleep(BREATHER),
                Ok(()) => {}
                Err(_) => return Asked::Failed,
            }
            Asked::Answered
        }
        Some(Ok(WatchReply { changed: false })) => {
            if begun.elapsed() < BREATHER {
                std::thread::sleep(BREATHER);
            }
            Asked::Answered
        }
        // It may know other session keys; the next check-in, which is soon, sees to that.
        Some(Err(LinkError::Refused { .. })) => {
            let _ = agent.keeper.freshen(Instant::now() + limits::SERVER_ANSWER);
            Asked::Failed
        }
        // Nothing is known to be wrong: other messages have places of their own.
        Some(Err(LinkError::Full(after))) => Asked::Full(after),
        // Whether it is gone, or only this connection, shall be known before somebody logs in.
        Some(Err(_)) => {
            agent.keeper.nudge();
            Asked::Failed
        }
    }
}

/// The answer; none if there is another question before it comes, or the connection may be dead. The server answers
/// whoever asks last, so that nothing is left waiting there.
fn answer(agent: &Arc<Agent>, link: Arc<Link>, question: &Watch) -> Option<Result<WatchReply, LinkError>> {
    let until = Instant::now() + limits::WATCH + GRACE;
    let (bell, asker, asked) = (&agent.bell, Arc::clone(agent), question.clone());
    let (begun, ringer) = (bell.rung(), Arc::clone(bell));
    let asking = Asking::begin(
        move |_| {
            let reply = link.ask_once(asker.means(Patience::until(until).once()), &asked, None);
            reply.and_then(|exchange| Ok(exchange.reply.body::<WatchReply>()?))
        },
        move || ringer.ring(),
    );
    let mut asking = match asking {
        Ok(asking) => asking,
        Err(error) => return Some(Err(error)),
    };
    loop {
        let heard = bell.rung();
        asking = match asking.wait(Instant::now()) {
            Ok(answer) => return Some(answer),
            Err(asking) => asking,
        };
        if heard.is_anew_since(begun) || agent.contacts.watched().as_ref() != Some(question) {
            return asking.give_up();
        }
        bell.wait(heard, LONGEST_PAUSE);
    }
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
}
