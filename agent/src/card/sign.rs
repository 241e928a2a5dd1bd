//! From a typed PIN to a signature, inside one exclusive transaction.

use countersign_protocol::ids::Fingerprint;

use super::apdu::Command;
use super::error::CardError;
use super::link::Exclusive;
use super::pin::Entered;
use super::public::{PinStatus, PublicData};
use super::unlock::{Aftermath, PinAccepted, Purpose, Unlock, ask_used, use_once};

/// What a signature costs and may cost.
pub(super) struct Order {
    pub(super) entered: Entered,
    pub(super) with: SigningSlot,
    /// The key that must be in it.
    pub(super) key: Fingerprint,
    /// The data field of PSO: COMPUTE DIGITAL SIGNATURE, or of INTERNAL AUTHENTICATE.
    pub(super) input: Vec<u8>,
}

/// Which of a card's keys signs. A host's key may lie in either slot, so that it can be changed on one card while the
/// one before still signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SigningSlot {
    Signature,
    Authentication,
}

impl SigningSlot {
    /// The PIN that opens it.
    pub(super) const fn purpose(self) -> Purpose {
        match self {
            Self::Signature => Purpose::Signing,
            Self::Authentication => Purpose::OtherKeys,
        }
    }
}

/// Guards, VERIFY, signature, and the PIN closed again. `status` was read in this very transaction.
pub(super) fn sign(
    card: Exclusive<'_>,
    public: &PublicData,
    status: PinStatus,
    order: Order,
) -> (Result<Vec<u8>, CardError>, Aftermath) {
    if let Err(refusal) = with_key(public, order.with, &order.key) {
        return (Err(refusal), Aftermath::Closed);
    }
    let Order { entered, with, key: _, input } = order;
    let closes_itself = status.forced && with == SigningSlot::Signature;
    let unlock = Unlock { entered, purpose: with.purpose(), closes_itself };
    use_once(card, public, status, unlock, |card, accepted| compute(card, public, accepted, with, input))
}

/// No PIN for a signature that nobody would accept.
fn with_key(public: &PublicData, with: SigningSlot, expected: &Fingerprint) -> Result<(), CardError> {
    let [signature, _, authentication] = &public.keys;
    let held = match with {
        SigningSlot::Signature => signature,
        SigningSlot::Authentication => authentication,
    };
    match held {
        Some(found) if found == expected => Ok(()),
        Some(found) => Err(CardError::KeyMismatch { expected: expected.clone(), found: found.clone() }),
        None => Err(CardError::NoKey),
    }
}

/// Signs, which uses the accepted PIN up.
pub(super) fn compute(
    card: &mut Exclusive<'_>,
    public: &PublicData,
    _accepted: PinAccepted,
    with: SigningSlot,
    input: Vec<u8>,
) -> Result<Vec<u8>, CardError> {
    let (command, touch) = match with {
        SigningSlot::Signature => (Command::compute_signature(input), public.touch),
        SigningSlot::Authentication => (Command::internal_authenticate(input), public.authentication_touch),
    };
    match ask_used(card, &command, touch) {
        Err(CardError::Failed { status: 0x6A88, .. }) => Err(CardError::NoKey),
        answer => answer,
    }
}
