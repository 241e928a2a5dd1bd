//! That a code was right is kept until the key comes: under a MAC, for whoever edits the database could say so, too (W23).

use countersign_protocol::ids::{Digest, Nonce};

use super::Registration;
use crate::codes::{self, Mac};
use crate::context::Context;
use crate::refusal::Reason;
use crate::secrets::Pepper;
use crate::stop::Stop;

/// Makes the MAC of one registration whose code was right, once the chain is known.
pub(crate) struct Acceptance(Pepper);

impl Acceptance {
    /// Over everything that decides whose the key becomes, and in which way.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn of(
        ctx: &Context<'_>,
        registration: &Registration,
        server_nonce: &Nonce,
    ) -> Result<Self, Stop> {
        let (tx, account) = (ctx.tx(), &registration.account);
        let (way, replaced) = if tx.is_recovery(&registration.id)? {
            ("recovery", None)
        } else if tx.alone(&registration.id)?.is_some() {
            ("alone", None)
        } else {
            ("invited", tx.replacement(account)?)
        };
        let replaced = replaced.map(|key| key.to_string()).unwrap_or_default();
        let key = ctx.pepper().derived(&[
            b"accepted-registration",
            registration.id.as_bytes(),
            registration.instance.as_bytes(),
            account.as_str().as_bytes(),
            registration.commitment.as_bytes(),
            &registration.expires.seconds().to_be_bytes(),
            server_nonce.as_bytes(),
            way.as_bytes(),
            replaced.as_bytes(),
        ]);
        Ok(Self(key))
    }

    /// With the chain that the key's message must carry.
    pub(crate) fn mac(&self, transcript: &Digest) -> Mac {
        self.0.mac(&[transcript.as_bytes()])
    }
}

/// What the row says was said by this server.
///
/// # Errors
/// [`Reason::DatabaseEdited`], or the store's.
pub(crate) fn check(ctx: &Context<'_>, registration: &Registration) -> Result<(), Stop> {
    // Before the code was right there is no nonce, and nobody's signature is over none.
    let Some(server_nonce) = &registration.server_nonce else { return Ok(()) };
    let right = Acceptance::of(ctx, registration, server_nonce)?.mac(&registration.transcript);
    if codes::equal(&registration.mac.unwrap_or_default(), &right) && registration.mac.is_some() {
        return Ok(());
    }
    Err(Reason::DatabaseEdited(format!("the registration {}", registration.id)).into())
}
