//! Which program writes this host's PAM configuration.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use countersign_protocol::rescue;
use serde::{Deserialize, Serialize};

use super::lines;
use super::tools::find;
use crate::failure::{Failure, LocalKind};

/// Who writes `/etc/pam.d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum System {
    /// `pam-auth-update`: Debian, Ubuntu and their kin.
    Debian,
    /// `authselect`: Fedora, RHEL and theirs.
    Authselect,
}

impl System {
    /// Finds out. A host that neither program writes is left alone.
    pub(crate) fn of_this_host() -> Result<Self, Failure> {
        if find("pam-auth-update").is_some() && Path::new("/usr/share/pam-configs").is_dir() {
            return Ok(Self::Debian);
        }
        if find("authselect").is_some() {
            return Ok(Self::Authselect);
        }
        Err(Failure::local(
            LocalKind::NotFound,
            "neither pam-auth-update nor authselect is here, so PAM is set up by hand on this host",
        )
        .then(by_hand("every service that shall ask for a card, such as /etc/pam.d/sudo")))
    }
}

/// What to write by hand, where nothing writes it for us.
pub(crate) fn by_hand(files: &str) -> String {
    format!(
        "Keep a root shell open, and add at the top of {files}:\n  auth     {}\n  account  {}\n  session  optional \
         pam_countersign.so\nand in /etc/pam.d/passwd, first:\n  password {}\ndocs/pam.md explains each; \
         packaging/pam.d has whole files.",
        lines::by_hand_auth(),
        lines::ACCOUNT,
        lines::PASSWORD
    )
}

/// Whether the rescue file is there and counts: then no card is asked of anybody.
pub(crate) fn is_rescued() -> bool {
    let about = Path::new(rescue::PATH).symlink_metadata();
    about.is_ok_and(|about| rescue::judge(about.is_file(), about.uid(), about.mode()).is_ok())
}

/// Whether root's own password opens nothing, as on Ubuntu: then the console is no way in.
pub(crate) fn root_has_no_password() -> bool {
    let text = std::fs::read_to_string("/etc/shadow").unwrap_or_default();
    let mut fields = text.lines().filter_map(|line| line.strip_prefix("root:"));
    fields.next().is_some_and(|fields| fields.starts_with(['!', '*']))
}

/// What to say of it.
pub(crate) const NO_ROOT_PASSWORD: &str = "root has no password, so the console is no way in when cards fail. Set one (passwd root), or have emergency \
     codes at hand";

/// Where PAM modules lie.
pub(crate) fn module_is_installed() -> bool {
    const NAME: &str = "pam_countersign.so";
    let mut folders: Vec<_> =
        ["/usr/lib/security", "/usr/lib64/security", "/lib/security", "/lib64/security"]
            .map(Into::into)
            .into();
    for lib in ["/usr/lib", "/lib"] {
        let entries = std::fs::read_dir(lib).into_iter().flatten().flatten();
        folders.extend(entries.map(|entry| entry.path().join("security")));
    }
    folders.iter().any(|folder: &std::path::PathBuf| folder.join(NAME).is_file())
}
