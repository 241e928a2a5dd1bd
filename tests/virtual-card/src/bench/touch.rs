//! The finger on the card's button.

use std::sync::PoisonError;
use std::time::Duration;

use serde::Serialize;

use super::Bench;

/// What the person does when the card blinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TouchMode {
    /// Touches at once, every time.
    Off,
    /// Nothing, until told.
    Require,
    /// Touches once, then nothing.
    Grant,
    /// Lets the time run out, without making the test wait for it.
    Refuse,
}

/// What the button saw.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    Yes,
    NotYet,
    Refused,
}

impl Bench {
    /// The firmware starts or stops to wait for a touch.
    pub(crate) fn blinking(&self, on: bool) {
        self.change(|state| state.blinking = on);
    }

    /// Looks at the button for up to `time`. A pulled card refuses: nobody waits for it.
    pub(crate) fn look_for_touch(&self, time: Duration) -> Touched {
        let idle =
            |state: &mut super::State| state.touch == TouchMode::Require && state.inserted && !state.quitting;
        let (mut state, _) =
            self.changed.wait_timeout_while(self.lock(), time, idle).unwrap_or_else(PoisonError::into_inner);
        if !state.inserted || state.quitting {
            return Touched::Refused;
        }
        match state.touch {
            TouchMode::Off => Touched::Yes,
            TouchMode::Require => Touched::NotYet,
            TouchMode::Grant => {
                state.touch = TouchMode::Require;
                Touched::Yes
            }
            TouchMode::Refuse => Touched::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench(touch: TouchMode) -> Bench {
        let bench = Bench::new(true);
        bench.change(|state| state.touch = touch);
        bench
    }

    #[test]
    fn a_granted_touch_counts_once() {
        let bench = bench(TouchMode::Grant);
        assert_eq!(bench.look_for_touch(Duration::ZERO), Touched::Yes);
        assert_eq!(bench.look_for_touch(Duration::ZERO), Touched::NotYet);
    }

    #[test]
    fn a_refusal_lasts() {
        let bench = bench(TouchMode::Refuse);
        assert_eq!(bench.look_for_touch(Duration::ZERO), Touched::Refused);
        assert_eq!(bench.look_for_touch(Duration::ZERO), Touched::Refused);
    }

    #[test]
    fn a_pulled_card_is_never_touched() {
        let bench = bench(TouchMode::Off);
        bench.pull();
        assert_eq!(bench.look_for_touch(Duration::ZERO), Touched::Refused);
    }
}
