//! A new PIN in place of the old one; a resetting code.

use countersign_protocol::ids::CardIdent;
use zeroize::Zeroizing;

use super::super::Cards;
use super::super::apdu::Command;
use super::super::error::CardError;
use super::super::kdf;
use super::super::pin::{Entered, Pin, PinKind};
use super::super::unlock::{Purpose, spare, verify};
use super::{AdminError, Standing, check_length, open_admin};

/// A PIN to be changed.
#[derive(Debug)]
pub struct ChangePin {
    /// The admin PIN, or else the user's.
    pub admin: bool,
    /// The one that holds now.
    pub current: Entered,
    /// The one to be.
    pub new: Pin,
}

/// A resetting code to be set.
#[derive(Debug)]
pub struct SetResetCode {
    /// The admin PIN.
    pub admin: Entered,
    /// The code to be; none takes the one there is away.
    pub new: Option<Pin>,
}

impl Cards {
    /// Changes the user's or the admin PIN.
    ///
    /// # Errors
    /// [`AdminError`], which says which PIN holds now.
    pub fn change_pin(&self, card: CardIdent, plan: ChangePin) -> Result<(), AdminError> {
        let purpose = if plan.admin { Purpose::Admin } else { Purpose::Signing };
        let kind = purpose.kind();
        self.administer(card, move |exclusive, public, status, steps| {
            check_length(kind, public, status, &plan.new)?;
            if plan.current.pin.expose() == plan.new.expose() {
                return Err(CardError::NewPin { which: kind, why: "it is the old one" });
            }
            spare(kind, status, &plan.current)?;
            // The command to change has no mark between old and new PIN: an old one typed without its end
            // would be made up from the new one's beginning. So it is proven by itself.
            let _proven = verify(exclusive, public, purpose, &plan.current.pin)?;
            let [old, new] = [&plan.current.pin, &plan.new].map(|pin| kdf::apply(&public.kdf, pin, kind));
            let secrets = Zeroizing::new([old?.as_slice(), new?.as_slice()].concat());
            steps.begin(Standing::Unsure(kind));
            let command = Command::change_pin(purpose.reference(), secrets);
            let status = exclusive.send(&command)?.status;
            if status != 0x9000 {
                // It answered no, so the old one holds.
                steps.begin(Standing::Unchanged);
                return Err(CardError::Failed { command: command.name, status });
            }
            Ok(())
        })
    }

    /// Sets a resetting code, or takes it away.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn set_reset_code(&self, card: CardIdent, plan: SetResetCode) -> Result<(), AdminError> {
        self.administer(card, move |exclusive, public, status, steps| {
            let kind = PinKind::ResetCode;
            let code = match &plan.new {
                Some(new) => {
                    check_length(kind, public, status, new)?;
                    kdf::apply(&public.kdf, new, kind)?
                }
                None => Zeroizing::default(),
            };
            let _open = open_admin(exclusive, public, status, &plan.admin)?;
            steps.begin(Standing::Unsure(kind));
            let command = Command::put_secret(0xD3, code);
            let status = exclusive.send(&command)?.status;
            if status != 0x9000 {
                steps.begin(Standing::Unchanged);
                return Err(CardError::Failed { command: command.name, status });
            }
            Ok(())
        })
    }
}
