//! Everybody's postbox: letters as the server hands them to whoever carries them.

use std::sync::Arc;

use countersign_protocol::contact::Channel;
use countersign_server_core::core::Core;
use countersign_server_core::outbox::{Delivery, Failed, Letter};

/// Takes letters from one server.
pub(crate) struct Postbox(pub(crate) Arc<Core>);

impl Postbox {
    /// Every letter that is due, handed over.
    pub(crate) fn collect(&self) -> Vec<Letter> {
        let mut letters = Vec::new();
        for channel in [Channel::Email, Channel::Sms] {
            while let Some(delivery) = self.take(channel) {
                self.0.delivered(&delivery).unwrap();
                letters.push(delivery.letter);
            }
        }
        letters
    }

    /// The one letter that is due.
    pub(crate) fn one(&self) -> Letter {
        let mut letters = self.collect();
        assert_eq!(letters.len(), 1, "expected one letter");
        letters.remove(0)
    }

    pub(crate) fn take(&self, channel: Channel) -> Option<Delivery> {
        self.0.next_letter(channel).unwrap()
    }

    pub(crate) fn fails(&self, delivery: &Delivery, how: Failed) -> bool {
        self.0.not_delivered(delivery, how).unwrap()
    }
}

/// The code in a letter: the first thing in it that looks like one.
pub(crate) fn code(letter: &Letter) -> String {
    let is_code = |word: &str| {
        let plain = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        plain.len() == 9
            && plain.chars().nth(4) == Some('-')
            && plain.chars().filter(|c| *c != '-').all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    let found = letter.text.split_whitespace().find(|word| is_code(word));
    found.unwrap_or_else(|| panic!("no code in: {}", letter.text)).to_owned()
}
