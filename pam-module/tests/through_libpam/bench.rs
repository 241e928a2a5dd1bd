//! A folder with everything a transaction needs, and the module as it ships.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::libpam::{Program, Say, Transaction};

/// ana needs her card; bob may use his password while the agent is down; cron authenticates otherwise.
pub(crate) const MANAGED: &str = "user ana card\nuser bob card-or-password\nservice cron other-auth\n";

pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        bench.manage(MANAGED);
        let arguments = format!(
            "managed={} socket={} user-socket={} rescue={}",
            bench.managed().display(),
            bench.socket().display(),
            bench.socket().display(),
            bench.rescue().display()
        );
        for service in ["test", "cron", "su", "sudo", "polkit-1", "swaylock"] {
            bench.stack(service, &arguments);
        }
        bench
    }

    /// A stack whose result is the module's own code, and [`crate::libpam::IGNORED`] where that is IGNORE.
    pub(crate) fn stack(&self, service: &str, arguments: &str) {
        let module = module().display();
        let control = "[ignore=ignore success=done default=die]";
        let text = format!(
            "auth {control} {module} {arguments}\n\
             auth [default=die] pam_debug.so auth=cred_expired cred=cred_expired\n\
             account {control} {module} {arguments}\n\
             account [default=die] pam_debug.so acct=cred_expired\n\
             session {control} {module} {arguments}\n\
             session [default=die] pam_debug.so open_session=cred_expired close_session=cred_expired\n\
             password {control} {module} {arguments}\n\
             password [default=die] pam_debug.so prechauthtok=cred_expired chauthtok=cred_expired\n"
        );
        fs::write(self.folder.path().join(service), text).unwrap();
    }

    pub(crate) fn managed(&self) -> PathBuf {
        self.folder.path().join("managed-logins")
    }

    pub(crate) fn rescue(&self) -> PathBuf {
        self.folder.path().join("rescue")
    }

    pub(crate) fn manage(&self, text: &str) {
        fs::write(self.managed(), text).unwrap();
        fs::set_permissions(self.managed(), fs::Permissions::from_mode(0o644)).unwrap();
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("pam.sock")
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A transaction whose person answers nothing, and is not expected to.
    pub(crate) fn start(&self, service: &str, user: &str) -> Transaction {
        self.start_with(service, user, |_, style, _| match style {
            crate::libpam::ERROR_MSG | crate::libpam::TEXT_INFO => Say::Nothing,
            _ => Say::Fail,
        })
    }

    pub(crate) fn start_with(
        &self,
        service: &str,
        user: &str,
        person: impl FnMut(&mut Program, i32, &str) -> Say + 'static,
    ) -> Transaction {
        Transaction::start(service, Some(user), self.path(), Some(Box::new(person)))
    }
}

/// The module built with the profile it ships with, so that these tests load the very file people install.
pub(crate) fn module() -> &'static Path {
    static MODULE: OnceLock<PathBuf> = OnceLock::new();
    MODULE.get_or_init(|| {
        let here = std::env::current_exe().unwrap();
        let target = here.ancestors().nth(3).unwrap();
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "countersign-pam", "--profile", "module", "--target-dir"])
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(built.success(), "the module does not build");
        target.join("module/libpam_countersign.so")
    })
}
