//! libpam as a program calls it, with a conversation that a test writes.
#![expect(unsafe_code, reason = "libpam is a C library")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;

pub(crate) const SUCCESS: c_int = 0;
pub(crate) const PERM_DENIED: c_int = 6;
pub(crate) const AUTH_ERR: c_int = 7;
pub(crate) const AUTHINFO_UNAVAIL: c_int = 9;
pub(crate) const MAXTRIES: c_int = 11;
pub(crate) const SESSION_ERR: c_int = 14;
pub(crate) const CRED_UNAVAIL: c_int = 15;
pub(crate) const AUTHTOK_ERR: c_int = 20;
pub(crate) const AUTHTOK_RECOVERY_ERR: c_int = 21;
pub(crate) const AUTHTOK_LOCK_BUSY: c_int = 22;
/// What `bench` makes of an IGNORE: the next line of its stacks answers `PAM_CRED_EXPIRED`.
pub(crate) const IGNORED: c_int = 16;

pub(crate) const USER: c_int = 2;
pub(crate) const TTY: c_int = 3;
pub(crate) const RHOST: c_int = 4;
pub(crate) const RUSER: c_int = 8;

pub(crate) const SILENT: c_int = 0x8000;
pub(crate) const CHANGE_EXPIRED: c_int = 0x20;

pub(crate) const ECHO_OFF: c_int = 1;
pub(crate) const ECHO_ON: c_int = 2;
pub(crate) const ERROR_MSG: c_int = 3;
pub(crate) const TEXT_INFO: c_int = 4;

/// What the program's conversation does with one message.
pub(crate) enum Say {
    /// A response with this string.
    Text(Vec<u8>),
    /// A response without a string, as to a message that only informs.
    Nothing,
    /// Success, but no response at all.
    NoResponse,
    /// `PAM_CONV_ERR`
    Fail,
}

pub(crate) fn text(answer: &str) -> Say {
    Say::Text(answer.into())
}

type Person = Box<dyn FnMut(&mut Program, c_int, &str) -> Say>;

/// What a conversation may do to its transaction.
pub(crate) struct Program {
    handle: *mut c_void,
}

/// One PAM transaction.
pub(crate) struct Transaction {
    program: Program,
    stage: *mut Stage,
}

/// What libpam hands back to the conversation.
struct Stage {
    person: Person,
    handle: *mut c_void,
    shown: Vec<(c_int, String)>,
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
    function: Option<ConvFn>,
    data: *mut c_void,
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
    fn pam_acct_mgmt(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_open_session(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_close_session(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_chauthtok(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_setcred(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_set_item(handle: *mut c_void, item: c_int, value: *const c_void) -> c_int;
    fn pam_end(handle: *mut c_void, status: c_int) -> c_int;
}

impl Transaction {
    /// Begins one. `None` for the person: a conversation without a function.
    pub(crate) fn start(service: &str, user: Option<&str>, folder: &Path, person: Option<Person>) -> Self {
        let function: Option<ConvFn> = person.as_ref().map(|_| converse as ConvFn);
        let person = person.unwrap_or_else(|| Box::new(|_, _, _| Say::Fail));
        let stage = Box::into_raw(Box::new(Stage { person, handle: ptr::null_mut(), shown: Vec::new() }));
        let conv = Conv { function, data: stage.cast() };
        let service = CString::new(service).unwrap();
        let user = user.map(|user| CString::new(user).unwrap());
        let folder = CString::new(folder.to_str().unwrap()).unwrap();
        let mut handle = ptr::null_mut();
        // SAFETY: strings end in a zero and live through the call; libpam copies them and `conv`.
        let code = unsafe {
            pam_start_confdir(
                service.as_ptr(),
                user.as_ref().map_or(ptr::null(), |user| user.as_ptr()),
                &raw const conv,
                folder.as_ptr(),
                &raw mut handle,
            )
        };
        assert_eq!(code, SUCCESS, "pam_start_confdir");
        // SAFETY: just made, and nobody else has it yet.
        unsafe { (*stage).handle = handle };
        Self { program: Program { handle }, stage }
    }

    pub(crate) fn set(&mut self, item: c_int, value: &str) {
        self.program.set(item, value);
    }

    pub(crate) fn authenticate(&mut self, flags: c_int) -> c_int {
        // SAFETY: a live handle.
        unsafe { pam_authenticate(self.program.handle, flags) }
    }

    pub(crate) fn account(&mut self) -> c_int {
        // SAFETY: a live handle.
        unsafe { pam_acct_mgmt(self.program.handle, 0) }
    }

    pub(crate) fn setcred(&mut self) -> c_int {
        // SAFETY: a live handle; 2 is PAM_ESTABLISH_CRED.
        unsafe { pam_setcred(self.program.handle, 2) }
    }

    pub(crate) fn open_session(&mut self) -> c_int {
        // SAFETY: a live handle.
        unsafe { pam_open_session(self.program.handle, 0) }
    }

    pub(crate) fn close_session(&mut self) -> c_int {
        // SAFETY: a live handle.
        unsafe { pam_close_session(self.program.handle, 0) }
    }

    pub(crate) fn chauthtok(&mut self, flags: c_int) -> c_int {
        // SAFETY: a live handle.
        unsafe { pam_chauthtok(self.program.handle, flags) }
    }

    /// All six hooks, as a program that lets nothing stop it would call them.
    pub(crate) fn all_hooks(&mut self) -> [c_int; 6] {
        let login = [self.authenticate(0), self.account(), self.setcred()];
        let session = [self.open_session(), self.close_session(), self.chauthtok(0)];
        [login, session].concat().try_into().unwrap()
    }

    /// All that the person was shown so far, with its style.
    pub(crate) fn shown(&self) -> &[(c_int, String)] {
        // SAFETY: the stage lives as long as the transaction; no conversation runs now.
        unsafe { &(*self.stage).shown }
    }

    /// Without what `pam_debug.so`, the next line of the stack, says of itself.
    pub(crate) fn shown_by_the_module(&self) -> Vec<&str> {
        let texts = self.shown().iter().map(|(_, text)| text.as_str());
        texts.filter(|text| !text.ends_with("=cred_expired")).collect()
    }

    /// The texts of one style, in one piece.
    pub(crate) fn shown_as(&self, style: c_int) -> String {
        self.shown().iter().filter(|(s, _)| *s == style).map(|(_, text)| text.as_str()).collect()
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // SAFETY: a live handle, used no more.
        unsafe { pam_end(self.program.handle, 0) };
        // SAFETY: made by `into_raw`; libpam is done with it.
        drop(unsafe { Box::from_raw(self.stage) });
    }
}

impl Program {
    pub(crate) fn set(&mut self, item: c_int, value: &str) {
        let value = CString::new(value).unwrap();
        // SAFETY: a live handle; libpam copies the string.
        let code = unsafe { pam_set_item(self.handle, item, value.as_ptr().cast()) };
        assert_eq!(code, SUCCESS, "pam_set_item");
    }
}

extern "C" fn converse(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    assert_eq!(count, 1, "the module sends one message at a time");
    // SAFETY: the data given with the conversation; nothing else looks at it during the call.
    let stage = unsafe { &mut *data.cast::<Stage>() };
    // SAFETY: libpam's contract: an array of one pointer.
    let message = unsafe { *messages };
    // SAFETY: the pointer to one message, which lives through the call.
    let message = unsafe { &*message };
    // SAFETY: a string that ends in a zero.
    let question = unsafe { CStr::from_ptr(message.text) }.to_str().unwrap().to_owned();
    stage.shown.push((message.style, question.clone()));
    let mut program = Program { handle: stage.handle };
    let string = match (stage.person)(&mut program, message.style, &question) {
        Say::Fail => return 19,
        Say::NoResponse => return SUCCESS,
        Say::Nothing => ptr::null_mut(),
        Say::Text(bytes) => {
            let bytes = CString::new(bytes).unwrap();
            // SAFETY: a string that ends in a zero; the module frees the copy.
            unsafe { libc::strdup(bytes.as_ptr()) }
        }
    };
    // SAFETY: plain allocation; the module frees it.
    let response = unsafe { libc::calloc(1, size_of::<Response>()) }.cast::<Response>();
    // SAFETY: just allocated and zeroed.
    unsafe { (*response).text = string };
    // SAFETY: libpam's contract: a place for the array.
    unsafe { *responses = response };
    SUCCESS
}
