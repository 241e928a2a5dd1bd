//! How long to wait after each "no": the same question soon gets the same answer, and each one is an entry in the
//! server's ledger.

use std::time::Duration;

use crate::wire::LinkError;

/// The longest: what an administrator changes at the server is noticed within it. Whoever logs in has the server asked
/// at once.
const LONGEST: Duration = Duration::from_secs(600);

/// Doubles with each refusal, until something goes well.
#[derive(Debug)]
pub(super) struct Pauses {
    shortest: Duration,
    refusals: u32,
}

impl Pauses {
    /// From this one on. A server that says nothing is asked again after it, however often it was.
    pub(super) const fn from(shortest: Duration) -> Self {
        Self { shortest, refusals: 0 }
    }

    /// The pause after this failure.
    pub(super) fn after(&mut self, error: &LinkError) -> Duration {
        if !matches!(error, LinkError::Refused { .. }) {
            return self.shortest;
        }
        let pause = self.shortest.saturating_mul(2_u32.saturating_pow(self.refusals)).min(LONGEST);
        self.refusals = self.refusals.saturating_add(1);
        pause
    }

    /// It went well.
    pub(super) const fn are_over(&mut self) {
        self.refusals = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_doubles_the_pause_and_silence_does_not() {
        let refused = LinkError::Refused { correlation: "7K3M-Q2ZD".parse().unwrap(), clock_was_wrong: None };
        let silent = LinkError::Unreachable("gone".to_owned());
        let mut pauses = Pauses::from(Duration::from_secs(5));
        let mut seconds = || pauses.after(&refused).as_secs();
        assert_eq!([(); 9].map(|()| seconds()), [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(pauses.after(&silent).as_secs(), 5);
        assert_eq!(pauses.after(&refused).as_secs(), 600, "the server said no before it fell silent");
        pauses.are_over();
        assert_eq!(pauses.after(&refused).as_secs(), 5);
    }
}
