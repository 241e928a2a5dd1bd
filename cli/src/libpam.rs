//! libpam, as a login program uses it: for a trial login of `countersign pam`.
#![expect(unsafe_code, reason = "libpam is a C library")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

use countersign_protocol::ipc::{Conversation, NoteKind};
use secrecy::{ExposeSecret as _, SecretString};

/// A PAM handle.
pub(crate) struct Transaction<'p> {
    handle: *mut c_void,
    last: c_int,
    /// From a box; libpam has it too, for the conversation.
    person: *mut Person<'p>,
}

struct Person<'p> {
    /// Who answers; nobody cancels at the first question.
    conversation: Option<&'p mut dyn Conversation>,
    question: Option<String>,
}

impl<'p> Transaction<'p> {
    /// `pam_start`; without a conversation every question is left unanswered, and failing costs no time.
    ///
    /// # Errors
    /// What libpam said.
    pub(crate) fn start(
        service: &str,
        login: &str,
        conversation: Option<&'p mut dyn Conversation>,
    ) -> Result<Self, String> {
        let text = |text: &str| CString::new(text).map_err(|error| error.to_string());
        let (service, login) = (text(service)?, text(login)?);
        let waits = conversation.is_some();
        let person = Box::into_raw(Box::new(Person { conversation, question: None }));
        let conv = Conv { function: converse, data: person.cast() };
        let mut handle = ptr::null_mut();
        // SAFETY: strings end in a zero and live through the call, as does `conv`, which libpam copies; `person`
        // outlives the handle.
        let code = unsafe { pam_start(service.as_ptr(), login.as_ptr(), &raw const conv, &raw mut handle) };
        if code != SUCCESS || handle.is_null() {
            // SAFETY: from a box, and there is no handle that knows it.
            drop(unsafe { Box::from_raw(person) });
            return Err(format!("libpam could not start: code {code}"));
        }
        if !waits {
            let function: DelayFn = no_delay;
            // SAFETY: a live handle; for this item libpam wants a function of that type, and keeps its address.
            unsafe { pam_set_item(handle, FAIL_DELAY, function as *const c_void) };
        }
        Ok(Self { handle, last: SUCCESS, person })
    }

    /// Tells modules which terminal it is.
    pub(crate) fn set_terminal(&mut self, name: &str) {
        if let Ok(name) = CString::new(name) {
            // SAFETY: a live handle, and a string that libpam copies.
            unsafe { pam_set_item(self.handle, TTY, name.as_ptr().cast()) };
        }
    }

    /// `pam_authenticate`
    pub(crate) fn authenticate(&mut self) -> c_int {
        // SAFETY: a live handle.
        self.last = unsafe { pam_authenticate(self.handle, 0) };
        self.last
    }

    /// `pam_acct_mgmt`
    pub(crate) fn account(&mut self) -> c_int {
        // SAFETY: a live handle.
        self.last = unsafe { pam_acct_mgmt(self.handle, 0) };
        self.last
    }

    /// `pam_setcred`, and takes them away again.
    pub(crate) fn credentials(&mut self) -> c_int {
        const ESTABLISH: c_int = 0x2;
        const DELETE: c_int = 0x4;
        // SAFETY: a live handle.
        self.last = unsafe { pam_setcred(self.handle, ESTABLISH) };
        // SAFETY: as above.
        unsafe { pam_setcred(self.handle, DELETE) };
        self.last
    }

    /// The first question that nobody answered.
    pub(crate) fn question(&self) -> Option<String> {
        // SAFETY: from a box that is dropped with this; no call of libpam is on, so nobody else looks at it.
        unsafe { &*self.person }.question.clone()
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // SAFETY: a live handle, used no more.
        unsafe { pam_end(self.handle, self.last) };
        // SAFETY: from a box, and the handle that knew it is gone.
        drop(unsafe { Box::from_raw(self.person) });
    }
}

const SUCCESS: c_int = 0;
const CONV_ERR: c_int = 19;
const TTY: c_int = 3;
const FAIL_DELAY: c_int = 10;
const ECHO_OFF: c_int = 1;
const ECHO_ON: c_int = 2;
const ERROR: c_int = 3;
const INFO: c_int = 4;

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
type DelayFn = extern "C" fn(c_int, u32, *mut c_void);

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
    fn pam_set_item(handle: *mut c_void, kind: c_int, item: *const c_void) -> c_int;
    fn pam_authenticate(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_setcred(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_end(handle: *mut c_void, status: c_int) -> c_int;
}

unsafe extern "C" {
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
}

extern "C" fn no_delay(_code: c_int, _micros: u32, _data: *mut c_void) {}

extern "C" fn converse(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    // SAFETY: the data given with the conversation; nothing else looks at it during the call.
    let person = unsafe { &mut *data.cast::<Person<'_>>() };
    let Ok(length) = usize::try_from(count) else { return CONV_ERR };
    // SAFETY: an array of that many, zeroed; whoever asked frees it.
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
        let shown = unsafe { CStr::from_ptr(message.text) }.to_string_lossy();
        let Some(answer) = person.answer(message.style, &shown) else {
            give_up(answers, at);
            return CONV_ERR;
        };
        let Some(answer) = answer else { continue };
        let text = hand_over(&answer);
        // SAFETY: `at` is below the length that was allocated.
        let place = unsafe { answers.add(at) };
        // SAFETY: inside the allocation, which nobody else has yet.
        unsafe { (*place).text = text };
    }
    // SAFETY: libpam's contract: a place for the array.
    unsafe { *responses = answers };
    SUCCESS
}

impl Person<'_> {
    /// None: cancelled. None within: nothing is asked.
    fn answer(&mut self, style: c_int, text: &str) -> Option<Option<SecretString>> {
        match (style, &mut self.conversation) {
            (ERROR, Some(conversation)) => conversation.note(NoteKind::Error, text),
            (INFO, Some(conversation)) => conversation.note(NoteKind::Info, text),
            (ECHO_OFF, Some(conversation)) => return conversation.hidden(text).map(Some),
            (ECHO_ON, Some(conversation)) => return conversation.shown(text).map(|text| Some(text.into())),
            (ECHO_OFF | ECHO_ON, None) => {
                self.question.get_or_insert_with(|| text.to_owned());
                return None;
            }
            _ => {}
        }
        Some(None)
    }
}

/// The answer where libpam wants it: from malloc, a zero at its end, wiped and freed by the module.
fn hand_over(answer: &SecretString) -> *mut c_char {
    let bytes = answer.expose_secret().as_bytes();
    // SAFETY: plain allocation of one byte more than the answer, zeroed.
    let text = unsafe { calloc(bytes.len() + 1, 1) }.cast::<u8>();
    if text.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: both are at least that long, and the allocation is nobody else's.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), text, bytes.len()) };
    text.cast()
}

/// Frees what was answered before the one that was not; libpam takes no array with an error.
fn give_up(answers: *mut Response, answered: usize) {
    for at in 0..answered {
        // SAFETY: below the length that was allocated.
        let place = unsafe { answers.add(at) };
        // SAFETY: inside the allocation.
        let text = unsafe { (*place).text };
        if text.is_null() {
            continue;
        }
        // SAFETY: a string of ours that ends in a zero.
        let length = unsafe { CStr::from_ptr(text) }.count_bytes();
        for byte in 0..length {
            // SAFETY: inside that string.
            let byte = unsafe { text.add(byte) };
            // SAFETY: as above.
            unsafe { byte.write_volatile(0) };
        }
        // SAFETY: from calloc, and used no more.
        unsafe { free(text.cast()) };
    }
    // SAFETY: from calloc, and used no more.
    unsafe { free(answers.cast()) };
}
