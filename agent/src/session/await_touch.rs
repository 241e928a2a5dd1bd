//! The card has the PIN. It signs at once, or when it is touched.

use countersign_protocol::ipc::NoteKind;

use super::{Action, AwaitPin, AwaitServer, Choice, Decided, Event, Order, Session, Step};
use crate::card::CardError;

/// A signature is being made.
#[derive(Debug)]
pub struct AwaitTouch {
    choice: Choice,
}

impl AwaitTouch {
    pub(super) fn begin(order: Order) -> Step {
        let choice = order.choice.clone();
        let mut actions = Vec::new();
        if choice.touch {
            actions.push(Action::Note(NoteKind::Info, format!("Touch {} when it blinks.", choice.name)));
        }
        actions.push(Action::Sign(order));
        (Session::AwaitTouch(Self { choice }), actions)
    }

    pub(super) const fn choice(&self) -> &Choice {
        &self.choice
    }

    pub(super) fn step(self, event: Event) -> Step {
        match event {
            Event::Signed(signed) => AwaitServer::begin(self.choice, signed),
            Event::Card(error @ CardError::TriesChanged { .. }) => {
                AwaitPin::tries_changed(self.choice, &error)
            }
            Event::Card(error) => Decided::card(&error, self.choice),
            other => Decided::unexpected("await-touch", &other, Some(self.choice)),
        }
    }
}
