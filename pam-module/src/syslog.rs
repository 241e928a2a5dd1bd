//! One line for the administrator, in the log where sshd and sudo write theirs (`LOG_AUTHPRIV`).
//!
//! `syslog(3)` and not a logging crate: the program that called PAM has opened the log under its own name, and
//! a module must not change that.

use std::ffi::CString;

use crate::ffi;
use crate::outcome::Hook;

/// Writes lines that begin like those of other PAM modules: `pam_countersign(sudo:auth): …`.
pub(crate) struct Log {
    head: String,
    /// The argument `debug`.
    pub(crate) debug: bool,
}

impl Log {
    /// For one hook of one service.
    pub(crate) fn new(service: Option<&str>, hook: Hook) -> Self {
        let hook = match hook {
            Hook::Authenticate => "auth",
            Hook::Account => "account",
            Hook::Setcred => "setcred",
            Hook::OpenSession | Hook::CloseSession => "session",
            Hook::Chauthtok => "chauthtok",
        };
        Self { head: format!("pam_countersign({}:{hook}): ", service.unwrap_or("?")), debug: false }
    }

    /// An administrator must do something.
    pub(crate) fn error(&self, text: &str) {
        self.write(libc::LOG_ERR, text);
    }

    /// Something is as root wants it, and should not stay so.
    pub(crate) fn warning(&self, text: &str) {
        self.write(libc::LOG_WARNING, text);
    }

    /// Somebody was turned away.
    pub(crate) fn notice(&self, text: &str) {
        self.write(libc::LOG_NOTICE, text);
    }

    /// Somebody was let in.
    pub(crate) fn info(&self, text: &str) {
        self.write(libc::LOG_INFO, text);
    }

    /// For someone who is looking for a fault.
    pub(crate) fn debug(&self, text: &str) {
        if self.debug {
            self.write(libc::LOG_DEBUG, text);
        }
    }

    fn write(&self, priority: i32, text: &str) {
        ffi::write_log(priority, &one_line(&format!("{}{text}", self.head)));
    }
}

/// Where there is no hook to speak of any more.
#[cfg(not(test))]
pub(crate) fn emergency(text: &str) {
    ffi::write_log(libc::LOG_CRIT, &one_line(&format!("pam_countersign: {text}")));
}

/// Nothing that came from outside may begin a second line.
fn one_line(text: &str) -> CString {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1000).collect();
    CString::new(line).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_cannot_begin_a_second_line() {
        assert_eq!(one_line("a\nsshd: b\0c\x1b").as_c_str(), c"a sshd: b c ");
    }
}
