//! The IPC between PAM module, command line and agent.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod golden;
mod messages;
mod rules;
