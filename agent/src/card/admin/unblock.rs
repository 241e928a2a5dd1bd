//! A new user PIN for a card that was blocked, or whose PIN was forgotten.

use countersign_protocol::ids::CardIdent;
use zeroize::Zeroizing;

use super::super::Cards;
use super::super::apdu::Command;
use super::super::error::CardError;
use super::super::kdf;
use super::super::link::Exclusive;
use super::super::pin::{Entered, Pin, PinKind};
use super::super::public::{PinStatus, PublicData};
use super::super::unlock::{Purpose, refused, spare, verify};
use super::super::worker::Steps;
use super::{AdminError, Standing, check_length, open_admin};

/// A new user PIN.
#[derive(Debug)]
pub struct Unblock {
    /// By which right.
    pub by: UnblockBy,
    /// The user PIN to be.
    pub new: Pin,
}

/// By which right.
#[derive(Debug)]
pub enum UnblockBy {
    /// The resetting code.
    ResetCode(Entered),
    /// The admin PIN.
    Admin(Entered),
}

impl Cards {
    /// Sets a new user PIN, which has all its tries.
    ///
    /// # Errors
    /// [`AdminError`], which says which PIN holds now.
    pub fn unblock(&self, card: CardIdent, plan: Unblock) -> Result<(), AdminError> {
        self.administer(card, move |exclusive, public, status, steps| {
            check_length(PinKind::User, public, status, &plan.new)?;
            match &plan.by {
                UnblockBy::Admin(admin) => with_admin(exclusive, public, status, admin, &plan.new, steps),
                UnblockBy::ResetCode(code) => with_code(exclusive, public, status, code, &plan.new, steps),
            }
        })
    }
}

fn with_admin(
    card: &mut Exclusive<'_>,
    public: &PublicData,
    status: PinStatus,
    admin: &Entered,
    new: &Pin,
    steps: &Steps<Standing>,
) -> Result<(), CardError> {
    let new = kdf::apply(&public.kdf, new, PinKind::User)?;
    let _open = open_admin(card, public, status, admin)?;
    steps.begin(Standing::Unsure(PinKind::User));
    let command = Command::reset_user_pin(new);
    match card.send(&command)?.status {
        0x9000 => Ok(()),
        status => {
            steps.begin(Standing::Unchanged);
            Err(CardError::Failed { command: command.name, status })
        }
    }
}

fn with_code(
    card: &mut Exclusive<'_>,
    public: &PublicData,
    status: PinStatus,
    code: &Entered,
    new: &Pin,
    steps: &Steps<Standing>,
) -> Result<(), CardError> {
    spare(PinKind::ResetCode, status, code)?;
    let parts = [(&code.pin, PinKind::ResetCode), (new, PinKind::User)]
        .map(|(pin, kind)| kdf::apply(&public.kdf, pin, kind));
    let [code, hashed] = parts;
    let secrets = Zeroizing::new([code?.as_slice(), hashed?.as_slice()].concat());
    steps.begin(Standing::Unsure(PinKind::User));
    let command = Command::reset_user_pin_with_code(secrets);
    let status = card.send(&command)?.status;
    if status != 0x9000 {
        steps.begin(Standing::Unchanged);
        return Err(refused(card, PinKind::ResetCode, command.name, status));
    }
    steps.begin(Standing::Unblocked);
    // Nothing in the command says where the code ends: one typed without its end takes the new PIN's
    // beginning for it. The card's word tells.
    match verify(card, public, Purpose::Signing, new) {
        Ok(_proven) => Ok(()),
        Err(error @ CardError::WrongPin { .. }) => {
            steps.begin(Standing::OtherPin);
            Err(error)
        }
        Err(error) => Err(error),
    }
}
