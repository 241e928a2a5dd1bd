//! What a card says about its owner, and its first touch policy.

use countersign_protocol::ipc::{CardSlot, TouchPolicy};

use super::super::apdu::Command;
use super::super::error::CardError;
use super::super::link::Exclusive;
use super::touch;

/// Longest name in bytes (OpenPGP card 3.4.1, 4.4.1, DO 5B).
const NAME: usize = 39;

/// Longest address in bytes that every card takes.
const URL: usize = 254;

/// To be written to a new card.
#[derive(Debug, Clone, Default)]
pub struct Personal {
    cardholder: Option<String>,
    url: Option<String>,
    touch: Option<TouchPolicy>,
}

impl Personal {
    /// The cardholder's name as people write it, the address of the certificate, and when the signature key wants a
    /// touch; each where it is wanted.
    ///
    /// # Errors
    /// What is wrong with one of them, as a sentence.
    pub fn new(
        cardholder: Option<&str>,
        url: Option<&str>,
        touch: Option<TouchPolicy>,
    ) -> Result<Self, String> {
        let printable = |text: &str| text.bytes().all(|byte| (0x20..0x7F).contains(&byte));
        let cardholder = cardholder.map(|name| {
            let field = to_field(name);
            if field.is_empty() || field.len() > NAME || !printable(name) || name.contains('<') {
                return Err(format!(
                    "The cardholder's name has 1 to {NAME} letters without accents, for the card takes no others; its last word is the surname."
                ));
            }
            Ok(field)
        });
        let url = url.map(|url| {
            if !url.starts_with("https://") || url.len() > URL || url.contains(' ') || !printable(url) {
                return Err(format!(
                    "The address of the certificate begins with https:// and has at most {URL} characters."
                ));
            }
            Ok(url.to_owned())
        });
        Ok(Self { cardholder: cardholder.transpose()?, url: url.transpose()?, touch })
    }

    /// When the signature key is to want a touch, if that is not how it is already. Asked before anything is changed:
    /// a card may have no button, or another policy for ever.
    pub(in super::super) fn touch(&self, card: &mut Exclusive<'_>) -> Result<Option<FirstTouch>, CardError> {
        let Some(policy) = self.touch else { return Ok(None) };
        let button = touch::button_for(card, CardSlot::Signature, policy)?;
        Ok(button.map(|button| FirstTouch { policy, button }))
    }

    /// Writes the rest; the admin PIN is open.
    pub(in super::super) fn write(&self, card: &mut Exclusive<'_>) -> Result<(), CardError> {
        if let Some(name) = &self.cardholder {
            card.ask(&Command::put_data(0x5B, name.clone().into_bytes()))?;
        }
        if let Some(url) = &self.url {
            card.ask(&Command::put_data(0x5F50, url.clone().into_bytes()))?;
        }
        Ok(())
    }
}

/// A touch policy that a card does not have yet.
pub(in super::super) struct FirstTouch {
    policy: TouchPolicy,
    button: u8,
}

impl FirstTouch {
    /// Writes it, which may be for ever: last of all. The admin PIN is open.
    pub(in super::super) fn write(&self, card: &mut Exclusive<'_>) -> Result<(), CardError> {
        touch::put(card, CardSlot::Signature, self.policy, self.button)
    }
}

/// As the card keeps it (ISO/IEC 7501-1): surname first, then `<<`; `<` between words.
fn to_field(name: &str) -> String {
    let mut words: Vec<&str> = name.split_whitespace().collect();
    let surname = words.pop().unwrap_or_default();
    if words.is_empty() { surname.to_owned() } else { format!("{surname}<<{}", words.join("<")) }
}

/// As people write it.
pub(in super::super) fn from_field(field: &str) -> String {
    let (surname, given) = field.split_once("<<").unwrap_or((field, ""));
    format!("{given} {surname}").replace('<', " ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_as_gpg_keeps_it_and_read_as_people_write_it() {
        for (name, field) in
            [("Ana Maria Muster", "Muster<<Ana<Maria"), ("Ana", "Ana"), ("  Ana   Muster ", "Muster<<Ana")]
        {
            assert_eq!(to_field(name), field);
            assert_eq!(from_field(field), name.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }

    #[test]
    fn what_a_card_would_not_take_is_refused_before_it_is_asked() {
        for name in ["", "Ana Müller", "a<b", &"x".repeat(40), "Ana\nMuster"] {
            assert!(Personal::new(Some(name), None, None).is_err(), "{name:?}");
        }
        for url in
            ["http://example.org/ana", "ana.asc", "https://a b", &format!("https://{}", "x".repeat(250))]
        {
            assert!(Personal::new(None, Some(url), None).is_err(), "{url:?}");
        }
        assert!(Personal::new(Some("Ana Muster"), Some("https://example.org/ana"), None).is_ok());
    }
}
