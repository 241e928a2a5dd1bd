//! What is known about the card in a reader, for lists and prompts.

use countersign_protocol::ids::{CardIdent, Fingerprint};
use openpgp_card::ocard::data::ApplicationIdentifier;

use super::error::CardError;
use super::kdf;
use super::pin::PinKind;
use super::public::PublicData;

/// The card in one reader, as last seen. Asking for it costs no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardSeen {
    /// The reader's name.
    pub reader: String,
    /// Which card, unless it is not an OpenPGP card or could not be read.
    pub ident: Option<CardIdent>,
    /// The key in its signature slot.
    pub signing_key: Option<Fingerprint>,
    /// The key in its decryption slot.
    pub decryption_key: Option<Fingerprint>,
    /// The key in its authentication slot.
    pub authentication_key: Option<Fingerprint>,
    /// Whether any slot holds a key.
    pub has_keys: bool,
    /// Tries left for the user's PIN, when last read.
    pub tries: Option<u8>,
    /// Signing wants a touch.
    pub touch: bool,
    /// Opening what is sealed to it wants a touch.
    pub decryption_touch: bool,
    /// Why it cannot be used, if so.
    pub problem: Option<CardError>,
}

impl CardSeen {
    pub(super) fn unread(reader: &str, problem: Option<CardError>) -> Self {
        Self {
            reader: reader.to_owned(),
            ident: None,
            signing_key: None,
            decryption_key: None,
            authentication_key: None,
            has_keys: false,
            tries: None,
            touch: false,
            decryption_touch: false,
            problem,
        }
    }

    pub(super) fn of(reader: &str, public: &PublicData) -> Self {
        let [signing_key, decryption_key, authentication_key] = public.keys.clone();
        Self {
            reader: reader.to_owned(),
            ident: Some(public.ident),
            signing_key,
            decryption_key,
            authentication_key,
            has_keys: public.keys.iter().any(Option::is_some),
            tries: Some(public.status.tries_of(PinKind::User)),
            touch: public.touch,
            decryption_touch: public.decryption_touch,
            problem: kdf::problem(&public.kdf),
        }
    }

    /// For prompts: `YubiKey …1234`.
    #[must_use]
    pub fn name(&self) -> String {
        match self.ident {
            Some(ident) => format!("{} {}", brand(ident.manufacturer()), ident.short()),
            None => "card".to_owned(),
        }
    }

    /// Whether nothing is known of it because another program has it for itself.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        matches!(self.problem, Some(CardError::InUse(_)))
    }

    /// What is wrong with it, in words for an administrator.
    #[must_use]
    pub fn problem_text(&self) -> Option<String> {
        match (&self.problem, self.tries) {
            (Some(problem), _) => Some(problem.to_string()),
            (None, Some(0)) => Some(CardError::Blocked.to_string()),
            (None, Some(1)) => Some("only one try is left; a wrong PIN blocks the card".to_owned()),
            (None, Some(_)) if self.signing_key.is_none() => Some(CardError::NoKey.to_string()),
            (None, _) => None,
        }
    }
}

/// Who made a card.
#[must_use]
pub fn maker(card: CardIdent) -> String {
    let application =
        [&[0xD2, 0x76, 0x00, 0x01, 0x24, 0x01, 0x03, 0x04][..], &card.manufacturer().to_be_bytes(), &[0; 6]]
            .concat();
    match ApplicationIdentifier::try_from(application.as_slice()).map(|id| id.manufacturer_name()) {
        // Numbers that nobody registered, and those for cards that take theirs by chance.
        Ok(name) if name != "Unknown" && !(0xFF00..0xFFFF).contains(&card.manufacturer()) => name.to_owned(),
        _ => format!("manufacturer {:04X}", card.manufacturer()),
    }
}

/// Manufacturers whose cards people know by a name (registered with the card specification's authors).
fn brand(manufacturer: u16) -> &'static str {
    match manufacturer {
        0x0005 => "ZeitControl card",
        0x0006 => "YubiKey",
        0x000B => "Feitian card",
        0x000F => "Nitrokey",
        0xF1D0 => "CanoKey",
        0xF517 => "Gnuk token",
        _ => "card",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_names_the_card_as_people_do() {
        let mut seen = CardSeen::unread("reader", None);
        assert_eq!(seen.name(), "card");
        seen.ident = Some("0006:12345678".parse().unwrap());
        assert_eq!(seen.name(), "YubiKey …5678");
    }

    #[test]
    fn makers_are_named() {
        assert_eq!(maker(CardIdent::new(6, 1)), "Yubico AB");
        assert_eq!(maker(CardIdent::new(0xFFFE, 1)), "manufacturer FFFE");
        assert_eq!(maker(CardIdent::new(0x7777, 1)), "manufacturer 7777");
    }

    #[test]
    fn a_list_warns_before_a_card_blocks() {
        let mut seen = CardSeen::unread("reader", None);
        seen.signing_key = Some(Fingerprint::from_bytes(&[1; 20]).unwrap());
        for (tries, warns) in [(3, false), (2, false), (1, true), (0, true)] {
            seen.tries = Some(tries);
            assert_eq!(seen.problem_text().is_some(), warns, "{tries}");
        }
    }
}
