//! A model of how libpam combines its modules' answers, from `pam.conf(5)`, `pam.d(5)` and `pam_debug(8)`.
//!
//! Configuration in, answers of modules in, libpam's answer out; no module is loaded. That it says what libpam says
//! is shown by running the same files through both (`tests/pam_stacks`).

mod authselect;
mod code;
mod configuration;
mod control;
mod dispatch;
mod libpam;
mod transaction;

pub use authselect::render;
pub use code::Code;
pub use configuration::{Facility, Folder, Line};
pub use control::{Action, Control};
pub use dispatch::{Dialect, Frozen, dispatch};
pub use libpam::{Call, Libpam};
pub use transaction::Transaction;
