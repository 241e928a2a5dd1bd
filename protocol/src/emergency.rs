//! The emergency code of an account: on paper, for one login at the console of one host, when the card is not at hand.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::ids::ServiceName;
use crate::paper_code::PaperCode;
use crate::random::{NoRandomness, Random};

/// An emergency code, in its one spelling. It shows itself nowhere but on the wire and where [`Self::spelled`] is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmergencyCode(PaperCode);

/// What was typed has another length, or characters that no code has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an emergency code has 16 digits and letters, such as 7K3M-Q2ZD-04XR-9HFT")]
pub struct NotACode;

impl EmergencyCode {
    /// A fresh one. It has a letter: digits alone could be a PIN.
    ///
    /// # Errors
    /// No randomness.
    pub fn new(random: &dyn Random) -> Result<Self, NoRandomness> {
        loop {
            let code = PaperCode::fresh(random)?;
            if !code.plain().bytes().all(|byte| byte.is_ascii_digit()) {
                return Ok(Self(code));
            }
        }
    }

    /// What a person typed: any case, with spaces and dashes. Sixteen digits in one are somebody's PIN, which goes
    /// nowhere.
    ///
    /// # Errors
    /// [`NotACode`].
    pub fn typed(text: &str) -> Result<Self, NotACode> {
        if text.trim().bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotACode);
        }
        PaperCode::typed(text).map(Self).ok_or(NotACode)
    }

    /// For the paper: `7K3M-Q2ZD-04XR-9HFT`.
    #[must_use]
    pub fn spelled(&self) -> SecretString {
        self.0.spelled()
    }

    /// Its 16 characters, for whoever makes a verifier of them.
    #[cfg(feature = "envelope")]
    pub(crate) fn plain(&self) -> &str {
        self.0.plain()
    }
}

/// Whether a code may be typed for this PAM service: the console's own login, `su`, and the login screens of display
/// managers that ask question after question. Neither sudo, which asks many times a day, nor anything that serves people
/// far away; nor `sddm`, which has one field and would answer the question for a code with what is in it, or with nothing
/// before the card is in.
#[must_use]
pub fn is_console_service(service: &ServiceName) -> bool {
    const SERVICES: [&str; 11] =
        ["gdm-password", "gdm3", "greetd", "lightdm", "login", "lxdm", "ly", "slim", "su", "su-l", "xdm"];
    SERVICES.contains(&service.as_str())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn an_emergency_code_has_eighty_bits_and_may_be_typed_as_people_type() {
        let code = EmergencyCode::new(&SystemRandom).unwrap();
        let spelled = code.spelled();
        let spelled = spelled.expose_secret();
        assert_eq!((spelled.len(), spelled.matches('-').count()), (19, 3));
        for typed in [spelled.to_lowercase(), spelled.replace('-', ""), spelled.replace('-', " ") + "\n"] {
            assert_eq!(EmergencyCode::typed(&typed).unwrap(), code);
        }
        assert_ne!(EmergencyCode::new(&SystemRandom).unwrap(), code);
        for none in [
            "",
            "123456",
            "1234567890123456",
            " 1234567890123456\n",
            "7K3M-Q2ZD-04XR-9HF",
            "7K3M-Q2ZD-04XR-9HFTT",
            "7K3M-Q2ZD-04XR-9HFU",
        ] {
            assert_eq!(EmergencyCode::typed(none), Err(NotACode), "{none}");
        }
    }

    #[test]
    fn an_emergency_code_shows_itself_nowhere_and_has_one_spelling_on_the_wire() {
        let code = EmergencyCode::typed("7k3m q2zd 04xr 9hft").unwrap();
        assert_eq!(format!("{code:?}"), "EmergencyCode(…)");
        let wire = serde_json::to_string(&code).unwrap();
        assert_eq!(wire, "\"7K3M-Q2ZD-04XR-9HFT\"");
        assert_eq!(serde_json::from_str::<EmergencyCode>(&wire).unwrap(), code);
        for other in ["\"7k3m-q2zd-04xr-9hft\"", "\"7K3MQ2ZD04XR9HFT\"", "\"\"", "7"] {
            let error = serde_json::from_str::<EmergencyCode>(other).unwrap_err().to_string();
            assert!(!error.to_uppercase().contains("Q2ZD-04XR-9HFU"), "{error}");
        }
    }

    #[test]
    fn a_code_opens_the_console_and_nothing_that_serves_people_far_away() {
        for service in ["login", "su", "su-l", "gdm-password", "lightdm"] {
            assert!(is_console_service(&service.parse().unwrap()), "{service}");
        }
        for service in
            ["sudo", "sudo-i", "sshd", "sddm", "remote", "polkit-1", "vlock", "cron", "systemd-user", "other"]
        {
            assert!(!is_console_service(&service.parse().unwrap()), "{service}");
        }
    }
}
