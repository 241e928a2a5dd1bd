//! May this account do this, here? Answered by Cedar policies that are checked against a schema when they are
//! loaded, and denied by default.
//!
//! A policy is text with an epoch: the store keeps every version, and every ledger entry names the epoch that
//! was in force. [`DEFAULT`] is epoch 1.
//!
//! A roster is made before anyone asks, and holds while nobody can: what policy says then is in `sight.rs`.

mod approvals;
mod cases;
mod change;
mod current;
mod decide;
mod document;
mod enough;
mod explain;
mod facts;
mod index;
mod load;
mod lockout;
mod references;
mod sight;
mod store;
#[cfg(test)]
mod tests;

pub use cases::{CaseResult, Cases};
pub(crate) use change::recorded;
pub use change::{By, Change, Changed, Over, change, first, record};
pub(crate) use current::Current;
pub use decide::PolicyDecision;
pub use document::{Document, Fault, PolicyError};
pub use facts::{AccountFacts, Facts, InstanceFacts, ResourceFacts, is_own_collection};
pub use load::PolicySet;
pub use lockout::Asker;
pub use store::{PolicyRead, PolicyStore};

/// The policy a new server begins with.
pub const DEFAULT: &str = include_str!("policy/default.cedar");

/// The document that holds it.
pub const DEFAULT_NAME: &str = "default";

/// What policies may speak of.
pub const SCHEMA: &str = include_str!("policy/schema.cedarschema");
