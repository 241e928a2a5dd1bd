//! What becomes of a session whose card is taken out: nothing, a locked screen, or its end, as `agent.toml` says.
//!
//! Only a session that the card itself opened, at the card's own seat, is acted upon: not one over the network, not
//! another person's, and not one that was opened by password and in which the card was used later.

mod debounce;
mod logind;
mod sessions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use countersign_protocol::ids::{CardIdent, CorrelationId};
use countersign_protocol::message::{HostEvent, HostEventKind};

use self::debounce::{Debounce, Sight, Verdict};
pub use self::sessions::{ByCard, CardSession, CardSessions};
use crate::agent::Agent;
use crate::card::{CardSeen, Cards};
use crate::config::OnRemoval;
use crate::seat::HostWorld;

/// How often it is looked while a card is away that must be back in time.
const CLOSE: Duration = Duration::from_millis(200);

/// The same otherwise; what happens to a card is told at once.
const LOOSE: Duration = Duration::from_secs(5);

/// A machine that slept this long may take its readers for new ones.
const SLEPT: Duration = Duration::from_secs(1);

/// Starts the thread, where there is anything to do. It ends with the agent.
///
/// # Errors
/// The kernel gives no thread.
pub fn start(agent: &Arc<Agent>) -> std::io::Result<()> {
    if !agent.config.card_removal.is_on() {
        return Ok(());
    }
    let agent = Arc::downgrade(agent);
    std::thread::Builder::new().name("card-removal".to_owned()).spawn(move || watch(&agent)).map(drop)
}

fn watch(agent: &Weak<Agent>) {
    let mut watches = BTreeMap::new();
    // What was kept on disk begins without knowing what is in the readers.
    let mut is_new = true;
    let mut asleep = asleep();
    while let Some(agent) = agent.upgrade() {
        let now_asleep = self::asleep();
        let woke = now_asleep.saturating_sub(asleep) >= SLEPT;
        asleep = now_asleep;
        // A bug in here must not end the watch.
        let round = std::panic::AssertUnwindSafe(|| look(&agent, &mut watches, is_new, woke));
        let is_close = std::panic::catch_unwind(round).unwrap_or(false);
        is_new = false;
        let cards = agent.cards.clone();
        drop(agent);
        cards.wait_for_change(if is_close { CLOSE } else { LOOSE });
    }
}

/// One look at every session. Whether the next shall be soon.
fn look(agent: &Agent, watches: &mut BTreeMap<CorrelationId, Watch>, is_new: bool, woke: bool) -> bool {
    let sessions = match agent.card_sessions.living() {
        Ok(sessions) => sessions,
        Err(error) => {
            agent.log.warn("card-sessions-not-kept", &[("why", &error.to_string())]);
            return false;
        }
    };
    watches.retain(|name, _| sessions.iter().any(|session| session.correlation == *name));
    let patience = agent.config.card_removal.patience();
    for session in &sessions {
        let now = Instant::now();
        let begin = || {
            let debounce = if is_new { Debounce::new(now) } else { Debounce::beside_its_card(now) };
            Watch { debounce, held_beside: BTreeSet::new() }
        };
        let watch = watches.entry(session.correlation.clone()).or_insert_with(begin);
        let sight = if woke { Sight::Blind } else { watch.sight(&agent.cards, session.card) };
        let (next, verdict) = watch.debounce.step(sight, now, patience);
        watch.debounce = next;
        if verdict == Verdict::Act {
            act(agent, session, &mut watch.debounce);
        }
    }
    watches.values().any(|watch| watch.debounce.is_counting())
}

/// What is known of one session's card.
struct Watch {
    debounce: Debounce,
    /// Readers with a card that another program had for itself while the session's card was in sight: another one.
    held_beside: BTreeSet<String>,
}

impl Watch {
    fn sight(&mut self, cards: &Cards, card: CardIdent) -> Sight {
        if cards.service_problem().is_some() {
            return Sight::Blind;
        }
        sight_in(&cards.list(), card, &mut self.held_beside)
    }
}

/// A card that GnuPG has for itself cannot be read, and may be the session's: it is in, and nothing is done.
fn sight_in(listed: &[CardSeen], card: CardIdent, held_beside: &mut BTreeSet<String>) -> Sight {
    let held: BTreeSet<String> =
        listed.iter().filter(|seen| seen.is_held()).map(|seen| seen.reader.clone()).collect();
    held_beside.retain(|reader| held.contains(reader));
    if listed.iter().any(|seen| seen.ident == Some(card)) {
        *held_beside = held;
        Sight::There
    } else if held.iter().any(|reader| !held_beside.contains(reader)) {
        Sight::Held
    } else if listed.iter().any(|seen| seen.ident.is_none()) {
        Sight::Unclear
    } else {
        Sight::Away
    }
}

fn act(agent: &Agent, session: &CardSession, watch: &mut Debounce) {
    let rules = &agent.config.card_removal;
    let what = rules.of(&session.service);
    let id = match logind::session_of(&HostWorld, &agent.config.seat.name, session) {
        Ok(id) => id,
        Err(spared) => {
            let _ = watch.acted(true, Instant::now());
            return log(agent, session, "card-removed-session-goes-on", &spared.to_string());
        }
    };
    let result = logind::carry_out(&rules.loginctl, what, &id);
    let is_last = watch.acted(result.is_ok(), Instant::now());
    let done = match (&result, what) {
        (Ok(()), OnRemoval::Nothing) => return,
        (Ok(()), OnRemoval::Lock) => format!("its session {id} was locked"),
        (Ok(()), OnRemoval::End) => format!("its session {id} was ended"),
        (Err(why), _) => {
            log(agent, session, "card-removed-in-vain", why);
            if !is_last {
                return;
            }
            format!("its session {id} could not be locked or ended; this host's log says why")
        }
    };
    let told = format!("The card of {} was taken out: {done}.", session.login);
    if result.is_ok() {
        log(agent, session, "card-removed", &told);
    }
    agent.report(&HostEvent {
        event: HostEventKind::CardRemoved,
        at: agent.wire.time.now(),
        correlation: session.correlation.clone(),
        login: Some(session.login.clone()),
        account: Some(session.account.clone()),
        service: Some(session.service.clone()),
        card: Some(session.card),
        told,
    });
}

fn log(agent: &Agent, session: &CardSession, event: &str, what: &str) {
    let fields = [
        ("correlation", session.correlation.as_str()),
        ("login", session.login.as_str()),
        ("service", session.service.as_str()),
        ("what", what),
    ];
    agent.log.warn(event, &fields);
}

/// How long this machine slept since it started.
fn asleep() -> Duration {
    use nix::time::{ClockId, clock_gettime};

    let read = |clock| clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
    read(ClockId::CLOCK_BOOTTIME).saturating_sub(read(ClockId::CLOCK_MONOTONIC))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::CardError;

    fn card() -> CardIdent {
        CardIdent::new(6, 0x1234)
    }

    fn seen(reader: &str, ident: Option<CardIdent>) -> CardSeen {
        CardSeen {
            reader: reader.to_owned(),
            ident,
            signing_key: None,
            decryption_key: None,
            authentication_key: None,
            has_keys: false,
            tries: None,
            touch: false,
            decryption_touch: false,
            problem: ident.is_none().then(|| CardError::InUse(Default::default())),
        }
    }

    #[test]
    fn a_card_that_gnupg_has_for_itself_is_not_taken_out_unless_it_was_beside_the_sessions_own() {
        let (own, held) = (seen("first", Some(card())), seen("second", None));
        let mut beside = BTreeSet::new();
        // The agent was started anew, and knows nothing but that a card is in.
        assert_eq!(sight_in(std::slice::from_ref(&held), card(), &mut beside), Sight::Held);
        assert_eq!(sight_in(&[], card(), &mut beside), Sight::Away);
        // Put back at once, and GnuPG was quicker.
        assert_eq!(sight_in(std::slice::from_ref(&own), card(), &mut beside), Sight::There);
        assert_eq!(sight_in(&[seen("first", None)], card(), &mut beside), Sight::Held);
        // It has another card all day, and the session's own is taken out.
        assert_eq!(sight_in(&[own, held.clone()], card(), &mut beside), Sight::There);
        assert_eq!(sight_in(std::slice::from_ref(&held), card(), &mut beside), Sight::Unclear);
        // That one was let go meanwhile: what is held there now may be any.
        assert_eq!(sight_in(&[], card(), &mut beside), Sight::Away);
        assert_eq!(sight_in(&[held], card(), &mut beside), Sight::Held);
    }
}
