//! The C edge: the six entries, what libpam hands over as raw pointers, and `syslog(3)`.
//!
//! The entries are ours, not those of `pam_hooks!`: that macro turns a panic into `PAM_ABORT`, and drops the panic's payload
//! outside its guard. Handle, items, data and conversation are the crate's.

use std::ffi::{CStr, c_char, c_int};

use countersign_protocol::random::SystemRandom;
use pam::constants::PamFlag;
use pam::conv::Conv;
use pam::items::Item as _;
use pam::module::PamHandle;

use crate::guard::guarded;
use crate::handle::Handle;
use crate::hook;
use crate::outcome::{self, Hook, Outcome};
use crate::permit::{Memory, SessionMark};

/// Authentication (`man 3 pam_sm_authenticate`).
///
/// # Safety
/// To be called by libpam: see [`enter`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pam_sm_authenticate(
    pamh: *mut PamHandle,
    flags: PamFlag,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: libpam's contract for a hook is the one `enter` asks for.
    unsafe { enter(Hook::Authenticate, pamh, flags, argc, argv) }
}

/// Credentials (`man 3 pam_sm_setcred`).
///
/// # Safety
/// To be called by libpam: see [`enter`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pam_sm_setcred(
    pamh: *mut PamHandle,
    flags: PamFlag,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: libpam's contract for a hook is the one `enter` asks for.
    unsafe { enter(Hook::Setcred, pamh, flags, argc, argv) }
}

/// Account check (`man 3 pam_sm_acct_mgmt`).
///
/// # Safety
/// To be called by libpam: see [`enter`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pam_sm_acct_mgmt(
    pamh: *mut PamHandle,
    flags: PamFlag,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: libpam's contract for a hook is the one `enter` asks for.
    unsafe { enter(Hook::Account, pamh, flags, argc, argv) }
}

/// The beginning of a session (`man 3 pam_sm_open_session`).
///
/// # Safety
/// To be called by libpam: see [`enter`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pam_sm_open_session(
    pamh: *mut PamHandle,
    flags: PamFlag,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: libpam's contract for a hook is the one `enter` asks for.
    unsafe { enter(Hook::OpenSession, pamh, flags, argc, argv) }
}

/// The end of a session (`man 3 pam_sm_close_session`).
///
/// # Safety
/// To be called by libpam: see [`enter`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pam_sm_close_session(
    pamh: *mut PamHandle,
    flags: PamFlag,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: libpam's contract for a hook is the one `enter` asks for.
    unsafe { enter(Hook::CloseSession, pamh, flags, argc, argv) }
}

/// The change of a password (`man 3 pam_sm_chauthtok`).
///
/// # Safety
/// To be called by libpam: see [`enter`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pam_sm_chauthtok(
    pamh: *mut PamHandle,
    flags: PamFlag,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: libpam's contract for a hook is the one `enter` asks for.
    unsafe { enter(Hook::Chauthtok, pamh, flags, argc, argv) }
}

/// What an earlier hook of this module left in the handle under `key`.
pub(crate) fn memory<'a>(pamh: &'a PamHandle, key: &str) -> Option<&'a Memory> {
    // SAFETY: only `Handle::remember` stores under this key, which carries the module's name and version, and
    // it stores a `Memory`; libpam keeps data of one handle apart from that of all others.
    unsafe { pamh.get_data::<Memory>(key) }.ok()
}

/// What `open_session` left in the handle under `key`.
pub(crate) fn session<'a>(pamh: &'a PamHandle, key: &str) -> Option<&'a SessionMark> {
    // SAFETY: as above; under this key lies what `Handle::remember_session` stores.
    unsafe { pamh.get_data::<SessionMark>(key) }.ok()
}

/// Whether the program gave a function to converse with.
pub(crate) fn converses(conversation: Conv<'_>) -> bool {
    let raw = conversation.into_raw().cast::<Option<unsafe extern "C" fn()>>();
    // SAFETY: `struct pam_conv` (pam_conv(3)) begins with a pointer to a function, which may be null; libpam keeps it
    // for as long as its handle lives.
    unsafe { raw.as_ref() }.is_some_and(Option::is_some)
}

/// Writes one line to the log, under the name that the calling program gave itself.
pub(crate) fn write_log(priority: c_int, line: &CStr) {
    // SAFETY: the format takes exactly one string, and `line` is one that lives through the call.
    unsafe { libc::syslog(libc::LOG_AUTHPRIV | priority, c"%s".as_ptr(), line.as_ptr()) }
}

/// # Safety
/// `pamh` is null or a live PAM handle that nothing else uses during the call; `argv` holds `argc` pointers,
/// each null or to a string that ends in a zero and lives through the call.
unsafe fn enter(
    hook: Hook,
    pamh: *mut PamHandle,
    flags: PamFlag,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    guarded(hook, || {
        // SAFETY: null or live and ours, by this function's contract.
        let pamh = unsafe { pamh.as_mut() };
        // SAFETY: the same contract.
        let words = unsafe { words(argc, argv) };
        match (pamh, words) {
            (Some(pamh), Some(words)) => hook::run(hook, Handle::new(pamh), flags, &words, &SystemRandom),
            _ => outcome::code(hook, &Outcome::Broken),
        }
    })
}

/// # Safety
/// As [`enter`] for `argc` and `argv`.
unsafe fn words<'a>(argc: c_int, argv: *const *const c_char) -> Option<Vec<&'a CStr>> {
    let argc = usize::try_from(argc).ok()?;
    if argc == 0 {
        return Some(Vec::new());
    }
    if argv.is_null() {
        return None;
    }
    // SAFETY: not null, and `argc` pointers long by contract.
    let words = unsafe { std::slice::from_raw_parts(argv, argc) };
    words
        .iter()
        .map(|word| {
            // SAFETY: not null, and a string that lives through the hook by contract.
            (!word.is_null()).then(|| unsafe { CStr::from_ptr(*word) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_pointers_are_refused_and_not_followed() {
        // SAFETY: null is allowed by the entries' contract.
        let code = unsafe { pam_sm_authenticate(std::ptr::null_mut(), 0, 0, std::ptr::null()) };
        assert_eq!(code, pam::constants::PamResultCode::PAM_AUTH_ERR as c_int);
        // SAFETY: as above.
        let code = unsafe { pam_sm_acct_mgmt(std::ptr::null_mut(), 0, 3, std::ptr::null()) };
        assert_eq!(code, pam::constants::PamResultCode::PAM_PERM_DENIED as c_int);
        // SAFETY: as above.
        let code = unsafe { pam_sm_open_session(std::ptr::null_mut(), 0, 0, std::ptr::null()) };
        assert_eq!(code, pam::constants::PamResultCode::PAM_SESSION_ERR as c_int);
        // SAFETY: as above.
        let code = unsafe { pam_sm_close_session(std::ptr::null_mut(), 0, 0, std::ptr::null()) };
        assert_eq!(code, pam::constants::PamResultCode::PAM_SESSION_ERR as c_int);
        // SAFETY: as above.
        let code = unsafe { pam_sm_chauthtok(std::ptr::null_mut(), 0, -1, std::ptr::null()) };
        assert_eq!(code, pam::constants::PamResultCode::PAM_AUTHTOK_ERR as c_int);
        // SAFETY: a null array with a count and a negative count are refused before they are followed.
        assert!(unsafe { words(1, std::ptr::null()) }.is_none());
        // SAFETY: as above.
        assert!(unsafe { words(-1, std::ptr::null()) }.is_none());
        let array = [c"debug".as_ptr(), std::ptr::null()];
        // SAFETY: two pointers, one to a string and one null.
        assert!(unsafe { words(2, array.as_ptr()) }.is_none());
        // SAFETY: one pointer to a string.
        assert_eq!(unsafe { words(1, array.as_ptr()) }.unwrap(), [c"debug"]);
    }
}
