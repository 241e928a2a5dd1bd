//! The built module, loaded by the real libpam from a folder of its own, before a peer that can be as wrong as
//! a test wants. Whole logins with the real agent are tested in the workspace's `tests`.
//!
//! To be run as root, because the managed file must belong to root.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod bench;
mod libpam;
mod peer;

mod account;
mod agent_down;
mod artifact;
mod conversation;
mod faults;
mod login;
mod passwd;
mod programs;
mod rescue;
mod sessions;
mod stands_aside;
