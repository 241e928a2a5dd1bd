//! The PIN is there. The card signs when it is this request's turn with it, and when it is touched.

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
        (Session::AwaitTouch(Self { choice }), vec![Action::Sign(order)])
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
