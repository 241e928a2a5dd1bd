//! PAM stacks with the built module.

use std::path::PathBuf;

use crate::trouble::Trouble;

/// What stands below the module: nobody else lets anybody in.
pub const SILENT_REST: &str = "\
auth required pam_deny.so
account required pam_unix.so
session required pam_permit.so
";

/// The built module: the small one that ships if it is there, as `cargo xtask test` builds it.
///
/// # Errors
/// [`Trouble::NotBuilt`].
pub fn module_path() -> Result<PathBuf, Trouble> {
    let debug = crate::target_bin("libpam_countersign.so");
    let shipped = crate::target_bin("countersignd")?
        .parent()
        .and_then(|folder| folder.parent())
        .map(|target| target.join("module/libpam_countersign.so"));
    match shipped {
        Some(path) if path.is_file() => Ok(path),
        _ => debug,
    }
}

/// A stack with the module first, in the form that the documentation recommends, and `rest` below it.
///
/// # Errors
/// [`Trouble::NotBuilt`].
pub fn stack(rest: &str) -> Result<String, Trouble> {
    let module = module_path()?;
    let module = module.display();
    Ok(format!(
        "auth [success=done ignore=ignore default=die] {module}\n\
         account [success=ok ignore=ignore default=die] {module}\n\
         {rest}"
    ))
}

/// The same with lines for sessions and for `passwd`.
///
/// # Errors
/// [`Trouble::NotBuilt`].
pub fn whole_stack(rest: &str) -> Result<String, Trouble> {
    let module = module_path()?;
    let module = module.display();
    Ok(format!(
        "{}session optional {module}\n\
         password [success=done ignore=ignore default=die] {module}\n\
         password required pam_deny.so\n",
        stack(rest)?
    ))
}
