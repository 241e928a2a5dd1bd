//! Envelopes, against the real OpenPGP library.
#![cfg(feature = "envelope")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod bodies;
mod for_card;
mod golden;
mod parties;
mod roster;
mod rules;
