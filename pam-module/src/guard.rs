//! No panic leaves the module.

use std::panic::{AssertUnwindSafe, catch_unwind};

use libc::c_int;
use pam::constants::PamResultCode;

use crate::outcome::{self, Hook, Outcome};

/// Runs a hook. A panic becomes the code that anything broken becomes, and one line in the log.
pub(crate) fn guarded(hook: Hook, body: impl FnOnce() -> PamResultCode) -> c_int {
    quieten();
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(code) => code as c_int,
        Err(payload) => {
            // Dropping it might panic again, here where nothing catches it.
            std::mem::forget(payload);
            outcome::code(hook, &Outcome::Broken) as c_int
        }
    }
}

/// The usual panic hook prints to the standard error of the program that called PAM, which may be a network
/// connection. This one is the module's own: the standard library is linked into it. It tells where, not what:
/// a panic's text might quote a secret.
#[cfg(not(test))]
fn quieten() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map_or_else(|| "?".to_owned(), ToString::to_string);
            let text = format!("a defect in the module: it panicked at {place}; please report it");
            crate::syslog::emergency(&text);
        }));
    });
}

/// Tests want to read what failed.
#[cfg(test)]
const fn quieten() {}

#[cfg(test)]
mod tests {
    use super::*;

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("again");
        }
    }

    #[test]
    fn panic_is_caught() {
        let failing: fn() -> PamResultCode = || panic!("on purpose");
        assert_eq!(guarded(Hook::Authenticate, failing), PamResultCode::PAM_AUTH_ERR as c_int);
        assert_eq!(guarded(Hook::Account, failing), PamResultCode::PAM_PERM_DENIED as c_int);
        assert_eq!(guarded(Hook::Setcred, failing), PamResultCode::PAM_CRED_UNAVAIL as c_int);
        assert_eq!(guarded(Hook::OpenSession, failing), PamResultCode::PAM_SESSION_ERR as c_int);
        assert_eq!(guarded(Hook::CloseSession, failing), PamResultCode::PAM_SESSION_ERR as c_int);
        assert_eq!(guarded(Hook::Chauthtok, failing), PamResultCode::PAM_AUTHTOK_ERR as c_int);
    }

    #[test]
    fn a_panic_that_panics_when_dropped_is_caught() {
        let code = guarded(Hook::Authenticate, || std::panic::panic_any(PanicsWhenDropped));
        assert_eq!(code, PamResultCode::PAM_AUTH_ERR as c_int);
    }

    #[test]
    fn what_the_hook_decided_is_passed_on() {
        let code = guarded(Hook::Authenticate, || PamResultCode::PAM_MAXTRIES);
        assert_eq!(code, PamResultCode::PAM_MAXTRIES as c_int);
    }
}
