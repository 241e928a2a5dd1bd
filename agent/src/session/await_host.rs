//! The server said nothing; this host decides by its roster.

use super::{Action, Choice, Decided, Event, Session, Step};
use crate::answer::Silence;

/// The roster is asked.
#[derive(Debug)]
pub struct AwaitHost {
    choice: Choice,
}

impl AwaitHost {
    pub(super) fn begin(choice: Choice, silence: Box<Silence>) -> Step {
        let card = Some(choice.card);
        (Session::AwaitHost(Self { choice }), vec![Action::DecideHere(silence, card)])
    }

    pub(super) const fn choice(&self) -> &Choice {
        &self.choice
    }

    pub(super) fn step(self, event: Event) -> Step {
        match event {
            Event::DecidedHere(Ok(granted)) => Decided::granted_here(granted, self.choice),
            Event::DecidedHere(Err(not_here)) => Decided::not_here(&not_here, self.choice),
            other => Decided::unexpected("await-host", &other, Some(self.choice)),
        }
    }
}
