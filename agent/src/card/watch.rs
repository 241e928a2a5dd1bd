//! Watches pcscd: readers that come and go, cards that are put in and pulled. Survives pcscd itself.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use pcsc::{Context, PNP_NOTIFICATION, ReaderState, Scope, State};

use super::error::CardError;
use super::readers::Readers;
use crate::holder::Holder;

/// First and longest pause before pcscd is asked again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// pcscd wakes nobody when a program lets go of a card it had for itself: looked at this often.
const HELD: Duration = Duration::from_secs(1);

/// A reader that comes between the list and the wait is not told of: older clients of pcscd count the readers anew when
/// a wait begins. Nobody shall look at a card for longer than this that is not seen; more often costs wakeups.
const UNTOLD: Duration = Duration::from_secs(5);

/// Readers that pcscd has at most, and that it may be asked about at once (`PCSCLITE_MAX_READERS_CONTEXTS`).
const MOST: usize = 16;

/// Watches until nobody holds the readers any more.
pub(super) fn start(readers: &Arc<Readers>) -> std::io::Result<()> {
    let readers = Arc::downgrade(readers);
    thread::Builder::new().name("card-watch".to_owned()).spawn(move || watch(&readers)).map(drop)
}

fn watch(readers: &Weak<Readers>) {
    let (first, longest) = PAUSES;
    let mut pause = first;
    while readers.strong_count() > 0 {
        let result = Context::establish(Scope::System).map_err(CardError::from).and_then(|context| {
            if let Some(readers) = readers.upgrade() {
                readers.service_is_there();
            }
            pause = first;
            follow(&context, readers)
        });
        let Some(readers) = readers.upgrade() else { return };
        if let Err(problem) = result {
            // A context that outlived its pcscd answers NoService for ever: only a new one helps.
            readers.service_is_gone(problem);
        }
        drop(readers);
        thread::sleep(pause);
        pause = (pause * 2).min(longest);
    }
}

/// What was last done about a reader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Handled {
    /// Empty.
    Empty,
    /// Read in this insertion (pcscd's count of them).
    Read(u32),
    /// Not read, because another program had it.
    Taken(u32),
    /// Not read, because the card is mute.
    Mute(u32),
}

impl Handled {
    const fn insertion(self) -> Option<u32> {
        match self {
            Self::Empty => None,
            Self::Read(count) | Self::Taken(count) | Self::Mute(count) => Some(count),
        }
    }
}

fn follow(context: &Context, readers: &Weak<Readers>) -> Result<(), CardError> {
    let mut states: Vec<ReaderState> = Vec::new();
    let mut handled: BTreeMap<CString, Handled> = BTreeMap::new();
    loop {
        let names = match context.list_readers_owned() {
            Err(pcsc::Error::NoReadersAvailable) => Vec::new(),
            other => other?,
        };
        // Where there are as many readers as can be, there is no place for the one that stands for new ones; nor can
        // there be new ones before another goes.
        let is_full = names.len() >= MOST;
        let newcomers = (!is_full).then(|| PNP_NOTIFICATION().to_owned());
        let wanted: Vec<&CString> = newcomers.iter().chain(&names).collect();
        states.retain(|state| wanted.iter().any(|name| name.as_c_str() == state.name()));
        for name in wanted {
            if !states.iter().any(|state| state.name() == name.as_c_str()) {
                states.push(ReaderState::new(name.clone(), State::UNAWARE));
            }
        }
        {
            let Some(readers) = readers.upgrade() else { return Ok(()) };
            handled.retain(|name, _| names.contains(name));
            // Also those that were there before a pcscd that was started anew.
            readers.are(&names.iter().map(|name| name.to_string_lossy().into_owned()).collect());
            if names.is_empty() {
                readers.were_looked_at();
            }
        }
        let Some(unread) = readers.upgrade().map(|readers| readers.is_any_unread()) else { return Ok(()) };
        match context.get_status_change(if unread || is_full { HELD } else { UNTOLD }, &mut states) {
            Err(pcsc::Error::Timeout) => {}
            // It left after the list was made: there is another one.
            Err(pcsc::Error::UnknownReader) => {
                thread::sleep(PAUSES.0);
                continue;
            }
            other => other?,
        }
        let Some(readers) = readers.upgrade() else { return Ok(()) };
        for state in &mut states {
            if state.name() != PNP_NOTIFICATION() {
                let before = handled.get(state.name()).copied().unwrap_or(Handled::Empty);
                let after = attend(&readers, state, before);
                handled.insert(state.name().to_owned(), after);
            }
            state.sync_current_state();
        }
        readers.were_looked_at();
    }
}

fn attend(readers: &Arc<Readers>, state: &ReaderState, before: Handled) -> Handled {
    let name = state.name().to_string_lossy();
    let (now, count) = (state.event_state(), state.event_count());
    if !now.contains(State::PRESENT) {
        readers.is_empty(&name);
        return Handled::Empty;
    }
    let released = || readers.is_held(&name) && !now.contains(State::EXCLUSIVE);
    // Put in anew, faster than anybody saw it pulled.
    if before.insertion().is_some_and(|before| before != count) {
        readers.is_empty(&name);
    }
    let is_mute = now.contains(State::MUTE);
    if before == Handled::Mute(count) && is_mute || before == Handled::Read(count) && !released() {
        return before;
    }
    if is_mute {
        readers.is_unusable(&name, CardError::Mute);
        return Handled::Mute(count);
    }
    let taken = before == Handled::Taken(count);
    // Somebody asked for it to be let go, and read it then.
    if taken && readers.is_read(&name) {
        return Handled::Read(count);
    }
    if now.contains(State::EXCLUSIVE) {
        if !taken {
            readers.is_unusable(&name, CardError::InUse(Holder::default()));
        }
        return Handled::Taken(count);
    }
    if taken {
        readers.is_released(&name);
    } else {
        readers.is_in(&name);
    }
    Handled::Read(count)
}
