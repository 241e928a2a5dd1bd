//! Debian and its kin: profiles for `pam-auth-update`, and one line in the file of `passwd`.

use std::fs;
use std::path::{Path, PathBuf};

use super::kept;
use super::lines;
use super::tools;
use crate::failure::Failure;

/// The profiles as they ship.
const PROFILES: [(&str, &str); 2] = [
    ("countersign", include_str!("../../../packaging/pam-configs/countersign")),
    ("countersign-session", include_str!("../../../packaging/pam-configs/countersign-session")),
];

const CONFIGS: &str = "/usr/share/pam-configs";
const NOTES: &str = "/var/lib/pam";
const COMMON: [&str; 5] = ["auth", "account", "password", "session", "session-noninteractive"];
const PASSWD: &str = "/etc/pam.d/passwd";

/// Every file that enabling may touch.
pub(crate) fn files() -> Vec<PathBuf> {
    let profiles = PROFILES.iter().map(|(name, _)| Path::new(CONFIGS).join(name));
    let saved = COMMON.iter().copied().chain(["seen"]).map(|name| Path::new(NOTES).join(name));
    profiles.chain([PathBuf::from(PASSWD)]).chain(saved).chain(common()).collect()
}

/// Writes profiles and lines, and holds the outcome to what was proven.
pub(crate) fn apply() -> Result<(), Failure> {
    for (name, text) in PROFILES {
        let path = Path::new(CONFIGS).join(name);
        if !path.exists() {
            kept::place(&path, text.as_bytes(), 0o644, 0, 0)?;
        }
    }
    // Not in common-password: pam-auth-update would give pam_unix below it `use_authtok`, and then nobody without
    // a card could change a password.
    let passwd = fs::read_to_string(PASSWD).ok();
    if let Some(with) = passwd.as_deref().and_then(lines::with_password_line) {
        kept::rewrite(Path::new(PASSWD), with.as_bytes())?;
    }
    tools::run("pam-auth-update", &[&["--enable"], names().as_slice()].concat())?;
    check()
}

/// Whether the common files are as they should be.
pub(crate) fn check() -> Result<(), Failure> {
    let [auth, account] = ["auth", "account"].map(|kind| {
        fs::read_to_string(format!("/etc/pam.d/common-{kind}")).map_err(|error| {
            Failure::file(format!("/etc/pam.d/common-{kind} cannot be read: {error}"))
                .then("Reinstall libpam-runtime, and run this again.")
        })
    });
    let (auth, account) = (auth?, account?);
    if !lines::has_ours(&auth) && !lines::has_ours(&account) {
        return Err(Failure::file("pam-auth-update left /etc/pam.d/common-auth and common-account as they were")
            .then(
                "It does so where they were edited by hand. Either give them back to it (pam-auth-update --force), and \
                 run this again, or set up PAM by hand: docs/pam.md.",
            ));
    }
    lines::check_auth(&auth)?;
    lines::check_account(&account)
}

/// Has `pam-auth-update` take our lines out of its files, and leave the rest of them.
pub(crate) fn withdraw() -> Result<(), Failure> {
    tools::run("pam-auth-update", &[&["--disable"], names().as_slice()].concat()).map(drop)
}

/// Whether a file is one of those that `pam-auth-update` writes together, its notes about them included.
pub(crate) fn is_generated(path: &Path) -> bool {
    common().any(|common| common == path) || path.starts_with(NOTES)
}

/// Whether a file is one of our profiles.
pub(crate) fn is_profile(path: &Path) -> bool {
    path.starts_with(CONFIGS)
}

/// Those of `pam-auth-update`'s files that have lines of ours.
pub(crate) fn with_lines_of_ours() -> Vec<PathBuf> {
    common().filter(|path| fs::read_to_string(path).is_ok_and(|text| lines::has_ours(&text))).collect()
}

fn common() -> impl Iterator<Item = PathBuf> {
    COMMON.iter().map(|kind| PathBuf::from(format!("/etc/pam.d/common-{kind}")))
}

fn names() -> [&'static str; 2] {
    PROFILES.map(|(name, _)| name)
}
