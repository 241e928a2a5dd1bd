//! The IPC between PAM module, command line and agent.
#![expect(clippy::unwrap_used, reason = "tests")]

mod card_messages;
mod golden;
mod messages;
mod previous;
mod reports;
mod rules;
