//! libpam, called as a login program calls it.
#![expect(unsafe_code, reason = "libpam is a C library")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::time::{Duration, Instant};

/// What a person answers to questions without echo, complemented.
pub(crate) struct Hidden(Vec<u8>);

impl Hidden {
    /// From the complemented bytes.
    pub(crate) fn complement_of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// The answer where libpam wants it: from malloc, a zero at its end, wiped and freed by the module.
    fn hand_over(&self) -> *mut c_char {
        // SAFETY: plain allocation of one byte more than the answer, zeroed.
        let text = unsafe { calloc(self.0.len() + 1, 1) }.cast::<u8>();
        if text.is_null() {
            return ptr::null_mut();
        }
        for (at, byte) in self.0.iter().enumerate() {
            // SAFETY: `at` is below the length that was allocated.
            let place = unsafe { text.add(at) };
            // SAFETY: inside the allocation, which nobody else has yet.
            unsafe { place.write_volatile(!byte) };
        }
        text.cast()
    }
}

/// Which hooks are called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hooks {
    /// `pam_authenticate` alone.
    Authenticate,
    /// `pam_acct_mgmt` and `pam_setcred` after it, unless it fails.
    All,
}

/// How one login ended.
pub(crate) struct Ended {
    pub(crate) code: c_int,
    pub(crate) whole: Duration,
    pub(crate) total: Duration,
    pub(crate) after_pin: Option<Duration>,
    pub(crate) shown: Vec<String>,
}

/// `pam_start`, the hooks, `pam_end`.
pub(crate) fn log_in(
    hooks: Hooks,
    service: &str,
    login: &str,
    answer: Option<Hidden>,
) -> Result<Ended, String> {
    let (service, login) = (text(service)?, text(login)?);
    let mut stage = Stage { answer, answered: None, shown: Vec::new() };
    let conv = Conv { function: converse, data: (&raw mut stage).cast() };
    let mut handle = ptr::null_mut();
    let begun = Instant::now();
    // SAFETY: strings end in a zero and live through the call, as does `conv`, which libpam copies.
    let code = unsafe { pam_start(service.as_ptr(), login.as_ptr(), &raw const conv, &raw mut handle) };
    if code != SUCCESS {
        return Err(format!("pam_start answered {code}"));
    }
    let called = Instant::now();
    // SAFETY: a live handle; `stage` outlives it and is looked at by `converse` alone until the end.
    let mut code = unsafe { pam_authenticate(handle, 0) };
    let ended = Instant::now();
    if code == SUCCESS && hooks == Hooks::All {
        // SAFETY: as above.
        code = unsafe { pam_acct_mgmt(handle, 0) };
    }
    if code == SUCCESS && hooks == Hooks::All {
        // SAFETY: as above.
        code = unsafe { pam_setcred(handle, ESTABLISH_CRED) };
    }
    // SAFETY: the handle of above, used no more.
    unsafe { pam_end(handle, code) };
    Ok(Ended {
        code,
        whole: begun.elapsed(),
        total: ended.duration_since(called),
        after_pin: stage.answered.map(|answered| ended.duration_since(answered)),
        shown: stage.shown,
    })
}

fn text(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|error| error.to_string())
}

const SUCCESS: c_int = 0;
const CONV_ERR: c_int = 19;
const ECHO_OFF: c_int = 1;
const ECHO_ON: c_int = 2;
const ESTABLISH_CRED: c_int = 2;

/// What the conversation knows and learns.
struct Stage {
    answer: Option<Hidden>,
    answered: Option<Instant>,
    shown: Vec<String>,
}

#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct Response {
    text: *mut c_char,
    unused: c_int,
}

type ConvFn = extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int;

#[repr(C)]
struct Conv {
    function: ConvFn,
    data: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start(
        service: *const c_char,
        user: *const c_char,
        conv: *const Conv,
        handle: *mut *mut c_void,
    ) -> c_int;
    fn pam_authenticate(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_setcred(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_end(handle: *mut c_void, status: c_int) -> c_int;
}

unsafe extern "C" {
    fn calloc(count: usize, size: usize) -> *mut c_void;
}

extern "C" fn converse(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    // SAFETY: the data given with the conversation; nothing else looks at it during the call.
    let stage = unsafe { &mut *data.cast::<Stage>() };
    let Ok(length) = usize::try_from(count) else { return CONV_ERR };
    // SAFETY: an array of that many, zeroed; the module frees it.
    let answers = unsafe { calloc(length, size_of::<Response>()) }.cast::<Response>();
    if answers.is_null() {
        return CONV_ERR;
    }
    for at in 0..length {
        // SAFETY: libpam's contract: an array of `count` pointers.
        let message = unsafe { messages.add(at) };
        // SAFETY: one of them.
        let message = unsafe { *message };
        // SAFETY: it points to a message that lives through the call.
        let message = unsafe { &*message };
        // SAFETY: a string that ends in a zero.
        let shown = unsafe { CStr::from_ptr(message.text) };
        stage.shown.push(shown.to_string_lossy().into_owned());
        let answer = match message.style {
            ECHO_OFF => match &stage.answer {
                Some(answer) => answer.hand_over(),
                None => return CONV_ERR,
            },
            ECHO_ON => return CONV_ERR,
            _ => continue,
        };
        // SAFETY: `at` is below the length that was allocated.
        let place = unsafe { answers.add(at) };
        // SAFETY: inside the allocation, which nobody else has yet.
        unsafe { (*place).text = answer };
        stage.answered = Some(Instant::now());
    }
    // SAFETY: libpam's contract: a place for the array.
    unsafe { *responses = answers };
    SUCCESS
}
