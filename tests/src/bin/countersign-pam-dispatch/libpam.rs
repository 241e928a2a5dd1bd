//! The C library.
#![expect(unsafe_code, reason = "libpam is a C library")]

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;

/// One handle and these calls.
pub(crate) fn run(folder: &str, service: &str, calls: &[&str]) -> Result<Vec<c_int>, String> {
    let (folder, service) = (text(folder)?, text(service)?);
    let conv = Conv { function: converse, data: ptr::null_mut() };
    let mut handle = ptr::null_mut();
    // SAFETY: strings end in a zero and live through the call, as does `conv`, which libpam copies.
    let code = unsafe {
        pam_start_confdir(
            service.as_ptr(),
            c"root".as_ptr(),
            &raw const conv,
            folder.as_ptr(),
            &raw mut handle,
        )
    };
    if code != 0 {
        return Err(format!("pam_start_confdir answered {code}"));
    }
    let codes = calls.iter().map(|call| one(handle, call)).collect();
    // SAFETY: the handle of above, used no more.
    unsafe { pam_end(handle, 0) };
    codes
}

fn one(handle: *mut c_void, call: &str) -> Result<c_int, String> {
    const ESTABLISH: c_int = 2;
    Ok(match call {
        // SAFETY: a live handle, here and below.
        "authenticate" => unsafe { pam_authenticate(handle, 0) },
        // SAFETY: as above.
        "setcred" => unsafe { pam_setcred(handle, ESTABLISH) },
        // SAFETY: as above.
        "account" => unsafe { pam_acct_mgmt(handle, 0) },
        // SAFETY: as above.
        "open" => unsafe { pam_open_session(handle, 0) },
        // SAFETY: as above.
        "close" => unsafe { pam_close_session(handle, 0) },
        // SAFETY: as above.
        "chauthtok" => unsafe { pam_chauthtok(handle, 0) },
        other => return Err(format!("there is no call {other:?}")),
    })
}

fn text(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|error| error.to_string())
}

type ConvFn = extern "C" fn(c_int, *const *const c_void, *mut *mut c_void, *mut c_void) -> c_int;

#[repr(C)]
struct Conv {
    function: ConvFn,
    data: *mut c_void,
}

/// Nobody is there to be asked; `pam_debug.so` only shows text.
extern "C" fn converse(
    count: c_int,
    _messages: *const *const c_void,
    responses: *mut *mut c_void,
    _data: *mut c_void,
) -> c_int {
    const BUF_ERR: c_int = 5;
    const RESPONSE: usize = 2 * size_of::<*mut c_void>();
    let Ok(length) = usize::try_from(count) else { return BUF_ERR };
    // SAFETY: plain allocation, zeroed: no text in any response. libpam's caller frees it.
    let empty = unsafe { calloc(length, RESPONSE) };
    // SAFETY: libpam's contract: a place for the array.
    unsafe { *responses = empty };
    0
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conv: *const Conv,
        folder: *const c_char,
        handle: *mut *mut c_void,
    ) -> c_int;
    fn pam_authenticate(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_setcred(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_open_session(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_close_session(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_chauthtok(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_end(handle: *mut c_void, status: c_int) -> c_int;
}

unsafe extern "C" {
    fn calloc(count: usize, size: usize) -> *mut c_void;
}
