//! What a module, and libpam, can answer.

use std::fmt;

/// A PAM return code that a module may give.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u8);

/// As control values and `pam_debug.so` spell them, by number (`_pam_types.h`). 31, "incomplete", is not here: it
/// takes the application back into a module and decides nothing.
const NAMES: [&str; 31] = [
    "success",
    "open_err",
    "symbol_err",
    "service_err",
    "system_err",
    "buf_err",
    "perm_denied",
    "auth_err",
    "cred_insufficient",
    "authinfo_unavail",
    "user_unknown",
    "maxtries",
    "new_authtok_reqd",
    "acct_expired",
    "session_err",
    "cred_unavail",
    "cred_expired",
    "cred_err",
    "no_module_data",
    "conv_err",
    "authtok_err",
    "authtok_recover_err",
    "authtok_lock_busy",
    "authtok_disable_aging",
    "try_again",
    "ignore",
    "abort",
    "authtok_expired",
    "module_unknown",
    "bad_item",
    "conv_again",
];

impl Code {
    /// Yes.
    pub const SUCCESS: Self = Self(0);
    /// What libpam says where nobody decided, and for lines that it cannot read.
    pub const PERM_DENIED: Self = Self(6);
    /// Yes, but the password must be changed first.
    pub const NEW_AUTHTOK_REQD: Self = Self(12);
    /// As if the module were not there.
    pub const IGNORE: Self = Self(25);
    /// The module, or its function, is missing.
    pub const MODULE_UNKNOWN: Self = Self(28);
    /// How many there are.
    pub const COUNT: usize = NAMES.len();

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0u8..).zip(NAMES).map(|(number, _)| Self(number))
    }

    /// From its name, as in a control value (`auth_err`) or a constant (`PAM_AUTH_ERR`).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.strip_prefix("PAM_").unwrap_or(name).to_ascii_lowercase();
        let name = if name == "authtok_recovery_err" { "authtok_recover_err" } else { name.as_str() };
        Self::all().find(|code| code.name() == name)
    }

    /// From libpam's number.
    #[must_use]
    pub fn numbered(number: i32) -> Option<Self> {
        Self::all().find(|code| i32::from(code.0) == number)
    }

    /// As control values spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.get(self.index()).copied().unwrap_or("?")
    }

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
