//! Whatever bytes a stranger can send or leave, for every parser that meets them.
//!
//! | target | what comes | what must hold, whatever comes |
//! |---|---|---|
//! | `envelope` | an envelope, outside | nothing opens but what was sealed |
//! | `inside` | what is in the encryption | nothing opens but what the host signed |
//! | `refusal` | a refusal | nobody but the server refuses |
//! | `message` | JSON of a message and its body | written and read again it is the same; no field is there twice |
//! | `statement` | a statement, its signature | the same; nobody signed it but who did |
//! | `certificate` | a certificate | the same; no secret, few subkeys |
//! | `roster` | a roster, its signature | the same; nobody signed it but the server |
//! | `entry` | an entry of the ledger, a filter for some | the same |
//! | `export` | an export or an excerpt of the ledger | nothing is proven that nobody signed |
//! | `receipt` | a receipt | the same |
//! | `ipc` | frames between module, agent and command line | the same |
//! | `bundle` | an application's bundle | the same |
//! | `settings` | settings of agent and server, managed logins | the same |
//!
//! Each also ends soon and in little memory: libFuzzer sees to that. `cargo xtask soak fuzz` has it look for input;
//! `tests/parsers.rs` plays what it begins with, so that all of it is known to reach what it is meant to reach.

mod certificate;
mod envelope;
mod ipc;
mod ledger;
mod message;
mod parties;
mod roster;
mod same;
mod settings;
mod statement;

/// Plays one input, and says whether it was taken.
///
/// # Panics
/// What must hold did not.
pub type Play = fn(&[u8]) -> bool;

/// All targets by name.
pub const TARGETS: [(&str, Play); 13] = [
    ("envelope", envelope::outside),
    ("inside", envelope::inside),
    ("refusal", envelope::refusal),
    ("message", message::play),
    ("statement", statement::play),
    ("certificate", certificate::play),
    ("roster", roster::play),
    ("entry", ledger::entry),
    ("export", ledger::export),
    ("receipt", ledger::receipt),
    ("ipc", ipc::play),
    ("bundle", settings::bundle),
    ("settings", settings::play),
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Play> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, play)| *play)
}

/// Two inputs in one: the first has the length that the first two bytes say.
fn halves(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
