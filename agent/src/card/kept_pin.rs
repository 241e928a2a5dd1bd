//! One PIN for two things: what a job signs, and what comes of it.

use std::cell::RefCell;

use countersign_protocol::ids::CardIdent;

use super::pin::{Entered, Pin};

/// The PIN that a card took for a job's signature, so that it is not asked for again when the same card opens the job's
/// result. It belongs to one job, is good for one more use, and is wiped at the latest when the job ends.
#[derive(Default)]
pub struct KeptPin(RefCell<Option<(CardIdent, Entered)>>);

impl KeptPin {
    /// Keeps a PIN that was right a moment ago. Should the card count fewer tries than were left then, or the last
    /// one only, somebody else was at it: it is not sent.
    pub fn keep(&self, card: CardIdent, pin: Pin, tries_shown: u8) {
        self.0.replace(Some((card, Entered::typed(pin, tries_shown, false))));
    }

    /// Which card took it.
    #[must_use]
    pub fn card(&self) -> Option<CardIdent> {
        self.0.borrow().as_ref().map(|(card, _)| *card)
    }

    /// Takes it out, for the card that took it and no other. Whatever was kept is gone.
    #[must_use]
    pub fn take(&self, card: CardIdent) -> Option<Entered> {
        self.0.take().filter(|(kept, _)| *kept == card).map(|(_, entered)| entered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_for_one_card_and_for_once() {
        let (ana, bob) = (CardIdent::new(6, 1), CardIdent::new(6, 2));
        let kept = KeptPin::default();
        assert!(kept.take(ana).is_none());
        kept.keep(ana, Pin::factory_user(), 3);
        assert_eq!(kept.card(), Some(ana));
        let entered = kept.take(ana).unwrap();
        assert_eq!((entered.tries_shown, entered.allow_last_try), (Some(3), false));
        assert!(kept.take(ana).is_none());
        kept.keep(ana, Pin::factory_user(), 3);
        assert!(kept.take(bob).is_none());
        assert!(kept.take(ana).is_none(), "it does not wait for its card");
    }
}
