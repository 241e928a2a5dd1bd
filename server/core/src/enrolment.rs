//! How a host becomes an instance, and how it keeps in touch.

mod check_in;
mod hello;
mod instance_key;
mod key_update;
pub(crate) mod session_key;

pub(crate) use check_in::check_in;
pub(crate) use hello::hello;
pub(crate) use instance_key::instance_key;
pub(crate) use key_update::key_update;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{ApplicationName, Digest, Nonce, VersionName};

use crate::context::Context;
use crate::stop::Stop;
use crate::store::StoreError;

/// Whether a copy of this application that says it is of that version should be another one. What was never published may
/// be a developer's own.
///
/// # Errors
/// The store's.
pub(crate) fn version_is_retired(
    ctx: &Context<'_>,
    application: &ApplicationName,
    version: Option<&VersionName>,
) -> Result<bool, Stop> {
    let Some(version) = version else { return Ok(false) };
    Ok(ctx.tx().version(application, version)?.is_some_and(|version| version.retired.is_some()))
}

/// What the server remembers between its reply to a hello and the key message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The chain over hello and reply, which the key message must carry.
    pub transcript: Digest,
    /// Who said hello.
    pub application: ApplicationName,
    /// SHA-256 of the certificate that will come.
    pub commitment: Digest,
    /// To be echoed.
    pub server_nonce: Nonce,
    /// When it ends.
    pub expires: Timestamp,
}

/// Handshakes in a store.
pub trait HandshakeStore {
    /// Adds a handshake, and forgets those that would end first beyond
    /// [`HANDSHAKES`](countersign_protocol::limits::HANDSHAKES) open ones of its application.
    ///
    /// # Errors
    /// [`StoreError`].
    fn add_handshake(&self, handshake: &Handshake, now: Timestamp) -> Result<(), StoreError>;

    /// Uses a live handshake of this application up, and only then shows it.
    ///
    /// # Errors
    /// [`StoreError`].
    fn use_handshake(
        &self,
        transcript: &Digest,
        application: &ApplicationName,
        now: Timestamp,
    ) -> Result<Option<Handshake>, StoreError>;
}
