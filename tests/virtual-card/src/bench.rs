//! What the test does to the card, and what the card did: shared by the reader's side and the control
//! socket.

mod touch;

use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::apdu;
use crate::faults::{Schedule, Verdict};

pub(crate) use touch::{TouchMode, Touched};

/// The card on the laboratory bench.
pub(crate) struct Bench {
    state: Mutex<State>,
    changed: Condvar,
}

/// Everything behind the lock.
pub(crate) struct State {
    /// In the reader, or lying beside it.
    pub(crate) inserted: bool,
    /// The connection to vpcd, if there is one.
    line: Option<TcpStream>,
    /// The driver gave the card power.
    pub(crate) powered: bool,
    /// A command waits for `resume`.
    pub(crate) hanging: bool,
    pub(crate) quitting: bool,
    pub(crate) touch: TouchMode,
    /// The firmware waits for a touch.
    pub(crate) blinking: bool,
    pub(crate) faults: Schedule,
    /// Names of the commands since the last reset of the count.
    pub(crate) journal: Vec<String>,
    /// PINs that the firmware itself refused since then: tries spent.
    pub(crate) refused_pins: usize,
    /// How long the card worked on them, touches and faults included.
    pub(crate) worked: Duration,
}

impl State {
    pub(crate) fn connected(&self) -> bool {
        self.line.is_some()
    }

    /// Closes the line, which wakes the reader's side out of its read.
    fn hang_up(&mut self) {
        if let Some(line) = self.line.take() {
            // An error means the other side was faster.
            let _ = line.shutdown(Shutdown::Both);
        }
        self.powered = false;
    }
}

/// Whether the card is still in a powered reader, after a wait.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Here,
    Gone,
}

impl Bench {
    pub(crate) fn new(inserted: bool) -> Self {
        let state = State {
            inserted,
            line: None,
            powered: false,
            hanging: false,
            quitting: false,
            touch: TouchMode::Off,
            blinking: false,
            faults: Schedule::default(),
            journal: Vec::new(),
            refused_pins: 0,
            worked: Duration::ZERO,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Changes something and wakes whoever waits for it.
    pub(crate) fn change<R>(&self, with: impl FnOnce(&mut State) -> R) -> R {
        let result = with(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Takes the card out of the reader.
    pub(crate) fn pull(&self) {
        self.change(|state| {
            state.inserted = false;
            state.hang_up();
        });
    }

    pub(crate) fn quit(&self) {
        self.change(|state| {
            state.quitting = true;
            state.hang_up();
        });
    }

    /// Waits until the card is in the reader; false when the program shall end.
    pub(crate) fn wait_for_insertion(&self) -> bool {
        let state = self
            .changed
            .wait_while(self.lock(), |state| !state.inserted && !state.quitting)
            .unwrap_or_else(PoisonError::into_inner);
        !state.quitting
    }

    /// The reader's side has a connection. Gone if the card was pulled meanwhile.
    pub(crate) fn plugged(&self, line: TcpStream) -> Presence {
        self.change(|state| {
            state.line = Some(line);
            if state.inserted && !state.quitting {
                return Presence::Here;
            }
            state.hang_up();
            Presence::Gone
        })
    }

    pub(crate) fn unplugged(&self) {
        self.change(State::hang_up);
    }

    pub(crate) fn power(&self, on: bool) {
        self.change(|state| state.powered = on);
    }

    /// Notes a command and says what shall go wrong with it.
    pub(crate) fn arrival(&self, bytes: &[u8]) -> Verdict {
        let name = apdu::name(bytes);
        self.change(|state| {
            let verdict = state.faults.arrival(bytes, &name);
            state.journal.push(name);
            state.hanging |= verdict.hang;
            verdict
        })
    }

    /// The firmware answered a command.
    pub(crate) fn carried_out(&self, bytes: &[u8], answer: &[u8]) {
        if apdu::name(bytes) == "VERIFY" && !answer.ends_with(&[0x90, 0]) {
            self.change(|state| state.refused_pins += 1);
        }
    }

    /// A command was answered after this time.
    pub(crate) fn worked(&self, time: Duration) {
        self.change(|state| state.worked += time);
    }

    /// Lets time pass, unless the card is pulled.
    pub(crate) fn pass(&self, time: Duration) -> Presence {
        let gone = |state: &mut State| !state.inserted || state.quitting;
        let (mut state, _) = self
            .changed
            .wait_timeout_while(self.lock(), time, |state| !gone(state))
            .unwrap_or_else(PoisonError::into_inner);
        if gone(&mut state) { Presence::Gone } else { Presence::Here }
    }

    /// Waits for `resume`. `line_is_open` is asked now and then, for a driver that gives up.
    pub(crate) fn hang(&self, line_is_open: impl Fn() -> bool) -> Presence {
        const LOOK: Duration = Duration::from_millis(50);
        let presence = loop {
            let state = self.lock();
            if !state.inserted || state.quitting {
                break Presence::Gone;
            }
            if !state.hanging {
                break Presence::Here;
            }
            drop(self.changed.wait_timeout(state, LOOK));
            if !line_is_open() {
                break Presence::Gone;
            }
        };
        self.change(|state| state.hanging = false);
        presence
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
