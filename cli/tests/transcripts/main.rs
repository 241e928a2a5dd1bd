//! The program as people and scripts meet it: what they type, what comes back, how it ends.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod agent;
mod bad_arguments;
mod bodies;
mod card;
mod files;
mod help;
mod journal;
mod ledger;
mod log;
mod program;
mod scripted_agent;
mod ssh_keys;
mod status;
