//! The PAM module as it ships: small, and showing only what libpam calls.

use std::path::Path;
use std::process::Command;

use crate::step::{Stop, output, run, say, step};
use crate::workspace::{cargo, target};

/// Largest stripped module, in bytes: it is loaded into every login.
const SIZE: u64 = 400_000;

/// What libpam calls (`man 3 pam`, "pam_sm_").
const HOOKS: [&str; 6] = [
    "pam_sm_acct_mgmt",
    "pam_sm_authenticate",
    "pam_sm_chauthtok",
    "pam_sm_close_session",
    "pam_sm_open_session",
    "pam_sm_setcred",
];

/// Builds the module with its own profile, and looks at what came out.
pub(crate) fn check() -> Result<(), Stop> {
    step("PAM module: build as shipped, size, exports", || {
        run(&mut cargo(&["build", "--package", "countersign-pam", "--profile", "module"]))?;
        let path = target()?.join("module/libpam_countersign.so");
        let size = std::fs::metadata(&path)
            .map_err(|error| Stop::Failed(format!("{}: {error}", path.display())))?
            .len();
        if size > SIZE {
            return Err(Stop::Failed(format!("the module has {size} bytes; at most {SIZE} are wanted")));
        }
        let exports = exports(&path)?;
        if let Some(surplus) = exports.iter().find(|name| !HOOKS.contains(&name.as_str())) {
            return Err(Stop::Failed(format!(
                "the module exports {surplus}; only PAM's hooks belong outside"
            )));
        }
        if let Some(needed) = HOOKS.iter().find(|hook| !exports.iter().any(|name| name == *hook)) {
            return Err(Stop::Failed(format!("the module does not export {needed}")));
        }
        say(&format!("{size} bytes; exports {}", exports.join(", ")));
        Ok(())
    })
}

fn exports(path: &Path) -> Result<Vec<String>, Stop> {
    let listed =
        output(Command::new("nm").args(["--dynamic", "--defined-only", "--format=posix"]).arg(path))?;
    Ok(listed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}
