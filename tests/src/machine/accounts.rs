//! People, and what the machine's `/etc` says about them.

use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use super::Machine;
use crate::trouble::{Attempt as _, Trouble};

/// A login name of the machine, with a group of the same name and number.
#[derive(Clone, Debug)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User and group number.
    pub uid: u32,
    /// Home folder, as the machine sees it.
    pub home: PathBuf,
}

impl Machine {
    /// Adds a person who has no password, with a home folder and `/bin/sh`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn add_user(&self, name: &str, uid: u32) -> Result<User, Trouble> {
        let home = PathBuf::from("/run/home").join(name);
        self.append("/etc/passwd", &format!("{name}:x:{uid}:{uid}::{}:/bin/sh", home.display()))?;
        self.append("/etc/group", &format!("{name}:x:{uid}:"))?;
        self.append("/etc/shadow", &format!("{name}:*:19000:0:99999:7:::"))?;
        let outside = self.path(&home);
        std::fs::create_dir(&outside)
            .and_then(|()| chown(&outside, Some(uid), Some(uid)))
            .and_then(|()| std::fs::set_permissions(&outside, Permissions::from_mode(0o700)))
            .attempt(|| format!("make {name}'s home"))?;
        Ok(User { name: name.to_owned(), uid, home })
    }

    /// Replaces the PAM stack of a service (`/etc/pam.d/NAME`).
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn pam_service(&self, name: &str, stack: &str) -> Result<(), Trouble> {
        self.write(Path::new("/etc/pam.d").join(name), stack, 0o644)
    }

    /// Replaces `/etc/sudoers`; nothing of the host's `sudoers.d` stays.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn sudoers(&self, rules: &str) -> Result<(), Trouble> {
        let snippets = self.path("/etc/sudoers.d");
        if snippets.exists() {
            std::fs::remove_dir_all(&snippets).attempt(|| "remove /etc/sudoers.d".to_owned())?;
        }
        self.write("/etc/sudoers", rules, 0o440)
    }

    /// Writes a file of the machine with the given mode; missing folders are made.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, inside: impl AsRef<Path>, text: &str, mode: u32) -> Result<(), Trouble> {
        let path = self.path(&inside);
        path.parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, text))
            .and_then(|()| std::fs::set_permissions(&path, Permissions::from_mode(mode)))
            .attempt(|| format!("write the machine's {}", inside.as_ref().display()))
    }

    /// A file of the machine as text; empty if it cannot be read.
    #[must_use]
    pub fn text(&self, inside: &str) -> String {
        std::fs::read_to_string(self.path(inside)).unwrap_or_default()
    }

    fn append(&self, inside: &str, line: &str) -> Result<(), Trouble> {
        File::options()
            .append(true)
            .open(self.path(inside))
            .and_then(|mut file| writeln!(file, "{line}"))
            .attempt(|| format!("add a line to the machine's {inside}"))
    }
}
