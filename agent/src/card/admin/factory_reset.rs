//! Everything on a card erased (OpenPGP card 3.4.1, 7.2.16 and 7.2.17).
//!
//! A card lets itself be terminated by its admin PIN, or when its PINs are blocked. Between TERMINATE and
//! ACTIVATE it answers nothing else; one that was pulled there is found again by its reader.

use countersign_protocol::ids::CardIdent;
use zeroize::Zeroizing;

use super::super::Cards;
use super::super::apdu::Command;
use super::super::error::CardError;
use super::super::kdf;
use super::super::link::Exclusive;
use super::super::pin::{Entered, Pin, PinKind};
use super::super::public::{self, PinStatus, PublicData};
use super::super::unlock::{Purpose, send_pin};
use super::super::worker::Steps;
use super::{AdminError, Standing, open_admin};

/// Most tries a card may have: YubiKeys can be set to 99.
const TRIES: u8 = 99;

/// A card to be erased.
#[derive(Debug)]
pub struct FactoryReset {
    /// The admin PIN; without it the card's PINs are blocked first.
    pub admin: Option<Entered>,
    /// No card's PIN, to block it with: [`Pin::unguessable`].
    pub wrong: Pin,
}

impl Cards {
    /// Erases a card: keys, data, PINs. It is as from the factory then.
    ///
    /// # Errors
    /// [`AdminError`], which says what is left.
    pub fn factory_reset(
        &self,
        card: CardIdent,
        plan: FactoryReset,
        progress: &mut dyn FnMut(Standing),
    ) -> Result<(), AdminError> {
        let mut standing = Standing::Unchanged;
        let mut on_step = |step| {
            if step != standing {
                progress(step);
            }
            standing = step;
        };
        let limit = self.readers.timing.answer;
        let done = self.change(card, limit, &mut on_step, move |exclusive, public, status, steps| {
            if !public.erasable {
                return Err(CardError::Unsupported("it cannot be erased".to_owned()));
            }
            let if_refused = if let Some(admin) = &plan.admin {
                let _open = open_admin(exclusive, public, status, admin)?;
                Standing::Unchanged
            } else {
                block(exclusive, public, status, &plan.wrong, steps)?;
                Standing::Blocking
            };
            erase(exclusive, if_refused, steps)
        });
        done.map_err(|cause| AdminError { cause, standing })
    }

    /// Finishes what [`Cards::factory_reset`] began on a card that was pulled in the middle; it is in this reader.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn finish_reset(&self, reader: &str) -> Result<(), AdminError> {
        let limit = self.readers.timing.answer;
        let done = self.readers.ask_reader(reader, limit, |slot| {
            slot.with_any(|mut exclusive| {
                let done = match public::select(&mut exclusive) {
                    Err(CardError::Terminated) => activate(&mut exclusive),
                    other => other,
                };
                exclusive.end_with_reset();
                done
            })
        });
        self.readers.is_in(reader);
        done.map_err(|cause| AdminError { cause, standing: Standing::Terminated })
    }
}

/// Has the card refuse its PINs for ever: first the user's, which could still be mended, then the admin's.
fn block(
    card: &mut Exclusive<'_>,
    public: &PublicData,
    status: PinStatus,
    wrong: &Pin,
    steps: &Steps<Standing>,
) -> Result<(), CardError> {
    for (purpose, kind) in [(Purpose::Signing, PinKind::User), (Purpose::Admin, PinKind::Admin)] {
        let mut left = status.tries_of(kind).min(TRIES);
        while left > 0 {
            // A card whose hashing is not understood gets it as it is, which is as wrong.
            let secret = kdf::apply(&public.kdf, wrong, kind);
            let secret = secret.unwrap_or_else(|_| Zeroizing::new(wrong.expose().as_bytes().to_vec()));
            steps.begin(Standing::Blocking);
            left = match send_pin(card, purpose, secret) {
                Err(CardError::WrongPin { tries } | CardError::WrongAdminPin { tries }) if tries < left => {
                    tries
                }
                Err(CardError::Blocked | CardError::AdminBlocked) => 0,
                Err(CardError::WrongPin { .. } | CardError::WrongAdminPin { .. }) | Ok(_) => {
                    return Err(CardError::Malformed {
                        command: "VERIFY",
                        what: "a wrong PIN costs no try".to_owned(),
                    });
                }
                Err(error) => return Err(error),
            };
        }
    }
    Ok(())
}

fn erase(card: &mut Exclusive<'_>, if_refused: Standing, steps: &Steps<Standing>) -> Result<(), CardError> {
    steps.begin(Standing::Erasing);
    let command = Command::terminate();
    let status = card.send(&command)?.status;
    if status != 0x9000 {
        steps.begin(if_refused);
        return Err(CardError::Failed { command: command.name, status });
    }
    steps.begin(Standing::Terminated);
    activate(card)
}

fn activate(card: &mut Exclusive<'_>) -> Result<(), CardError> {
    card.ask(&Command::activate()).map(drop)
}
