//! Which card? The one that is in, or the one that somebody puts in, or the one that somebody names. Where the place and
//! the account allow it, an emergency code instead.

use std::time::Duration;

use countersign_protocol::emergency::NotACode;
use countersign_protocol::ids::AccountName;
use countersign_protocol::ipc::NoteKind;
use countersign_protocol::limits;

use super::{Action, AwaitCode, AwaitPin, Choice, Decided, Event, Session, Step};
use crate::trouble::sentence;

/// No card is chosen.
#[derive(Debug)]
pub struct AwaitCard {
    whose: String,
    /// Whose emergency code would do.
    codes: Vec<AccountName>,
    asked: Asked,
}

/// What is waited for.
#[derive(Debug)]
enum Asked {
    /// A card, to be put in.
    Card,
    /// The person: a code, or Enter once the card is in.
    Code,
    /// The person: one of these cards.
    Which(Vec<Choice>),
}

impl AwaitCard {
    pub(super) fn new(whose: &[AccountName], codes: Vec<AccountName>) -> Self {
        let whose: Vec<&str> = whose.iter().map(AccountName::as_str).collect();
        Self { whose: whose.join(" or "), codes, asked: Asked::Card }
    }

    /// One card needs no question, several need one, none needs patience.
    pub(super) fn offered(self, mut cards: Vec<Choice>) -> Step {
        if cards.len() > 1 {
            let question = question(&cards);
            let state = Self { asked: Asked::Which(cards), ..self };
            return (Session::AwaitCard(state), vec![Action::AskShown(question)]);
        }
        match cards.pop() {
            Some(card) => AwaitPin::begin(card),
            None if self.codes.is_empty() => self.wait(limits::CARD_WAIT),
            None => self.ask_code(),
        }
    }

    pub(super) fn step(self, event: Event) -> Step {
        match (&self.asked, event) {
            (Asked::Card, Event::Cards(cards)) if !cards.is_empty() => self.offered(cards),
            (Asked::Which(_), Event::Typed(typed)) => self.named(&typed),
            (Asked::Card, Event::Card(error)) => Decided::no_card(&error, &self.whose),
            // Enter before the card was seen: from now on it is noticed by itself. Or nobody wants to go on.
            (Asked::Code, Event::Cards(cards)) if cards.is_empty() => {
                self.wait(limits::CARD_WAIT_AFTER_ENTER)
            }
            (Asked::Code, Event::Cards(cards)) => self.offered(cards),
            (Asked::Code, Event::Code(code)) => AwaitCode::begin(self.codes, code),
            (Asked::Code, Event::NotACode) => {
                let what = format!(
                    "{} For your card: insert it and press Enter; its PIN is asked after that.",
                    sentence(&NotACode.to_string())
                );
                let (state, mut actions) = self.ask_code();
                actions.insert(0, Action::Note(NoteKind::Error, what));
                (state, actions)
            }
            (_, other) => Decided::unexpected("await-card", &other, None),
        }
    }

    fn wait(self, longest: Duration) -> Step {
        let note = Action::Note(NoteKind::Info, format!("Insert the card of {}.", self.whose));
        (Session::AwaitCard(Self { asked: Asked::Card, ..self }), vec![note, Action::WaitForCard(longest)])
    }

    /// In one hidden prompt: a program that shows no notes, or shows them late, shows this.
    fn ask_code(self) -> Step {
        let question =
            format!("Insert the card of {} and press Enter, or type your emergency code: ", self.whose);
        (Session::AwaitCard(Self { asked: Asked::Code, ..self }), vec![Action::AskCode(question)])
    }

    fn named(self, typed: &str) -> Step {
        let Asked::Which(cards) = &self.asked else {
            return Decided::unexpected("await-card", &Event::Typed(String::new()), None);
        };
        match numbered(typed, cards).cloned() {
            Some(card) => AwaitPin::begin(card),
            None => {
                let actions = again(question(cards));
                (Session::AwaitCard(self), actions)
            }
        }
    }
}

/// The one that somebody named by its number, from 1.
pub(super) fn numbered<'a, T>(typed: &str, list: &'a [T]) -> Option<&'a T> {
    let number = typed.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    number.and_then(|at| list.get(at))
}

/// After a number that is none.
pub(super) fn again(question: String) -> Vec<Action> {
    let note = Action::Note(NoteKind::Error, "That is not one of them.".to_owned());
    vec![note, Action::AskShown(question)]
}

fn question(cards: &[Choice]) -> String {
    let list: Vec<String> = cards
        .iter()
        .enumerate()
        .map(|(at, card)| format!("{} = {} of {}", at + 1, card.name, card.account))
        .collect();
    format!("Which card? {} (number): ", list.join(", "))
}
