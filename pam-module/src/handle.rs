//! What PAM knows of this transaction.

use std::ffi::CStr;

use pam::constants::PamResultCode;
use pam::conv::Conv;
use pam::items::{Item, RHost, RUser, Service, Tty, User};
use pam::module::{PamHandle, PamResult};

use crate::ffi;
use crate::permit::{Memory, SessionMark};

/// A PAM handle, for the length of one hook.
pub(crate) struct Handle<'h> {
    raw: &'h mut PamHandle,
}

impl<'h> Handle<'h> {
    /// Around the handle that libpam gave.
    pub(crate) const fn new(raw: &'h mut PamHandle) -> Self {
        Self { raw }
    }

    /// Any item.
    pub(crate) fn item<'a, T: Item<'a>>(&'a self) -> PamResult<Option<T>> {
        self.raw.get_item()
    }

    /// `PAM_USER`; where the program set none, libpam asks for it.
    pub(crate) fn ask_user(&mut self) -> Result<String, PamResultCode> {
        self.raw.get_user(None)
    }

    /// `PAM_USER` as it stands now, without asking.
    pub(crate) fn user(&self) -> Option<String> {
        let user = self.item::<User<'_>>().ok()??;
        user.to_str().ok().map(str::to_owned)
    }

    /// `PAM_SERVICE`. libpam always has one.
    pub(crate) fn service(&self) -> Option<String> {
        let service = self.item::<Service<'_>>().ok()??;
        service.to_str().ok().map(str::to_owned)
    }

    /// `PAM_TTY`
    pub(crate) fn tty(&self) -> Option<String> {
        told(self.item::<Tty<'_>>().ok()?.map(|tty| tty.0))
    }

    /// `PAM_RHOST`. Anything in it makes the caller remote, so an item that cannot be had counts as something.
    pub(crate) fn remote_host(&self) -> Option<String> {
        match self.item::<RHost<'_>>() {
            Ok(host) => {
                told(host.map(|host| host.0)).map(|host| if host.is_empty() { "?".to_owned() } else { host })
            }
            Err(_) => Some("?".to_owned()),
        }
    }

    /// `PAM_RUSER`
    pub(crate) fn remote_user(&self) -> Option<String> {
        told(self.item::<RUser<'_>>().ok()?.map(|user| user.0))
    }

    /// Leaves something for the next hook in this very handle, in place of what was left before.
    pub(crate) fn remember(&mut self, memory: Memory) -> PamResult<()> {
        self.raw.set_data(MEMORY, Box::new(memory))
    }

    /// What an earlier hook left.
    pub(crate) fn memory(&self) -> Option<&Memory> {
        ffi::memory(self.raw, MEMORY)
    }

    /// Leaves word of a session that began.
    pub(crate) fn remember_session(&mut self, mark: SessionMark) -> PamResult<()> {
        self.raw.set_data(SESSION, Box::new(mark))
    }

    /// The session that began in this very handle.
    pub(crate) fn session(&self) -> Option<&SessionMark> {
        ffi::session(self.raw, SESSION)
    }

    /// Whether the program gave a function to converse with.
    pub(crate) fn converses(&self) -> bool {
        self.item::<Conv<'_>>().ok().flatten().is_some_and(ffi::converses)
    }
}

/// What the program says, for the agent to record as *claimed*: made printable text, and no longer than the
/// longest host name.
fn told(item: Option<&CStr>) -> Option<String> {
    let text = item?.to_string_lossy();
    (!text.is_empty()).then(|| text.chars().filter(|c| !c.is_control()).take(255).collect())
}

/// With the version in it: two releases of this module in one stack must not read each other's memory.
const MEMORY: &str = concat!("countersign-", env!("CARGO_PKG_VERSION"));
const SESSION: &str = concat!("countersign-session-", env!("CARGO_PKG_VERSION"));
