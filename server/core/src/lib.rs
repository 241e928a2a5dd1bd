//! Placeholder.
pub mod ledger;
pub mod policy;
