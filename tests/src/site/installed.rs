//! A machine with Countersign's files in the places of the system that PAM looks into.

use super::module_path;
use crate::machine::Machine;
use crate::trouble::{Attempt as _, Trouble};

/// `/usr` is shared with this host, so these two folders of it get a layer of the machine's own.
const FOLDERS: [&str; 2] = ["/usr/share/pam-configs", "/usr/lib/x86_64-linux-gnu/security"];

impl Machine {
    /// Puts the module among the system's own, for lines that name it without a path. PAM's files and the profiles
    /// of `pam-auth-update` are the machine's own from then on.
    ///
    /// # Errors
    /// If a tool fails, with what it said.
    pub fn install_module(&self) -> Result<(), Trouble> {
        for folder in FOLDERS {
            let layer = format!("/run/.machine{folder}");
            let options = format!("lowerdir={folder},upperdir={layer}/upper,workdir={layer}/work");
            self.does("mkdir", &["-p", &format!("{layer}/upper"), &format!("{layer}/work")])?;
            self.does("mount", &["-t", "overlay", "-o", &options, "overlay", folder])?;
        }
        let module = module_path()?.display().to_string();
        self.does("cp", &[&module, "/usr/lib/x86_64-linux-gnu/security/pam_countersign.so"])
    }

    /// Runs a tool inside, as root.
    ///
    /// # Errors
    /// If it fails, with what it said.
    pub fn does(&self, program: &str, arguments: &[&str]) -> Result<(), Trouble> {
        let output = self.command(program).args(arguments).output().attempt(|| format!("run {program}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Trouble::Program {
            program: program.to_owned(),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
