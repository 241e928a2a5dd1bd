//! The system without Countersign: packages of this host's own Debian release, put into a folder once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use super::need;
use crate::trouble::{Attempt as _, Trouble};

/// What is in it. The programs under test link to this host's libraries, so it is of the same release.
const PACKAGES: &[&str] = &[
    "systemd",
    "systemd-sysv",
    "dbus",
    "libpam-systemd",
    "login",
    "passwd",
    "procps",
    "util-linux",
    // Cards.
    "pcscd",
    "vsmartcard-vpcd",
    "libpcsclite1",
    "libssl3",
    // Who calls PAM.
    "sudo",
    "openssh-server",
    "openssh-client",
    "vlock",
    "screen",
    "greetd",
    "polkitd",
    "pkexec",
    "cron",
];

/// The folder with the system, built if it is not there: half a minute and 250 MB, with a network.
///
/// # Errors
/// What is missing, or what mmdebstrap said.
pub(super) fn of_this_release() -> Result<PathBuf, Trouble> {
    let release = release()?;
    let target = target_folder()?;
    let name = format!("debian-{}", fingerprint(&release));
    let tree = target.join(&name);
    let lock = target.join("debian.lock");
    // Two tests do not build it at once. The lock ends with this process.
    let lock = File::create(&lock).attempt(|| format!("create {}", lock.display()))?;
    lock.lock().attempt(|| "wait for another test to build the Debian tree".to_owned())?;
    if !tree.is_dir() {
        need("mmdebstrap", "mmdebstrap")?;
        remove_older(&target);
        build(&release, &target.join(format!("{name}.partial")), &tree)?;
    }
    Ok(tree)
}

fn build(release: &str, partial: &Path, tree: &Path) -> Result<(), Trouble> {
    if partial.exists() {
        std::fs::remove_dir_all(partial).attempt(|| format!("remove {}", partial.display()))?;
    }
    let mut command = Command::new("mmdebstrap");
    command.args(["--quiet", "--variant=minbase", "--mode=root", "--format=directory"]);
    command.arg(format!("--include={}", PACKAGES.join(","))).arg(release).arg(partial);
    command.args(sources());
    let done = command.output().attempt(|| "start mmdebstrap".to_owned())?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let end: Vec<&str> = said.lines().rev().take(20).collect();
        let end: Vec<&str> = end.into_iter().rev().collect();
        return Err(Trouble::Machine(format!(
            "mmdebstrap could not build a Debian for the booted tests. It needs the network, and the Debian mirror \
             that this host's apt uses. It said:\n{}",
            end.join("\n")
        )));
    }
    std::fs::rename(partial, tree).attempt(|| format!("rename {}", partial.display()))
}

/// This host's own Debian sources, where they are in one file; else mmdebstrap's.
fn sources() -> Option<PathBuf> {
    let files = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
    let lists_packages = |path: &Path| {
        std::fs::read_to_string(path).is_ok_and(|text| {
            text.lines().any(|line| line.starts_with("deb ") || line.starts_with("Types: deb"))
        })
    };
    files.into_iter().map(PathBuf::from).find(|path| lists_packages(path))
}

fn release() -> Result<String, Trouble> {
    let text = std::fs::read_to_string("/etc/os-release").attempt(|| "read /etc/os-release".to_owned())?;
    let value = |key: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.map(|value| value.trim_matches('"').to_owned()).unwrap_or_default()
    };
    if value("ID") != "debian" {
        return Err(Trouble::Machine(format!(
            "the booted tests need a Debian host, because the programs under test link to its libraries; this is {:?}",
            value("ID")
        )));
    }
    Ok(value("VERSION_CODENAME"))
}

/// Changes with the packages and the release.
fn fingerprint(release: &str) -> String {
    let digest = Sha256::digest(format!("{release} {} {}", std::env::consts::ARCH, PACKAGES.join(" ")));
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// `target/`, where the running test lies in.
fn target_folder() -> Result<PathBuf, Trouble> {
    let agent = crate::target_bin("countersignd")?;
    let target = agent.parent().and_then(Path::parent).map(Path::to_path_buf);
    target.ok_or_else(|| Trouble::Machine("the tests do not lie in a build folder".to_owned()))
}

/// Trees of other package lists. What cannot be removed only takes space.
fn remove_older(target: &Path) {
    for entry in std::fs::read_dir(target).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("debian-") {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
