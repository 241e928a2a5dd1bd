//! The server's signature under a roster: what a host may let in on while nobody answers.

use crate::binary::Binary;
use crate::certificate::Cert;
use crate::clock::Timestamp;
use crate::envelope::detached::{self, DetachedError, Signed};
use crate::envelope::seal::BoxedSigner;
use crate::ids::{AccountName, Digest, Fingerprint, LoginName, ServiceName};
use crate::limits;
use crate::roster::{Roster, RosterAccount, RosterEntry, RosterFormError, SignedRoster};

/// Why a roster was not signed, or is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// The roster itself.
    #[error(transparent)]
    Form(#[from] RosterFormError),
    /// The signer failed.
    #[error("the roster could not be signed: {0}")]
    Signing(String),
    /// Not exactly one good signature by a key of the server.
    #[error("the roster's signature is not good: {0}")]
    Signature(String),
    /// The server's key is not valid now.
    #[error("the roster is signed by {0}, which is not valid now")]
    KeyNotAlive(Fingerprint),
    /// The signature is not addressed to this host and nobody else.
    #[error("the roster is signed for another recipient")]
    Recipient,
    /// Another server made it.
    #[error("the roster was made by the server {0}")]
    Server(Fingerprint),
    /// It is another host's.
    #[error("the roster is for the instance {0}")]
    Instance(Fingerprint),
    /// It is from the future.
    #[error("the roster was made {0} s after now")]
    FromTheFuture(i64),
}

/// A roster that this server signed for this host. Made only by [`open_roster`].
///
/// It may have expired since: [`Self::permits`] looks, and so must whoever uses an entry otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRoster {
    roster: Roster,
    digest: Digest,
}

impl VerifiedRoster {
    /// What was signed.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// SHA-256 of the signed bytes: the roster's name.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The entry of a login name, whether or not the roster has expired.
    #[must_use]
    pub fn entry(&self, login: &LoginName) -> Option<&RosterEntry> {
        self.roster.entry(login)
    }

    /// Whether it is worth nothing any more at `now`. One from the future came while the server's clock was wrong:
    /// nobody knows how old it is.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.roster.expires || self.roster.issued.seconds_since(now) > limits::CLOCK_SKEW
    }

    /// Whom policy lets open `login` by `service` whatever the time; nobody once it has expired.
    pub fn unasked(
        &self,
        login: &LoginName,
        service: &ServiceName,
        now: Timestamp,
    ) -> impl Iterator<Item = &RosterAccount> {
        self.accounts(login, now).filter(move |one| one.unasked.contains(service, &self.roster.services))
    }

    /// Whether `account` may open `login` by `service` with `key` at `now` without the server being asked: the
    /// whole of an offline decision but for the count of uses.
    #[must_use]
    pub fn permits(
        &self,
        login: &LoginName,
        account: &AccountName,
        key: &Fingerprint,
        service: &ServiceName,
        now: Timestamp,
    ) -> bool {
        self.offline(login, service, now).any(|one| one.account == *account && one.keys.contains(key))
    }

    /// Whether the emergency code of `account` may open `login` by `service` at `now` without the server being asked:
    /// everything but the code itself, and whether it was used here before.
    #[must_use]
    pub fn permits_emergency(
        &self,
        login: &LoginName,
        account: &AccountName,
        service: &ServiceName,
        now: Timestamp,
    ) -> bool {
        self.offline(login, service, now).any(|one| one.account == *account && one.emergency.is_some())
    }

    /// Whom policy lets open `login` by `service` without the server being asked; nobody once it has expired.
    fn offline(
        &self,
        login: &LoginName,
        service: &ServiceName,
        now: Timestamp,
    ) -> impl Iterator<Item = &RosterAccount> {
        let has_uses = self.roster.offline_uses > 0;
        let accounts = self.accounts(login, now).filter(move |_| has_uses);
        accounts.filter(move |one| one.offline.contains(service, &self.roster.services))
    }

    /// The accounts of `login`; none once the roster has expired.
    fn accounts(&self, login: &LoginName, now: Timestamp) -> impl Iterator<Item = &RosterAccount> {
        let entry = self.entry(login).filter(|_| !self.is_expired(now));
        entry.into_iter().flat_map(|entry| &entry.accounts)
    }
}

/// Signs `roster` for its instance.
///
/// # Errors
/// [`RosterError::Form`] or [`RosterError::Signing`].
pub fn sign_roster(roster: &Roster, signer: BoxedSigner) -> Result<SignedRoster, RosterError> {
    let bytes = roster.to_bytes()?;
    let signature = detached::sign(&bytes, &roster.instance, roster.issued, signer)?;
    Ok(SignedRoster { roster: Binary(bytes), signature: Binary(signature) })
}

/// Checks that `server` signed this roster for `instance`, with a key that is valid at `now`.
///
/// # Errors
/// [`RosterError`], the first check that failed.
pub fn open_roster(
    signed: &SignedRoster,
    server: &Cert,
    instance: &Fingerprint,
    now: Timestamp,
) -> Result<VerifiedRoster, RosterError> {
    let roster = Roster::from_bytes(&signed.roster.0)?;
    let us =
        crate::certificate::fingerprint(server).map_err(|error| RosterError::Signature(error.to_string()))?;
    if roster.server != us {
        return Err(RosterError::Server(roster.server));
    }
    if roster.instance != *instance {
        return Err(RosterError::Instance(roster.instance));
    }
    let early = roster.issued.seconds_since(now);
    if early > limits::CLOCK_SKEW {
        return Err(RosterError::FromTheFuture(early));
    }
    let (bytes, signature) = (&signed.roster.0, &signed.signature.0);
    let what = Signed { bytes, signature, recipient: instance, made: roster.issued };
    let _key = detached::verify(&what, server, now)?;
    Ok(VerifiedRoster { digest: Digest::of(bytes), roster })
}

impl From<DetachedError> for RosterError {
    fn from(error: DetachedError) -> Self {
        match error {
            DetachedError::Signing(what) => Self::Signing(what),
            DetachedError::Signature(what) => Self::Signature(what),
            DetachedError::KeyNotAlive(key) => Self::KeyNotAlive(key),
            DetachedError::Recipient => Self::Recipient,
        }
    }
}
