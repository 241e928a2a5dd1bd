//! Finding the programs under test.

use std::path::PathBuf;

use crate::trouble::{Attempt as _, Trouble};

/// Path of the workspace's binary `name`, in the same build folder as the running test.
///
/// # Errors
/// [`Trouble::NotBuilt`] if it is not there: `cargo test -p countersign-tests` builds only this
/// package's own binaries.
pub fn target_bin(name: &str) -> Result<PathBuf, Trouble> {
    let test = std::env::current_exe().attempt(|| "find the running test's own path".to_owned())?;
    // A test lies in `deps/`, a program beside that folder.
    let folder = test.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    let path = folder.map(|folder| folder.join(name)).unwrap_or_else(|| PathBuf::from(name));
    if path.is_file() { Ok(path) } else { Err(Trouble::NotBuilt(path)) }
}
