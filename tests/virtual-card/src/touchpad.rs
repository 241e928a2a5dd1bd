//! The card's button.

use std::time::{Duration, Instant};

use trussed::platform::UserInterface;
use trussed::types::ui::Status;
use trussed_core::types::consent::Level;

use crate::bench::{Bench, Touched};

/// Longer than the firmware waits for a touch (15 s).
const PAST_EVERY_TIMEOUT: Duration = Duration::from_secs(16);

/// How long one look at the button lasts; the firmware asks again at once.
const LOOK: Duration = Duration::from_millis(50);

/// The button and the clock the firmware measures its timeout with.
pub(crate) struct Touchpad<'a> {
    bench: &'a Bench,
    started: Instant,
    /// Time skipped to refuse without waiting.
    skipped: Duration,
}

impl<'a> Touchpad<'a> {
    pub(crate) fn new(bench: &'a Bench) -> Self {
        Self { bench, started: Instant::now(), skipped: Duration::ZERO }
    }
}

impl UserInterface for Touchpad<'_> {
    fn check_user_presence(&mut self) -> Level {
        match self.bench.look_for_touch(LOOK) {
            Touched::Yes => Level::Normal,
            Touched::NotYet => Level::None,
            // The firmware knows no refusal, only a timeout: let it be over.
            Touched::Refused => {
                self.skipped += PAST_EVERY_TIMEOUT;
                Level::None
            }
        }
    }

    fn set_status(&mut self, status: Status) {
        self.bench.blinking(matches!(status, Status::WaitingForUserPresence));
    }

    fn uptime(&mut self) -> Duration {
        self.started.elapsed() + self.skipped
    }
}
