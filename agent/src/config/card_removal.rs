//! The section `[card_removal]`: what becomes of a session whose card is taken out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use countersign_protocol::ids::ServiceName;
use serde::Deserialize;

/// What to do, by the PAM service that opened the session.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CardRemoval {
    /// For services that are not named.
    pub default: OnRemoval,
    /// For these.
    pub services: BTreeMap<ServiceName, OnRemoval>,
    /// How long the card must be away, in seconds, 1 to 60: a card that was put in anew at once was not taken away.
    pub seconds: u64,
    /// logind's own program.
    pub loginctl: PathBuf,
}

/// What to do with the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnRemoval {
    /// It goes on.
    #[default]
    Nothing,
    /// Its screen is locked.
    Lock,
    /// It ends, and everything in it.
    End,
}

impl Default for CardRemoval {
    fn default() -> Self {
        Self {
            default: OnRemoval::Nothing,
            services: BTreeMap::new(),
            seconds: 3,
            loginctl: "/usr/bin/loginctl".into(),
        }
    }
}

impl CardRemoval {
    /// What becomes of a session that this service opened.
    #[must_use]
    pub fn of(&self, service: &ServiceName) -> OnRemoval {
        self.services.get(service).copied().unwrap_or(self.default)
    }

    /// Whether anything is ever done.
    #[must_use]
    pub fn is_on(&self) -> bool {
        std::iter::once(&self.default).chain(self.services.values()).any(|what| *what != OnRemoval::Nothing)
    }

    /// How long the card must be away.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if !(1..=60).contains(&self.seconds) {
            return Err(("seconds", "from 1 to 60"));
        }
        if !self.loginctl.is_absolute() {
            return Err(("loginctl", "the path must begin with /"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn a_session_goes_on_without_its_card_unless_the_file_says_otherwise() {
        let login: ServiceName = "login".parse().unwrap();
        assert!(!CardRemoval::default().is_on());
        let text = "[card_removal]\ndefault = \"lock\"\nservices = { login = \"end\", sshd = \"nothing\" }\n";
        let rules = Config::parse("x", text).unwrap().card_removal;
        assert_eq!((rules.of(&login), rules.patience().as_secs()), (OnRemoval::End, 3));
        assert_eq!(rules.of(&"sshd".parse().unwrap()), OnRemoval::Nothing);
        assert_eq!(rules.of(&"gdm-password".parse().unwrap()), OnRemoval::Lock);
        for wrong in [
            "default = \"reboot\"",
            "seconds = 0",
            "loginctl = \"loginctl\"",
            "services = { \"a b\" = \"end\" }",
        ] {
            assert!(Config::parse("x", &format!("[card_removal]\n{wrong}\n")).is_err(), "{wrong}");
        }
    }
}
