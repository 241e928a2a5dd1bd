//! What the server decides, and from what: no sockets, no HTTP, no clock or randomness of its own.
//!
//! | module | what |
//! |---|---|
//! | [`core`] | the one pipeline: an opened envelope in, a reply that is durably recorded out |
//! | [`sender`] | who may send what, in which state: one table |
//! | [`enrolment`], [`rotation`], [`registration`], [`jobs`], [`job_outcome`], [`host_event`] | the handlers, one file for each message or job |
//! | [`accounts`], [`applications`], [`collections`], [`instances`], [`keys`] | identities and what they own, their states, and whose key is whose |
//! | [`codes`], [`tokens`], [`emergency`], `totp` | one-time secrets |
//! | [`approvals`] | requests that other people must approve before they are done |
//! | [`contacts`], [`outbox`] | how people can be reached, and letters on their way to them |
//! | [`policy`] | may this account do this, here? |
//! | [`roster`] | whom a host may ask, and let in while the server cannot be reached |
//! | [`ledger`] | the append-only log, and the proofs that a reply needs |
//! | [`watch`], [`changes`] | how a host hears of a change at once |
//! | [`replies`], [`forgetting`] | answers that can be asked for again, and for how long |
//! | [`refusal`], [`stop`] | why a message went no further |
//! | [`standing`], [`audit`] | what the ledger says of the tables, and whether they are so |
//! | [`store`] | what all of this asks of a database |
//! | [`identity`], [`server_keys`], [`secrets`] | the server's own keys, and how they are exchanged |
#![forbid(unsafe_code)]

pub mod accounts;
pub mod api;
pub mod applications;
pub mod approvals;
pub mod audit;
pub mod changes;
pub mod codes;
pub mod collections;
pub mod contacts;
mod context;
pub mod core;
pub mod documents;
mod draft;
pub mod emergency;
pub mod enrolment;
pub mod erasure;
pub mod forgetting;
mod host_event;
pub mod identity;
pub mod instances;
mod job_outcome;
pub mod jobs;
pub mod keys;
pub mod ledger;
pub mod offline_use;
pub mod outbox;
pub mod outgoing;
pub mod pins;
pub mod policy;
mod prepared;
pub mod queue;
pub mod recovery;
pub mod refusal;
pub mod registration;
pub mod replies;
mod revocation;
pub mod roster;
pub mod rotation;
pub mod secrets;
pub mod sender;
pub mod server_keys;
mod signatory;
pub mod standing;
pub mod stop;
pub mod store;
pub mod tokens;
mod totp;
pub mod watch;
