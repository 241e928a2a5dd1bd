//! One OpenPGP message: a literal [`Message`](crate::message::Message), signed by its sender, encrypted to one
//! receiver. Fields, order of checks and replay rule: `docs/protocol-envelope.md`.
//!
//! ```text
//! Message ──seal──▶ Sealed ──any carrier──▶ open ──▶ Opened ──admit | answering──▶ Verified
//! ```
//!
//! [`Verified`] has no other constructor. Whoever holds one knows: decrypted by us, signed by exactly the named
//! keys, in the pinned suite, addressed to us and nobody else, fresh, and never seen before – or the answer to
//! the very request we sent.

mod countersigned;
mod detached;
mod emergency;
mod encryption;
mod for_card;
mod open;
mod refusal;
mod roster;
mod seal;
mod session_key;
mod signature;
pub mod statement;
mod verified;

pub use countersigned::{Countersigned, CountersignedError};
pub use emergency::{VerifierError, is_code_of, verifier_of};
pub use for_card::{
    OpenFromCardError, SealToCardError, SealedTo, can_seal_to, open_from_card, seal_to_card, sealed_to,
};
pub use open::{Keyring, OpenError, Opened, Opening, SignedBy, open};
pub use refusal::{read_refusal, refuse};
pub use roster::{RosterError, VerifiedRoster, open_roster, sign_roster};
pub use seal::{BoxedSigner, SealError, Sealed, seal, seal_pinned};
pub use verified::{Seen, Verified};
