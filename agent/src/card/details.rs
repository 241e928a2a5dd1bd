//! Everything about one card that anybody may read from it.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{CardIdent, Fingerprint};
use countersign_protocol::ipc::{CardKey, CardSlot, CardTries, TouchPolicy};

use super::admin::{from_field, policy_of, touch_tag};
use super::algorithm_name::in_words;
use super::apdu::Command;
use super::error::CardError;
use super::link::Exclusive;
use super::pin::PinKind;
use super::public::{self, PinStatus, PublicData};
use super::unlock::Aftermath;
use super::{Cards, kdf, tlv};

/// A card, as read a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// The card.
    pub card: CardIdent,
    /// Major and minor version of the specification.
    pub specification: (u8, u8),
    /// Its firmware's version, where it tells.
    pub firmware: Option<String>,
    /// Signature, decryption, authentication, and attestation where there is one.
    pub keys: Vec<CardKey>,
    /// Tries left.
    pub tries: CardTries,
    /// The card wants its PIN for each signature.
    pub forced: bool,
    /// The card gets hashes in place of PINs.
    pub hashed: bool,
    /// The cardholder's name, as people write it.
    pub cardholder: Option<String>,
    /// Where the certificate is said to be.
    pub url: Option<String>,
    /// Signatures made with the key.
    pub signatures: Option<u32>,
    /// It can be erased.
    pub erasable: bool,
}

impl Cards {
    /// Reads a card. No PIN is needed, and none is tried.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn details(&self, card: CardIdent) -> Result<Details, CardError> {
        self.quick(card, move |slot| {
            slot.with_card_anew(card, |mut exclusive, public, status| {
                (read(&mut exclusive, public, status), Aftermath::Closed)
            })
        })
    }
}

fn read(card: &mut Exclusive<'_>, public: &PublicData, status: PinStatus) -> Result<Details, CardError> {
    let data = &public.application;
    let version = tlv::find(data, 0x4F).map(public::version).transpose()?.unwrap_or_default();
    let [major, minor] = version.to_be_bytes();
    let holder = optional(card, 0x65)?;
    let name = holder.as_deref().and_then(|data| tlv::find(data, 0x5B)).map(text);
    let url = optional(card, 0x5F50)?.map(|data| text(tlv::find(&data, 0x5F50).unwrap_or(&data)));
    let security = optional(card, 0x7A)?;
    let counter = security.as_deref().and_then(|data| tlv::find(data, 0x93)).map(number);
    let firmware = if public.ident.manufacturer() == YUBICO { yubikey_version(card)? } else { None };
    Ok(Details {
        card: public.ident,
        specification: (major, minor),
        firmware,
        keys: keys(card, data)?,
        tries: CardTries {
            user: status.tries_of(PinKind::User),
            reset_code: status.tries_of(PinKind::ResetCode),
            admin: status.tries_of(PinKind::Admin),
        },
        forced: status.forced,
        hashed: kdf::is_on(&public.kdf),
        cardholder: name.map(|field| from_field(&field)).filter(|name| !name.is_empty()),
        url: url.filter(|url| !url.is_empty()),
        signatures: counter,
        erasable: public.erasable,
    })
}

const YUBICO: u16 = 0x0006;

fn keys(card: &mut Exclusive<'_>, data: &[u8]) -> Result<Vec<CardKey>, CardError> {
    const SLOTS: [(CardSlot, u16, u8); 3] = [
        (CardSlot::Signature, 0xC1, 1),
        (CardSlot::Decryption, 0xC2, 2),
        (CardSlot::Authentication, 0xC3, 3),
    ];
    let fingerprints = public::fingerprints(tlv::find(data, 0xC5).unwrap_or_default());
    let times = tlv::find(data, 0xCD).unwrap_or_default();
    let mut times = times.chunks_exact(4).map(number);
    let mut keys = Vec::new();
    for ((slot, attributes, reference), fingerprint) in SLOTS.into_iter().zip(fingerprints) {
        let created = times.next().filter(|time| *time != 0 && fingerprint.is_some());
        keys.push(CardKey {
            slot,
            algorithm: in_words(tlv::find(data, attributes).unwrap_or_default()),
            created: created.map(|time| Timestamp::from_seconds(i64::from(time))),
            made_on_card: tlv::find(data, 0xDE).and_then(|list| origin(list, reference)),
            touch: touch(card, data, slot)?,
            fingerprint,
        });
    }
    // Yubico's addition: one more key, with objects of its own.
    if let (Some(attributes), Some(policy)) = (tlv::find(data, 0xDA), tlv::find(data, 0xD9)) {
        keys.push(CardKey {
            slot: CardSlot::Attestation,
            fingerprint: tlv::find(data, 0xDB).and_then(attestation_fingerprint),
            algorithm: in_words(attributes),
            created: tlv::find(data, 0xDD)
                .map(number)
                .filter(|time| *time != 0)
                .map(|time| Timestamp::from_seconds(i64::from(time))),
            made_on_card: None,
            touch: policy.first().map(|policy| policy_of(*policy)),
        });
    }
    Ok(keys)
}

/// Among the application data, or by itself on cards that follow an older specification.
fn touch(card: &mut Exclusive<'_>, data: &[u8], slot: CardSlot) -> Result<Option<TouchPolicy>, CardError> {
    let tag = touch_tag(slot);
    let policy = match tlv::find(data, tag) {
        Some(found) => Some(found.to_vec()),
        None => optional(card, tag)?,
    };
    Ok(policy.as_deref().and_then(<[u8]>::first).map(|policy| policy_of(*policy)))
}

/// From the list of references and statuses (DO DE): 1 made, 2 imported.
fn origin(list: &[u8], reference: u8) -> Option<bool> {
    let pair = list.chunks_exact(2).find(|pair| pair.first() == Some(&reference))?;
    match pair.last() {
        Some(1) => Some(true),
        Some(2) => Some(false),
        _ => None,
    }
}

fn attestation_fingerprint(bytes: &[u8]) -> Option<Fingerprint> {
    if bytes.iter().all(|byte| *byte == 0) { None } else { Fingerprint::from_bytes(bytes).ok() }
}

/// A data object that the card may not have.
fn optional(card: &mut Exclusive<'_>, tag: u16) -> Result<Option<Vec<u8>>, CardError> {
    let answer = card.send(&Command::get_data(tag))?;
    Ok((answer.status == 0x9000).then_some(answer.data))
}

fn yubikey_version(card: &mut Exclusive<'_>) -> Result<Option<String>, CardError> {
    let answer = card.send(&Command::yubikey_version())?;
    Ok(match (answer.status, answer.data.as_slice()) {
        (0x9000, version @ [_, _, _]) => Some(decimals(version)),
        _ => None,
    })
}

/// Binary-coded decimals with points between them.
fn decimals(version: &[u8]) -> String {
    let parts: Vec<String> = version
        .iter()
        .map(|byte| u16::from(byte >> 4) * 10 + u16::from(byte & 0x0F))
        .map(|n| n.to_string())
        .collect();
    parts.join(".")
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

/// Cards keep Latin-1 or UTF-8, and do not tell.
fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes)
        .map_or_else(|_| bytes.iter().map(|byte| char::from(*byte)).collect(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_key_comes_from_is_told_where_the_card_tells() {
        let list = [1, 1, 2, 2, 3, 0];
        assert_eq!([1, 2, 3, 4].map(|key| origin(&list, key)), [Some(true), Some(false), None, None]);
        assert_eq!(origin(&[1], 1), None);
    }

    #[test]
    fn a_yubikeys_version_is_read_as_yubico_writes_it() {
        assert_eq!(decimals(&[0x05, 0x04, 0x03]), "5.4.3");
        assert_eq!(decimals(&[0x05, 0x10, 0x12]), "5.10.12");
    }

    #[test]
    fn names_in_either_encoding_are_read() {
        assert_eq!(text("Müller".as_bytes()), "Müller");
        assert_eq!(text(b"M\xFCller"), "Müller");
    }
}
