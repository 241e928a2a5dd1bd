//! The section `[consent]`: where a login with a card stands for the next ones in the same terminal.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_protocol::ids::ServiceName;
use serde::Deserialize;

/// For which services, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Consent {
    /// None unless named: each login has a card of its own.
    pub services: BTreeSet<ServiceName>,
    /// From the login with the card on, 1 to 15. A login without it does not begin anew.
    pub minutes: u64,
}

impl Default for Consent {
    fn default() -> Self {
        Self { services: BTreeSet::new(), minutes: 5 }
    }
}

impl Consent {
    /// Whether a consent to this service may be used again.
    #[must_use]
    pub fn covers(&self, service: &ServiceName) -> bool {
        self.services.contains(service)
    }

    /// For how long.
    #[must_use]
    pub const fn life(&self) -> Duration {
        Duration::from_secs(60 * self.minutes)
    }

    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if (1..=15).contains(&self.minutes) { Ok(()) } else { Err(("minutes", "from 1 to 15")) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn no_consent_is_used_again_unless_the_file_says_so_and_never_for_long() {
        let sudo: ServiceName = "sudo".parse().unwrap();
        assert!(!Consent::default().covers(&sudo));
        let of =
            |text: &str| Config::parse("x", &format!("[consent]\n{text}\n")).map(|config| config.consent);
        let five = of("services = [\"sudo\"]").unwrap();
        assert!(five.covers(&sudo) && !five.covers(&"su".parse().unwrap()));
        assert_eq!(five.life(), Duration::from_secs(300));
        for wrong in ["minutes = 0", "minutes = 16", "services = [\"a b\"]", "forever = true"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
