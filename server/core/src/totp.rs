//! Codes by time (RFC 6238): which step a typed code is of.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::limits;
use countersign_protocol::totp::{DIGITS, STEP, TotpSecret};
use subtle::ConstantTimeEq as _;
use totp_rs::{Algorithm, TOTP};

/// The step within reach of `now` whose code `typed` is. Every step within reach is computed and compared, so that time
/// does not tell which.
#[must_use]
pub(crate) fn step_of(secret: &TotpSecret, typed: &str, now: Timestamp) -> Option<i64> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    let here = u64::try_from(now.seconds()).ok()? / STEP;
    let first = here.saturating_sub(limits::TOTP_STEPS);
    let mut found = None;
    for step in first..=here + limits::TOTP_STEPS {
        if bool::from(code(secret, step * STEP).as_bytes().ct_eq(typed.as_bytes())) {
            found = i64::try_from(step).ok();
        }
    }
    found
}

/// The code that an authenticator program shows at this time, in seconds since 1970.
pub(crate) fn code(secret: &TotpSecret, time: u64) -> String {
    let secret = secret.expose().to_vec();
    TOTP::new_unchecked(Algorithm::SHA1, DIGITS, 0, STEP, secret, None, String::new()).generate(time)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use secrecy::ExposeSecret as _;

    use super::*;

    /// RFC 6238, appendix B, SHA-1; the last six of its eight digits.
    const VECTORS: [(u64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];

    fn secret() -> TotpSecret {
        TotpSecret::from_bytes(*b"12345678901234567890")
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        for (time, expected) in VECTORS {
            assert_eq!(code(&secret(), time), expected, "{time}");
        }
    }

    #[test]
    fn codes_are_those_of_oathtool() {
        for time in [59, 1_111_111_109, 1_795_348_800] {
            let told = Command::new("oathtool")
                .args(["--totp", "--base32", "--now", &format!("@{time}"), secret().base32().expose_secret()])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(told.stdout).unwrap().trim(), code(&secret(), time), "{time}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_or_late_and_no_more() {
        let at = |time: i64| step_of(&secret(), "081804", Timestamp::from_seconds(time));
        let step = 1_111_111_109 / 30;
        let begins = step * 30;
        for time in [begins - 30, begins, begins + 29, begins + 59] {
            assert_eq!(at(time), Some(step), "{time}");
        }
        for time in [begins - 31, begins + 60] {
            assert_eq!(at(time), None, "{time}");
        }
        let now = Timestamp::from_seconds(begins);
        assert_eq!(step_of(&secret(), "081 804", now), Some(step));
        for wrong in ["", "81804", "0818040", "081805", "０81804"] {
            assert_eq!(step_of(&secret(), wrong, now), None, "{wrong}");
        }
    }
}
