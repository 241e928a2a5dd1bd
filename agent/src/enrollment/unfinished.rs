//! An enrolment under way, on disk: what to send again, and the keys to open the answer with.

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert, CertificateError};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::Sealed;
use countersign_protocol::ids::{ApplicationName, Digest, Fingerprint};
use countersign_protocol::ipc::Enroll;
use countersign_protocol::limits;
use countersign_protocol::message::KeyStore;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use crate::instance_key::SessionKeys;
use crate::server_link::Link;
use crate::state::{StateDir, StateError};
use crate::trouble::Trouble;

/// The file. Root only, and gone when the enrolment is over.
const FILE: &str = "enrolment.json";

/// Where an enrolment stands.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unfinished {
    /// Of the request: another one starts anew.
    request: Digest,
    /// Whose place the new key is to take; none on a host that is not enrolled.
    #[serde(default)]
    replaces: Option<Fingerprint>,
    /// After this the server has forgotten the handshake, or refuses its age.
    until: Timestamp,
    base: Binary,
    /// For the one answer that is sealed to them, and replaced as soon as it came.
    session: Binary,
    /// For the one before.
    ephemeral: Binary,
    pub(super) key_store: KeyStore,
    pub(super) hello: Sealed,
    key_message: Option<KeyMessage>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.session.0.zeroize();
        self.ephemeral.0.zeroize();
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyMessage {
    sealed: Sealed,
    transcript: Digest,
    application: ApplicationName,
}

impl Unfinished {
    /// The enrolment that this very request began, if it can still be finished.
    pub(super) fn load(state: &StateDir, ask: &Enroll, now: Timestamp) -> Result<Option<Self>, Trouble> {
        // A file from another release is not worth an error: the enrolment starts anew.
        let kept: Option<Self> = state.read(FILE).unwrap_or(None);
        let request = digest(ask)?;
        Ok(kept.filter(|kept| kept.request == request && kept.until > now))
    }

    #[expect(clippy::too_many_arguments, reason = "all of it is kept, and nowhere else together")]
    pub(super) fn begin(
        ask: &Enroll,
        old: Option<&Link>,
        base: &Cert,
        session: &SessionKeys,
        ephemeral: &Cert,
        key_store: &KeyStore,
        hello: Sealed,
        now: Timestamp,
    ) -> Result<Self, Trouble> {
        Ok(Self {
            request: digest(ask)?,
            replaces: old.map(|old| old.instance.fingerprint.clone()),
            until: now.plus(limits::CLOCK_SKEW),
            base: Binary(certificate::to_bytes(base)?),
            session: Binary(session.to_secret_bytes()?.to_vec()),
            ephemeral: Binary(certificate::to_secret_bytes(ephemeral)?.to_vec()),
            key_store: key_store.clone(),
            hello,
            key_message: None,
        })
    }

    pub(super) fn go_on(
        &mut self,
        sealed: Sealed,
        transcript: Digest,
        application: ApplicationName,
        expires: Timestamp,
    ) {
        self.until = self.until.max(expires.plus(-limits::HANDSHAKE_LIFE + limits::CLOCK_SKEW));
        self.key_message = Some(KeyMessage { sealed, transcript, application });
    }

    pub(super) fn keep(&self, state: &StateDir) -> Result<(), StateError> {
        state.write(FILE, self)
    }

    /// Erases what nobody can finish any more: it holds secrets. The file's own end of life is enough, and
    /// whatever is not readable here is of no use either.
    pub(super) fn erase_stale(
        state: &StateDir,
        now: Timestamp,
        instance: Option<&Fingerprint>,
    ) -> Result<bool, StateError> {
        let stale = match state.read::<Self>(FILE) {
            Ok(None) => return Ok(false),
            Ok(Some(kept)) => kept.replaces.as_ref() != instance || kept.until <= now,
            Err(_) => true,
        };
        if stale {
            Self::erase(state)?;
        }
        Ok(stale)
    }

    /// Whose key is on its way in, if one is.
    pub(super) fn instance(state: &StateDir) -> Result<Option<Fingerprint>, Trouble> {
        let Some(kept) = state.read::<Self>(FILE)? else { return Ok(None) };
        Ok(Some(certificate::fingerprint(&kept.base()?)?))
    }

    pub(super) fn erase(state: &StateDir) -> Result<(), StateError> {
        state.remove(FILE)
    }

    pub(super) fn key_message(&self) -> Option<(&Sealed, Digest, &ApplicationName)> {
        self.key_message.as_ref().map(|kept| (&kept.sealed, kept.transcript, &kept.application))
    }

    pub(super) fn base(&self) -> Result<Cert, CertificateError> {
        certificate::parse(&self.base.0)
    }

    pub(super) fn session(&self) -> Result<SessionKeys, CertificateError> {
        SessionKeys::from_secret_bytes(&self.session.0)
    }

    pub(super) fn ephemeral(&self) -> Result<Cert, CertificateError> {
        certificate::parse_secret(&self.ephemeral.0)
    }
}

fn digest(ask: &Enroll) -> Result<Digest, Trouble> {
    let bytes = zeroize::Zeroizing::new(serde_json::to_vec(ask).map_err(|error| {
        Trouble::new(countersign_protocol::ipc::ProblemKind::Internal, error.to_string())
    })?);
    Ok(Digest::of(&bytes))
}

#[cfg(test)]
mod tests {
    use countersign_protocol::ids::MessageId;
    use countersign_protocol::random::SystemRandom;

    use super::*;

    #[test]
    fn secrets_of_an_enrolment_that_cannot_be_finished_are_erased_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let now = Timestamp::from_seconds(1_800_000_000);
        assert!(!Unfinished::erase_stale(&state, now, None).unwrap());
        let hello = serde_json::json!({
            "bytes": Binary(vec![4]), "literal": Binary(vec![5]), "id": MessageId::new(&SystemRandom).unwrap(),
        });
        let kept = serde_json::json!({
            "request": Digest::of(b"x"), "until": now, "base": Binary(vec![1]), "session": Binary(vec![2]),
            "ephemeral": Binary(vec![3]), "key_store": KeyStore::Sealed, "hello": hello, "key_message": null,
        });
        let other: Fingerprint = "AB".repeat(20).parse().unwrap();
        for (at, instance, erased) in
            [(now.plus(-1), None, false), (now, None, true), (now.plus(-1), Some(&other), true)]
        {
            state.write(FILE, &kept).unwrap();
            assert_eq!(Unfinished::erase_stale(&state, at, instance).unwrap(), erased, "{at}");
            assert_eq!(state.path(FILE).exists(), !erased);
        }
        state.write_bytes(FILE, b"from another release").unwrap();
        assert!(Unfinished::erase_stale(&state, now, None).unwrap());
    }
}
