//! The server as a client sees it: real envelopes, real keys, a real database file, and for some the real program.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod administration;
mod alone;
mod applications;
mod approvals;
mod at_once;
mod attacks;
mod audit;
mod backup;
mod client;
mod collections;
mod contacts;
mod database;
mod documents;
mod dry_run;
mod emergency;
mod enrolment;
mod entries;
mod envelopes;
mod erasure;
mod figures;
mod fixture;
mod groups;
mod job_outcome;
mod jobs;
mod keys_of_people;
mod killed_between_writes;
mod killed_with_jobs;
mod large_bodies;
mod ledger;
mod lost_connections;
mod malformed;
mod moving;
mod offline;
mod outbox;
mod own_keys;
mod pinned;
mod policy;
mod program;
mod recovery;
mod registration;
mod roles;
mod roster;
mod rotation;
mod second_card;
mod seeds;
mod servers;
mod syslog;
mod tls;
mod turns;
mod two_servers;
mod watch;
