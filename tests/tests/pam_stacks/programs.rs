//! What programs call, and what lets somebody in.

/// How a program uses PAM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// authenticate, account, setcred, open_session in one handle.
    Asks,
    /// The same; credentials and session in a process that did not authenticate, as sshd does.
    AsksElsewhere,
    /// account, setcred, open_session: it authenticated in another way, or before, or nobody.
    KnowsAlready,
    /// authenticate and account: a locker, polkit.
    Checks,
}

/// One program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) service: &'static str,
    pub(crate) way: Way,
}

const fn program(name: &'static str, service: &'static str, way: Way) -> Program {
    Program { name, service, way }
}

/// Every program that ends in somebody being let in; services that a configuration does not have fall back to
/// `other`, as they do in libpam.
pub(crate) const PROGRAMS: [Program; 18] = [
    program("login", "login", Way::Asks),
    program("su", "su", Way::Asks),
    program("su -", "su-l", Way::Asks),
    program("sudo", "sudo", Way::Asks),
    program("sudo within its timestamp", "sudo", Way::KnowsAlready),
    program("sudo -i", "sudo-i", Way::Asks),
    program("sshd, typed", "sshd", Way::AsksElsewhere),
    program("sshd, key", "sshd", Way::KnowsAlready),
    program("greetd", "greetd", Way::Asks),
    program("lightdm", "lightdm", Way::Asks),
    program("lightdm, autologin", "lightdm-autologin", Way::Asks),
    program("gdm", "gdm-password", Way::Asks),
    program("gdm, finger", "gdm-fingerprint", Way::Asks),
    program("vlock", "vlock", Way::Checks),
    program("polkit", "polkit-1", Way::Checks),
    program("cron", "cron", Way::KnowsAlready),
    program("systemd --user", "systemd-user", Way::KnowsAlready),
    program("chsh", "chsh", Way::Checks),
];
