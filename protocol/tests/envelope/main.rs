//! Envelopes, against the real OpenPGP library.
#![cfg(feature = "envelope")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod golden;
mod parties;
mod rules;
