//! Fedora, RHEL and theirs: a profile for `authselect`.

use std::fs;
use std::path::{Path, PathBuf};

use super::kept;
use super::lines;
use super::tools;
use crate::failure::{Failure, LocalKind};

/// The profile as it ships.
const PROFILE: [(&str, &str); 9] = [
    ("README", include_str!("../../../packaging/authselect/countersign/README")),
    ("REQUIREMENTS", include_str!("../../../packaging/authselect/countersign/REQUIREMENTS")),
    ("system-auth", include_str!("../../../packaging/authselect/countersign/system-auth")),
    ("password-auth", include_str!("../../../packaging/authselect/countersign/password-auth")),
    ("fingerprint-auth", include_str!("../../../packaging/authselect/countersign/fingerprint-auth")),
    ("postlogin", include_str!("../../../packaging/authselect/countersign/postlogin")),
    ("nsswitch.conf", include_str!("../../../packaging/authselect/countersign/nsswitch.conf")),
    ("dconf-db", include_str!("../../../packaging/authselect/countersign/dconf-db")),
    ("dconf-locks", include_str!("../../../packaging/authselect/countersign/dconf-locks")),
];

const FOLDER: &str = "/usr/share/authselect/vendor/countersign";
const SELECTED: &str = "/etc/authselect";

/// Where some versions keep a copy of what they wrote, to tell what somebody changed.
const COPIES: &str = "/var/lib/authselect";

/// Features that our profile has in common with `local` and `minimal`.
const FEATURES: [&str; 8] = [
    "with-faillock",
    "with-fingerprint",
    "with-mkhomedir",
    "with-pam-gnome-keyring",
    "with-pamaccess",
    "with-silent-lastlog",
    "with-mdns4",
    "without-nullok",
];

/// Every file that enabling may touch. What is in `/etc/pam.d` are links into `/etc/authselect`.
pub(crate) fn files() -> Vec<PathBuf> {
    let profile = PROFILE.iter().map(|(name, _)| Path::new(FOLDER).join(name));
    let names = [
        "authselect.conf",
        "system-auth",
        "password-auth",
        "fingerprint-auth",
        "smartcard-auth",
        "switchable-auth",
        "postlogin",
        "nsswitch.conf",
        "dconf-db",
        "dconf-locks",
    ];
    let copies = names.iter().map(|name| Path::new(COPIES).join(name));
    profile.chain(copies).chain(names.iter().map(|name| Path::new(SELECTED).join(name))).collect()
}

/// Whether this host's present profile is one that ours stands in for, and with which features.
pub(crate) fn features() -> Result<Vec<String>, Failure> {
    let current = tools::run("authselect", &["current", "--raw"]).map_err(|failure| {
        let message = format!("authselect does not manage PAM on this host: {}", failure.message);
        Failure::local(LocalKind::NotFound, message)
            .then(super::system::by_hand("/etc/pam.d/system-auth and password-auth"))
    })?;
    let said = String::from_utf8_lossy(&current.stdout).into_owned();
    let mut words = said.split_whitespace();
    let profile = words.next().unwrap_or_default();
    if !["local", "minimal", "countersign"].contains(&profile) {
        return Err(Failure::local(
            LocalKind::NotFound,
            format!(
                "this host uses authselect's profile {profile}, which Countersign's does not stand in for"
            ),
        )
        .then(super::system::by_hand("a custom copy of that profile (authselect create-profile)")));
    }
    let features: Vec<String> = words.map(str::to_owned).collect();
    match features.iter().find(|feature| !FEATURES.contains(&feature.as_str())) {
        None => Ok(features),
        Some(feature) => Err(Failure::local(
            LocalKind::NotFound,
            format!(
                "this host uses authselect's feature {feature}, which Countersign's profile does not have"
            ),
        )
        .then(format!(
            "Disable it (authselect disable-feature {feature}), or set up PAM by hand: docs/pam.md."
        ))),
    }
}

/// Writes the profile and selects it.
pub(crate) fn apply() -> Result<(), Failure> {
    let features = features()?;
    for (name, text) in PROFILE {
        let path = Path::new(FOLDER).join(name);
        if !path.exists() {
            kept::place(&path, text.as_bytes(), 0o644, 0, 0)?;
        }
    }
    let mut arguments = vec!["select", "countersign"];
    arguments.extend(features.iter().map(String::as_str));
    tools::run("authselect", &arguments)?;
    check()
}

/// Whether the selected files have our lines in the form that was proven.
pub(crate) fn check() -> Result<(), Failure> {
    for name in ["system-auth", "password-auth"] {
        let path = Path::new(SELECTED).join(name);
        let text = fs::read_to_string(&path).unwrap_or_default();
        if !lines::check_selected(&text) {
            return Err(Failure::file(format!(
                "{} does not have Countersign's lines as it should",
                path.display()
            ))
            .then("See: authselect check"));
        }
    }
    Ok(())
}
