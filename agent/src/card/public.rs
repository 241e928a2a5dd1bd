//! What anyone may read from a card without a PIN. Any program that has the admin PIN may change it at any time.

use countersign_protocol::ids::{CardIdent, Fingerprint};
use openpgp_card::ocard::data::{
    ApplicationIdentifier, ExtendedCapabilities, HistoricalBytes, KdfDo, PWStatusBytes,
};

use super::apdu::{Command, Wire};
use super::error::CardError;
use super::kdf::Kdf;
use super::link::Exclusive;
use super::pin::PinKind;
use super::tlv;

/// A card's public data.
pub(super) struct PublicData {
    pub(super) ident: CardIdent,
    /// In the order signature, decryption, authentication; none for an empty slot.
    pub(super) keys: [Option<Fingerprint>; 3],
    /// When it was read.
    pub(super) status: PinStatus,
    /// The signature key wants a touch.
    pub(super) touch: bool,
    /// The decryption key wants a touch.
    pub(super) decryption_touch: bool,
    /// The authentication key wants a touch.
    pub(super) authentication_touch: bool,
    /// The card can be told to use other algorithms.
    pub(super) algorithms_change: bool,
    /// The card can be told to close the PIN after every signature.
    pub(super) forcing_changes: bool,
    /// Algorithm attributes, in the order of `keys`.
    pub(super) algorithms: [Vec<u8>; 3],
    /// The card can be made new again.
    pub(super) erasable: bool,
    /// Hashing of PINs, if the card wants it. A card that does not say so in order can be named and erased.
    pub(super) kdf: Kdf,
    /// The application related data (DO 6E), of which all of this but the last is made.
    pub(super) application: Vec<u8>,
}

/// The PIN status bytes (DO C4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PinStatus {
    /// A verified PIN is good for one signature only.
    pub(super) forced: bool,
    /// Tries left for user PIN, resetting code and admin PIN. A resetting code that was never set has none.
    pub(super) tries: [u8; 3],
    /// Longest in bytes, in the same order.
    pub(super) longest: [u8; 3],
}

impl PinStatus {
    /// Tries left.
    pub(super) const fn tries_of(self, kind: PinKind) -> u8 {
        of(self.tries, kind)
    }

    /// Longest in bytes.
    pub(super) const fn longest_of(self, kind: PinKind) -> u8 {
        of(self.longest, kind)
    }
}

const fn of([user, reset_code, admin]: [u8; 3], kind: PinKind) -> u8 {
    match kind {
        PinKind::User => user,
        PinKind::ResetCode => reset_code,
        PinKind::Admin => admin,
    }
}

/// Makes OpenPGP the application that answers.
pub(super) fn select(card: &mut Exclusive<'_>) -> Result<(), CardError> {
    match card.ask(&Command::select_openpgp()) {
        // Selected file in termination state; a YubiKey says that conditions are not satisfied.
        Err(CardError::Failed { status: 0x6285 | 0x6985, .. }) => Err(CardError::Terminated),
        // No such application, or no idea of applications at all. Anything else is a card that fails.
        Err(CardError::Failed { status: 0x6A82 | 0x6999 | 0x6D00 | 0x6E00, .. }) => {
            Err(CardError::NotOpenPgp)
        }
        other => other.map(drop),
    }
}

/// Whether the card manages its life cycle: the first of the three status bytes, which cards with category 00
/// have at the end of their historical bytes (OpenPGP card 3.4.1, 6.1). What is not told is tried.
fn is_erasable(historical: &[u8]) -> bool {
    !matches!(historical, [0x00, .., 0x00, _, _])
}

/// The PIN status now.
pub(super) fn read_pin_status(card: &mut Exclusive<'_>) -> Result<PinStatus, CardError> {
    pin_status(&card.ask(&Command::get_data(0xC4))?)
}

/// Everything public, in two commands (three if the card has no long answers, one less without KDF).
///
/// # Errors
/// [`CardError::Swapped`] if another card than `wanted` is there: it is asked nothing more.
pub(super) fn read(card: &mut Exclusive<'_>, wanted: Option<CardIdent>) -> Result<PublicData, CardError> {
    let data = card.ask(&Command::get_data(0x6E))?;
    let part = |tag: u16, what: &str| {
        tlv::find(&data, tag)
            .ok_or_else(|| CardError::Malformed { command: "GET DATA 6E", what: format!("no {what}") })
    };
    let application = part(0x4F, "application identifier")?;
    let ident = ident(application)?;
    if let Some(expected) = wanted.filter(|wanted| *wanted != ident) {
        return Err(CardError::Swapped { expected, found: ident });
    }
    let capabilities =
        ExtendedCapabilities::try_from((part(0xC0, "extended capabilities")?, version(application)?))
            .map_err(|error| malformed("GET DATA 6E", &error))?;
    if let Some(wire) = tlv::find(&data, 0x5F52).and_then(wire) {
        card.learn(wire);
    }
    Ok(PublicData {
        ident,
        keys: fingerprints(part(0xC5, "fingerprints")?),
        status: pin_status(part(0xC4, "PIN status")?)?,
        touch: wants_touch(&data, 0xD6),
        decryption_touch: wants_touch(&data, 0xD7),
        authentication_touch: wants_touch(&data, 0xD8),
        algorithms_change: capabilities.algo_attrs_changeable(),
        forcing_changes: capabilities.pw_status_change(),
        algorithms: [0xC1, 0xC2, 0xC3].map(|tag| tlv::find(&data, tag).unwrap_or_default().to_vec()),
        erasable: tlv::find(&data, 0x5F52).is_none_or(is_erasable),
        kdf: if capabilities.kdf_do() { read_kdf(card)? } else { Ok(None) },
        application: data,
    })
}

fn wants_touch(data: &[u8], tag: u16) -> bool {
    tlv::find(data, tag).and_then(<[u8]>::first).is_some_and(|policy| *policy != 0)
}

fn read_kdf(card: &mut Exclusive<'_>) -> Result<Kdf, CardError> {
    const NAME: &str = "GET DATA F9";
    let answer = card.send(&Command::get_data(0xF9))?;
    Ok(match answer.status {
        0x9000 if answer.data.is_empty() => Ok(None),
        0x9000 => {
            let inner = tlv::find(&answer.data, 0xF9).unwrap_or(&answer.data);
            KdfDo::try_from(inner).map(Some).map_err(|error| malformed(NAME, &error))
        }
        // Referenced data not found: allowed, but never set.
        0x6A88 => Ok(None),
        // Anything else may hide a derivation, and the plain PIN would cost a try.
        status => Err(CardError::Failed { command: NAME, status }),
    })
}

fn ident(application: &[u8]) -> Result<CardIdent, CardError> {
    ApplicationIdentifier::try_from(application)
        .map(|id| CardIdent::new(id.manufacturer(), id.serial()))
        .map_err(|error| malformed("GET DATA 6E", &error))
}

pub(super) fn version(application: &[u8]) -> Result<u16, CardError> {
    ApplicationIdentifier::try_from(application)
        .map(|id| id.version())
        .map_err(|error| malformed("GET DATA 6E", &error))
}

fn pin_status(data: &[u8]) -> Result<PinStatus, CardError> {
    let data = tlv::find(data, 0xC4).filter(|inner| inner.len() == 7).unwrap_or(data);
    PWStatusBytes::try_from(data)
        .map(|status| PinStatus {
            forced: status.pw1_cds_valid_once(),
            tries: [status.err_count_pw1(), status.err_count_rc(), status.err_count_pw3()],
            longest: [status.pw1_max_len(), status.rc_max_len(), status.pw3_max_len()],
        })
        .map_err(|error| malformed("GET DATA C4", &error))
}

pub(super) fn fingerprints(data: &[u8]) -> [Option<Fingerprint>; 3] {
    let mut slots = data.chunks(20);
    std::array::from_fn(|_| {
        slots
            .next()
            .filter(|slot| slot.iter().any(|byte| *byte != 0))
            .and_then(|slot| Fingerprint::from_bytes(slot).ok())
    })
}

fn wire(historical: &[u8]) -> Option<Wire> {
    let bytes = HistoricalBytes::try_from(historical).ok()?;
    bytes.card_capabilities().map(|capabilities| Wire {
        extended: capabilities.extended_lc_le(),
        chaining: capabilities.command_chaining(),
    })
}

fn malformed(command: &'static str, error: &openpgp_card::Error) -> CardError {
    CardError::Malformed { command, what: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_slots_are_told_from_keys() {
        let mut data = vec![0; 60];
        data[20..40].fill(0xAB);
        let keys = fingerprints(&data);
        assert_eq!(keys[0], None);
        assert_eq!(keys[1], Some(Fingerprint::from_bytes(&[0xAB; 20]).unwrap()));
        assert_eq!(keys[2], None);
    }

    #[test]
    fn the_pin_status_is_read_and_cut_bytes_are_refused() {
        let status = pin_status(&[0, 0x7F, 0x7F, 0x7F, 2, 0, 3]).unwrap();
        assert_eq!(status, PinStatus { forced: true, tries: [2, 0, 3], longest: [127; 3] });
        assert!(!pin_status(&[1, 0x7F, 0x7F, 0x7F, 2, 0, 3]).unwrap().forced);
        assert!(pin_status(&[0, 0x7F, 0x7F]).is_err());
        assert!(pin_status(&[]).is_err());
    }
}
