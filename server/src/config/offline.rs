//! `[offline]`: what hosts may do while they cannot reach this server.

use countersign_server_core::roster::OfflineRules;
use serde::{Deserialize, Serialize};

use super::Unfit;

/// What hosts may do while they cannot reach this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Offline {
    /// How long a host may go on letting people in; 0 for not at all.
    pub hours: u32,
    /// How often each account may log in on one host in that time; 0 for never.
    pub uses: u32,
}

impl Default for Offline {
    fn default() -> Self {
        Self { hours: 24, uses: 20 }
    }
}

impl Offline {
    /// Most hours: as long as a roster may live.
    const HOURS: u32 = 168;

    /// Most uses: nobody logs in more often in a week.
    const USES: u32 = 1000;

    /// As the core wants them.
    pub(super) const fn rules(self) -> OfflineRules {
        OfflineRules::new(self.hours, self.uses)
    }

    /// Neither is without end.
    pub(super) fn check(&self) -> Result<(), Unfit> {
        for (key, value, most) in
            [("offline.hours", self.hours, Self::HOURS), ("offline.uses", self.uses, Self::USES)]
        {
            if value > most {
                return Err(Unfit::new(key, format!("is {value}; at most {most} are possible")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_with;
    use super::*;

    #[test]
    fn offline_may_be_switched_off_and_not_be_without_end() {
        let with = |offline: &str| read_with(&format!("[offline]\n{offline}\n"));
        assert_eq!(with("hours = 0").unwrap().offline, Offline { hours: 0, uses: 20 });
        assert_eq!(with("uses = 0").unwrap().offline, Offline { hours: 24, uses: 0 });
        assert!(with("hours = 168\nuses = 1000").is_ok());
        assert!(with("hours = 169").unwrap_err().to_string().contains("offline.hours is 169; at most 168"));
        assert!(with("uses = 1001").unwrap_err().to_string().contains("offline.uses is 1001; at most 1000"));
        assert!(with("days = 1").is_err());
        assert!(with("hours = -1").is_err());
    }
}
