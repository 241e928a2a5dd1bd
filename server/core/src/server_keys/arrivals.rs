//! When pairs that were made elsewhere came into the store: hosts hear of them from then on, whenever they were made.

use std::collections::BTreeMap;

use countersign_protocol::certificate::CertificateError;
use countersign_protocol::clock::Timestamp;

/// By the time at which a pair says that it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Arrivals(BTreeMap<Timestamp, Timestamp>);

/// No packet of OpenPGP begins with it.
const MARK: u8 = 0;

impl Arrivals {
    /// Since when hosts are told of the pair that says `created`, if it came from elsewhere.
    pub(super) fn of(&self, created: Timestamp) -> Option<Timestamp> {
        self.0.get(&created).copied()
    }

    pub(super) fn note(&mut self, created: Timestamp, now: Timestamp) {
        self.0.insert(created, now);
    }

    /// In front of the certificate: the mark, how many, and so many pairs of times. Nothing if there are none.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let Ok(count @ 1..) = u16::try_from(self.0.len()) else { return Vec::new() };
        let mut bytes = vec![MARK];
        bytes.extend(count.to_be_bytes());
        for (created, arrived) in &self.0 {
            bytes.extend(created.seconds().to_be_bytes());
            bytes.extend(arrived.seconds().to_be_bytes());
        }
        bytes
    }

    /// Reads them, and what stands behind them.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, &[u8]), CertificateError> {
        let Some((&MARK, rest)) = bytes.split_first() else { return Ok((Self::default(), bytes)) };
        let cut = || CertificateError::Malformed("it is cut off".into());
        let (count, mut rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
        let mut arrivals = Self::default();
        for _ in 0..u16::from_be_bytes(*count) {
            let (created, behind) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
            let (arrived, behind) = behind.split_first_chunk::<8>().ok_or_else(cut)?;
            let time = |bytes: &[u8; 8]| Timestamp::from_seconds(i64::from_be_bytes(*bytes));
            arrivals.note(time(created), time(arrived));
            rest = behind;
        }
        Ok((arrivals, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_in_front_of_a_certificate_is_read_and_one_without_is_left_alone() {
        let mut arrivals = Arrivals::default();
        assert!(arrivals.to_bytes().is_empty());
        arrivals.note(Timestamp::from_seconds(1), Timestamp::from_seconds(500));
        arrivals.note(Timestamp::from_seconds(2), Timestamp::from_seconds(600));
        let mut bytes = arrivals.to_bytes();
        bytes.extend([0x94, 1, 2]);
        assert_eq!(Arrivals::read(&bytes).unwrap(), (arrivals, &[0x94, 1, 2][..]));
        assert_eq!(Arrivals::read(&[0x94, 0]).unwrap(), (Arrivals::default(), &[0x94, 0][..]));
        assert!(Arrivals::read(&bytes[..20]).is_err());
    }
}
