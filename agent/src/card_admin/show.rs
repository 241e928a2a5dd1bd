//! `card show`: everything about a card, and what its owner should know.

use countersign_protocol::ids::CardIdent;
use countersign_protocol::ipc::{CardDetails, CardKey, CardShow, CardSlot};

use super::Desk;
use crate::agent::{Agent, find_card};
use crate::card::{Asker, CardSeen, Details, maker};
use crate::person::Person;
use crate::status;
use crate::trouble::Trouble;

/// Answers one [`CardShow`]. `host_too`: root asked, and may see this host's own card if it was named.
///
/// # Errors
/// [`Trouble`].
pub fn show(
    agent: &Agent,
    asker: Asker,
    ask: &CardShow,
    host_too: bool,
    person: &mut Person,
) -> Result<CardDetails, Trouble> {
    let host = agent.link().and_then(|link| link.primary().card());
    let is_host = host_too && ask.card.is_some() && ask.card == host;
    let desk = Desk { agent, asker };
    let chosen = match ask.card.filter(|_| is_host) {
        Some(card) => desk.chosen(&find_card(&agent.cards, card)?)?,
        None => desk.choose(ask.card, person)?,
    };
    let details = chosen.details(person)?;
    let (major, minor) = details.specification;
    Ok(CardDetails {
        reader: reader_of(&agent.cards.list(), chosen.card),
        card: chosen.card,
        name: chosen.name,
        maker: maker(chosen.card),
        specification: format!("{major}.{minor}"),
        role: if is_host { status::HOST } else { status::USER }.to_owned(),
        accounts: chosen.accounts,
        warnings: warnings(&details),
        firmware: details.firmware,
        keys: details.keys,
        tries: details.tries,
        pin_for_each_signature: details.forced,
        hashed_pins: details.hashed,
        cardholder: details.cardholder,
        url: details.url,
        signatures: details.signatures,
    })
}

fn reader_of(cards: &[CardSeen], card: CardIdent) -> String {
    cards.iter().find(|seen| seen.ident == Some(card)).map(|seen| seen.reader.clone()).unwrap_or_default()
}

/// Worst first.
fn warnings(details: &Details) -> Vec<String> {
    let mut warnings = tries(details);
    let signature = details.keys.iter().find(|key| key.slot == CardSlot::Signature);
    match signature.filter(|key| key.fingerprint.is_some()) {
        None => warnings.push(
            "It holds no signature key. If it is new, its PINs are 123456 and 12345678, which everybody knows; that is not tried, for it would cost a try. Make it ready with: countersign card init".to_owned(),
        ),
        Some(key) => warnings.extend(about_key(key)),
    }
    if !details.forced {
        warnings.push(
            "It does not ask for its PIN before each signature. Countersign closes the PIN again by itself, other programs may not; keys made here set it (countersign card generate).".to_owned(),
        );
    }
    warnings
}

fn tries(details: &Details) -> Vec<String> {
    let mut warnings = Vec::new();
    match (details.tries.user, details.tries.admin) {
        (0, 0) => warnings.push(
            "Both its PINs are blocked. Only erasing it helps: countersign card factory-reset".to_owned(),
        ),
        (0, _) => {
            warnings.push("Its PIN is blocked. Set a new one with: countersign card unblock".to_owned());
        }
        (_, 0) => warnings.push(
            "Its admin PIN is blocked: keys, touch and a forgotten PIN can never be changed again, except by erasing it (countersign card factory-reset).".to_owned(),
        ),
        _ => {}
    }
    if details.tries.user == 1 {
        warnings.push("One try is left for its PIN; the right one brings the others back.".to_owned());
    }
    if details.tries.admin == 1 {
        warnings.push("One try is left for its admin PIN; the right one brings the others back: countersign card change-pin --admin".to_owned());
    }
    warnings
}

fn about_key(key: &CardKey) -> Option<String> {
    if key.algorithm == "RSA-4096" {
        return Some(
            "RSA-4096 is slow: each signature, and so each login, takes a second or more.".to_owned(),
        );
    }
    let usable = ["RSA-2048", "RSA-3072", "Ed25519", "NIST P-256", "NIST P-384"];
    if !usable.contains(&key.algorithm.as_str()) {
        return Some(format!(
            "Its signature key ({}) is of a kind that Countersign does not use. New keys: countersign card generate",
            key.algorithm
        ));
    }
    (key.made_on_card == Some(false))
        .then(|| "Its signature key was made elsewhere and brought to it: there may be copies.".to_owned())
}

#[cfg(test)]
mod tests {
    use countersign_protocol::ids::Fingerprint;
    use countersign_protocol::ipc::CardTries;

    use super::*;

    fn details(user: u8, admin: u8, forced: bool, algorithm: Option<&str>, made_on_card: bool) -> Details {
        let key = CardKey {
            slot: CardSlot::Signature,
            fingerprint: algorithm.map(|_| Fingerprint::from_bytes(&[7; 20]).unwrap()),
            algorithm: algorithm.unwrap_or("RSA-2048").to_owned(),
            created: None,
            made_on_card: Some(made_on_card),
            touch: None,
        };
        Details {
            card: CardIdent::new(6, 1),
            specification: (3, 4),
            firmware: None,
            keys: vec![key],
            tries: CardTries { user, reset_code: 0, admin },
            forced,
            hashed: false,
            cardholder: None,
            url: None,
            signatures: None,
            erasable: true,
        }
    }

    #[test]
    fn each_warning_comes_with_what_to_do_and_a_good_card_has_none() {
        assert_eq!(warnings(&details(3, 3, true, Some("Ed25519"), true)), Vec::<String>::new());
        for (card, words) in [
            (details(0, 3, true, Some("Ed25519"), true), "countersign card unblock"),
            (details(0, 0, true, Some("Ed25519"), true), "countersign card factory-reset"),
            (details(3, 0, true, Some("Ed25519"), true), "countersign card factory-reset"),
            (details(1, 3, true, Some("Ed25519"), true), "One try is left for its PIN"),
            (details(3, 1, true, Some("Ed25519"), true), "countersign card change-pin --admin"),
            (details(3, 3, false, Some("Ed25519"), true), "before each signature"),
            (details(3, 3, true, Some("RSA-4096"), true), "slow"),
            (details(3, 3, true, Some("secp256k1"), true), "does not use"),
            (details(3, 3, true, Some("RSA-1024"), true), "does not use"),
            (details(3, 3, true, Some("NIST P-256"), false), "copies"),
            (details(3, 3, true, None, true), "countersign card init"),
        ] {
            let warnings = warnings(&card);
            assert!(warnings.len() == 1 && warnings[0].contains(words), "{words}: {warnings:?}");
        }
    }
}
