//! Agents and people made of random bytes: what may come in at the PAM module's two ends, and what must hold
//! whatever comes.
//!
//! | module | what |
//! |---|---|
//! | [`script`] | bytes of the fuzzer → what the agent sends, and what the person answers |
//! | [`frames`] | the conversation's client alone: fast, millions of scripts a minute |
//! | [`module`] | the built `.so` through libpam, before an agent on a socket |
//! | `libpam` | libpam as a program calls it, shared with the module's tests |
//!
//! `cargo xtask soak fuzz` has libFuzzer look for scripts; `tests/seeds.rs` plays those it begins with, so that
//! they are known to reach what they are meant to reach.
#![deny(unsafe_code)]

pub mod frames;
pub mod module;
pub mod script;

#[path = "../../tests/through_libpam/libpam.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "the tests of the module use more of it, and a fuzzer that cannot go on says where"
)]
mod libpam;
