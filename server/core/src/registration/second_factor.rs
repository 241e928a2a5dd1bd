//! An authenticator program beside an administrator's code (seed 2.1.1).

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, MessageId};
use countersign_protocol::random::Random;
use countersign_protocol::totp::TotpSecret;

use super::alone::SecondFactor;
use crate::context::Context;
use crate::secrets::StoreKey;
use crate::stop::{Failure, Stop};
use crate::totp;

const PURPOSE: &[u8] = b"second-factor";

impl SecondFactor {
    /// A fresh secret, sealed.
    ///
    /// # Errors
    /// No randomness.
    pub(crate) fn new(key: &StoreKey, random: &dyn Random) -> Result<(Self, TotpSecret), Stop> {
        let (id, secret) = (MessageId::new(random)?, TotpSecret::new(random)?);
        let sealed = key.seal_aside(PURPOSE, id, secret.expose()).map_err(|_| unreadable())?;
        Ok((Self { id, sealed }, secret))
    }

    /// Whether `typed` is what it shows now, and was not used before.
    pub(super) fn accepts(
        &self,
        ctx: &Context<'_>,
        account: &AccountName,
        typed: &str,
    ) -> Result<bool, Stop> {
        match self.step_of(ctx.store_key(), typed, ctx.now)? {
            Some(step) => Ok(ctx.tx().take_second_factor_step(account, &self.id, step)?),
            None => Ok(false),
        }
    }

    fn step_of(&self, key: &StoreKey, typed: &str, now: Timestamp) -> Result<Option<i64>, Stop> {
        let plain = key.open_aside(PURPOSE, self.id, &self.sealed).map_err(|_| unreadable())?;
        let bytes = plain.as_slice().try_into().map_err(|_| unreadable())?;
        Ok(totp::step_of(&TotpSecret::from_bytes(bytes), typed, now))
    }
}

fn unreadable() -> Stop {
    Failure::Reply("an authenticator's secret in the store was not sealed by this server's store key".into())
        .into()
}
