//! What other modules can answer.

use countersign_tests::pam_stack::{Code, Line};

pub(crate) const OURS: &str = "pam_countersign.so";

pub(crate) fn code(name: &str) -> Code {
    Code::named(name).expect(name)
}

/// Every code but the one that a module must not say unless it means it: a program that hears NEW_AUTHTOK_REQD has a
/// new password made and goes on, whatever the line's control value makes of it. The frozen table does not have it.
pub(crate) fn any_but_one() -> impl Iterator<Item = Code> {
    Code::all().filter(|code| *code != Code::NEW_AUTHTOK_REQD)
}

/// Whose yes says who somebody is, or that it is root who asks.
const AUTHENTICATORS: [&str; 5] =
    ["pam_unix.so", "pam_krb5.so", "pam_ldap.so", "pam_fprintd.so", "pam_rootok.so"];

/// Whose yes says that the caller is root already.
const ROOT: [&str; 2] = ["pam_rootok.so", "pam_succeed_if.so"];

pub(crate) fn vouches(line: &Line) -> bool {
    line.module().is_some_and(|module| AUTHENTICATORS.contains(&module))
}

pub(crate) fn says_root(line: &Line) -> bool {
    line.module().is_some_and(|module| ROOT.contains(&module))
}

pub(crate) fn is_ours(line: &Line) -> bool {
    line.module() == Some(OURS)
}

/// The line before ours that lets root at the console past it.
pub(crate) fn is_for_the_console(line: &Line) -> bool {
    matches!(line, Line::Module { module, arguments, .. }
        if module == "pam_succeed_if.so" && arguments.contains("service = login"))
}

/// One hook of libpam.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hook {
    Authenticate,
    Setcred,
    Account,
    Session,
    Preliminary,
    Update,
}

/// What a module says that always says the same.
pub(crate) fn constant(line: &Line, hook: Hook) -> Option<Code> {
    let Line::Module { module, arguments, .. } = line else { return None };
    match module.as_str() {
        "pam_permit.so" => Some(Code::SUCCESS),
        "pam_deny.so" => Some(refusal(hook)),
        // It is there to count, and never says yes.
        "pam_faillock.so" if arguments.contains("authfail") && hook == Hook::Authenticate => {
            Some(code("auth_err"))
        }
        _ => None,
    }
}

pub(crate) fn refusal(hook: Hook) -> Code {
    code(match hook {
        Hook::Authenticate | Hook::Account => "auth_err",
        Hook::Setcred => "cred_err",
        Hook::Session => "session_err",
        Hook::Preliminary | Hook::Update => "authtok_err",
    })
}

/// What a module says of an honest person who is not root, has the right password, and a good account.
pub(crate) fn honest(line: &Line, hook: Hook) -> Code {
    if let Some(code) = constant(line, hook) {
        return code;
    }
    match (line.module().unwrap_or_default(), hook) {
        ("pam_rootok.so" | "pam_succeed_if.so", Hook::Authenticate | Hook::Account | Hook::Session) => {
            code("auth_err")
        }
        // No finger was put on the reader; nobody has a Kerberos or directory account.
        ("pam_fprintd.so", Hook::Authenticate) => code("authinfo_unavail"),
        ("pam_krb5.so" | "pam_ldap.so", Hook::Authenticate) => code("user_unknown"),
        ("pam_krb5.so", Hook::Account) => Code::IGNORE,
        ("pam_ldap.so", Hook::Account) => code("user_unknown"),
        ("pam_gnome_keyring.so" | "pam_kwallet5.so", _) => Code::MODULE_UNKNOWN,
        ("pam_cap.so" | "pam_group.so" | "pam_selinux_permit.so", Hook::Authenticate) => Code::IGNORE,
        _ => Code::SUCCESS,
    }
}
