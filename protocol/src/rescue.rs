//! The rescue file: while root has put `/etc/countersign/rescue` in place, no card is asked of anybody on this host.
//!
//! It is for the day on which nobody gets in any more. What it holds does not matter; that only root can have made it
//! does.

/// Where the file lies.
pub const PATH: &str = "/etc/countersign/rescue";

/// Something of that name that is not a rescue file: the rules hold as ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotARescue {
    /// A link, a folder, a pipe, a device.
    #[error("it is not a plain file")]
    NotAFile,
    /// Someone else may have made it.
    #[error("it belongs to user id {0}, not to root")]
    NotRoots(u32),
    /// Someone else may have a hand in it.
    #[error("others than root can write it (mode {0:04o})")]
    Writable(u32),
}

/// Whether what was opened is one, by what the kernel says of the open file.
///
/// # Errors
/// [`NotARescue`].
pub const fn judge(is_file: bool, uid: u32, mode: u32) -> Result<(), NotARescue> {
    if !is_file {
        Err(NotARescue::NotAFile)
    } else if uid != 0 {
        Err(NotARescue::NotRoots(uid))
    } else if mode & 0o022 != 0 {
        Err(NotARescue::Writable(mode & 0o7777))
    } else {
        Ok(())
    }
}
