//! The PIN of one card, with the tries left said before it is typed.

use countersign_protocol::ipc::NoteKind;

use super::{Action, AwaitTouch, Choice, Decided, Event, Order, Session, Step};
use crate::card::CardError;
use crate::trouble::sentence;

/// A card is chosen, its PIN is not typed.
#[derive(Debug)]
pub struct AwaitPin {
    choice: Choice,
    asked: Asked,
}

/// What the person, or the card, was asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The card: how many tries are left?
    Tries,
    /// The person: may the last try be spent?
    LastTry,
    /// The person: the PIN.
    Pin { tries: u8, allow_last_try: bool },
}

impl AwaitPin {
    pub(super) fn begin(choice: Choice) -> Step {
        let card = choice.card;
        (Session::AwaitPin(Self { choice, asked: Asked::Tries }), vec![Action::ReadTries(card)])
    }

    pub(super) const fn choice(&self) -> &Choice {
        &self.choice
    }

    /// The tries are not what the prompt said: nothing was sent, and the person is asked again.
    pub(super) fn tries_changed(choice: Choice, error: &CardError) -> Step {
        let (state, mut actions) = Self::begin(choice);
        actions.insert(0, Action::Note(NoteKind::Error, sentence(&error.to_string())));
        (state, actions)
    }

    pub(super) fn step(self, event: Event) -> Step {
        match (self.asked, event) {
            (Asked::Tries, Event::Tries(0)) => Decided::card(&CardError::Blocked, self.choice),
            (Asked::Tries, Event::Tries(1)) => {
                let question = format!(
                    "Only one try is left on {}: a wrong PIN now blocks it. Type yes to use it: ",
                    self.choice.name
                );
                (Session::AwaitPin(Self { asked: Asked::LastTry, ..self }), vec![Action::AskShown(question)])
            }
            (Asked::Tries, Event::Tries(tries)) => self.ask_pin(tries, false),
            (Asked::LastTry, Event::Typed(word)) if word.trim().eq_ignore_ascii_case("yes") => {
                self.ask_pin(1, true)
            }
            (Asked::LastTry, Event::Typed(_)) => Decided::last_try_refused(self.choice),
            (Asked::Pin { tries, allow_last_try }, Event::Pin(pin)) => {
                AwaitTouch::begin(Order { choice: self.choice, pin, tries_shown: tries, allow_last_try })
            }
            (Asked::Pin { tries, allow_last_try }, Event::NotAPin(error)) => {
                let note = Action::Note(NoteKind::Error, sentence(&error.to_string()));
                let (state, mut actions) = self.ask_pin(tries, allow_last_try);
                actions.insert(0, note);
                (state, actions)
            }
            (Asked::Tries, Event::Card(error)) => Decided::card(&error, self.choice),
            (_, other) => Decided::unexpected("await-pin", &other, Some(self.choice)),
        }
    }

    fn ask_pin(self, tries: u8, allow_last_try: bool) -> Step {
        let left = if tries == 1 { "1 try left".to_owned() } else { format!("{tries} tries left") };
        // In the prompt and not in a note: sshd holds notes back until the prompt is answered.
        let touch = if self.choice.touch { ", then touch it" } else { "" };
        let question = format!("PIN for {} ({left}){touch}: ", self.choice.name);
        let asked = Asked::Pin { tries, allow_last_try };
        (Session::AwaitPin(Self { asked, ..self }), vec![Action::AskHidden(question)])
    }
}
