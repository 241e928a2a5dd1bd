//! Which card? The one that is in, or the one that somebody puts in, or the one that somebody names.

use countersign_protocol::ids::AccountName;
use countersign_protocol::ipc::NoteKind;

use super::{Action, AwaitPin, Choice, Decided, Event, Session, Step};

/// No card is chosen.
#[derive(Debug)]
pub struct AwaitCard {
    whose: String,
    /// Offered to the person, who is about to name one.
    offered: Vec<Choice>,
}

impl AwaitCard {
    pub(super) fn new(whose: &[AccountName]) -> Self {
        let whose: Vec<&str> = whose.iter().map(AccountName::as_str).collect();
        Self { whose: whose.join(" or "), offered: Vec::new() }
    }

    /// One card needs no question, several need one, none needs patience.
    pub(super) fn offered(mut self, mut cards: Vec<Choice>) -> Step {
        if cards.len() > 1 {
            let question = question(&cards);
            self.offered = cards;
            return (Session::AwaitCard(self), vec![Action::AskShown(question)]);
        }
        match cards.pop() {
            Some(card) => AwaitPin::begin(card),
            None => {
                let note = Action::Note(NoteKind::Info, format!("Insert the card of {}.", self.whose));
                (Session::AwaitCard(self), vec![note, Action::WaitForCard])
            }
        }
    }

    pub(super) fn step(self, event: Event) -> Step {
        match event {
            Event::Cards(cards) if self.offered.is_empty() && !cards.is_empty() => self.offered(cards),
            Event::Typed(typed) if !self.offered.is_empty() => self.named(&typed),
            Event::Card(error) if self.offered.is_empty() => Decided::no_card(&error, &self.whose),
            other => Decided::unexpected("await-card", &other, None),
        }
    }

    fn named(self, typed: &str) -> Step {
        let number = typed.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        match number.and_then(|at| self.offered.get(at)).cloned() {
            Some(card) => AwaitPin::begin(card),
            None => {
                let note = Action::Note(NoteKind::Error, "That is not one of them.".to_owned());
                let question = Action::AskShown(question(&self.offered));
                (Session::AwaitCard(self), vec![note, question])
            }
        }
    }
}

fn question(cards: &[Choice]) -> String {
    let list: Vec<String> = cards
        .iter()
        .enumerate()
        .map(|(at, card)| format!("{} = {} of {}", at + 1, card.name, card.account))
        .collect();
    format!("Which card? {} (number): ", list.join(", "))
}
