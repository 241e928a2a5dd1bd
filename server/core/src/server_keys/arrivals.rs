//! When pairs that were made elsewhere came into the store: hosts hear of them from then on, whenever they were made.

use std::collections::BTreeMap;

use countersign_protocol::certificate::CertificateError;
use countersign_protocol::clock::Timestamp;
use sequoia_openpgp as openpgp;

/// By the signing subkey of the pair, in hexadecimal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Arrivals(BTreeMap<String, i64>);

/// No packet of OpenPGP begins with it.
const MARK: u8 = 0;

impl Arrivals {
    /// Since when hosts are told of the pair with this signing subkey, if it came from elsewhere.
    pub(super) fn of(&self, signing: &openpgp::Fingerprint) -> Option<Timestamp> {
        self.0.get(&signing.to_hex()).copied().map(Timestamp::from_seconds)
    }

    pub(super) fn note(&mut self, signing: &openpgp::Fingerprint, now: Timestamp) {
        self.0.insert(signing.to_hex(), now.seconds());
    }

    /// To stand in front of the certificate: the mark, the length of what follows, JSON. Nothing if there are none.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, CertificateError> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let unwritten = |error: &dyn std::fmt::Display| CertificateError::Library(error.to_string());
        let json = serde_json::to_vec(&self.0).map_err(|error| unwritten(&error))?;
        let length = u32::try_from(json.len()).map_err(|error| unwritten(&error))?;
        Ok([&[MARK], length.to_be_bytes().as_slice(), &json].concat())
    }

    /// Reads them, and what stands behind them.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, &[u8]), CertificateError> {
        let Some((&MARK, rest)) = bytes.split_first() else { return Ok((Self::default(), bytes)) };
        let cut = || CertificateError::Malformed("it is cut off".into());
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| cut())?;
        let (json, behind) = rest.split_at_checked(length).ok_or_else(cut)?;
        let arrivals =
            serde_json::from_slice(json).map_err(|error| CertificateError::Malformed(error.to_string()))?;
        Ok((Self(arrivals), behind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_in_front_of_a_certificate_is_read_and_one_without_is_left_alone() {
        let mut arrivals = Arrivals::default();
        assert!(arrivals.to_bytes().unwrap().is_empty());
        let key = openpgp::Fingerprint::from_bytes(4, &[7; 20]).unwrap();
        arrivals.note(&key, Timestamp::from_seconds(500));
        let mut bytes = arrivals.to_bytes().unwrap();
        bytes.extend([0x94, 1, 2]);
        assert!(Arrivals::read(&bytes[..20]).is_err());
        let (read, behind) = Arrivals::read(&bytes).unwrap();
        assert_eq!((read.of(&key), behind), (Some(Timestamp::from_seconds(500)), &[0x94, 1, 2][..]));
        assert_eq!(Arrivals::read(&[0x94, 0]).unwrap(), (Arrivals::default(), &[0x94, 0][..]));
    }
}
