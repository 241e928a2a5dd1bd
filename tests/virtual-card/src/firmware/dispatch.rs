//! Who answers what the card application asks of the runtime: PINs, large keys, chunked files and RSA
//! lie outside the runtime's core.

use trussed::backend::{Backend as _, BackendId};
use trussed::platform::Platform;
use trussed::serde_extensions::{ExtensionDispatch, ExtensionId, ExtensionImpl};
use trussed::service::ServiceResources;
use trussed_auth::AuthExtension;
use trussed_auth_backend::{AuthBackend, AuthContext, FilesystemLayout};
use trussed_chunked::ChunkedExtension;
use trussed_core::Error;
use trussed_core::api::{Reply, Request, reply, request};
use trussed_core::types::{Bytes, Location};
use trussed_rsa_alloc::SoftwareRsa;
use trussed_staging::{StagingBackend, StagingContext};
use trussed_wrap_key_to_file::WrapKeyToFileExtension;

/// Asked in this order; the first that knows the request answers it.
pub(super) const BACKENDS: &[BackendId<Source>] = &[
    BackendId::Custom(Source::Staging),
    BackendId::Custom(Source::Pins),
    BackendId::Custom(Source::Rsa),
    BackendId::Core,
];

/// Stands for the secret a real chip is born with. PIN-derived keys depend on it, so it has to be the
/// same at every start; what makes two cards differ is the random salt each keeps in its flash.
const HARDWARE_KEY: &[u8; 32] = b"countersign virtual card, no hsm";

/// Who can answer besides the core.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Pins,
    Staging,
    Rsa,
}

/// What can be asked besides the core's requests. The number travels in the request.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum Topic {
    Pins = 0,
    WrappedKeys = 1,
    ChunkedFiles = 2,
}

impl From<Topic> for u8 {
    fn from(topic: Topic) -> Self {
        topic as Self
    }
}

impl TryFrom<u8> for Topic {
    type Error = Error;

    fn try_from(number: u8) -> Result<Self, Error> {
        [Self::Pins, Self::WrappedKeys, Self::ChunkedFiles]
            .into_iter()
            .find(|topic| u8::from(*topic) == number)
            .ok_or(Error::InternalError)
    }
}

/// Per-client memory of the sources.
#[derive(Default)]
pub(super) struct Context {
    pins: AuthContext,
    staging: StagingContext,
}

/// The sources.
pub(super) struct Dispatch {
    pins: AuthBackend,
    staging: StagingBackend,
}

impl Dispatch {
    pub(super) fn new() -> Self {
        let key = Bytes::from(HARDWARE_KEY);
        Self {
            pins: AuthBackend::with_hw_key(Location::Internal, key, FilesystemLayout::V0),
            staging: StagingBackend::new(),
        }
    }
}

impl ExtensionDispatch for Dispatch {
    type BackendId = Source;
    type Context = Context;
    type ExtensionId = Topic;

    fn core_request<P: Platform>(
        &mut self,
        source: &Source,
        context: &mut trussed::types::Context<Context>,
        request: &Request,
        resources: &mut ServiceResources<P>,
    ) -> Result<Reply, Error> {
        let (core, own) = (&mut context.core, &mut context.backends);
        match source {
            Source::Pins => self.pins.request(core, &mut own.pins, request, resources),
            Source::Staging => self.staging.request(core, &mut own.staging, request, resources),
            Source::Rsa => SoftwareRsa.request(core, &mut (), request, resources),
        }
    }

    fn extension_request<P: Platform>(
        &mut self,
        source: &Source,
        topic: &Topic,
        context: &mut trussed::types::Context<Context>,
        request: &request::SerdeExtension,
        resources: &mut ServiceResources<P>,
    ) -> Result<reply::SerdeExtension, Error> {
        let (core, own) = (&mut context.core, &mut context.backends);
        match (source, topic) {
            (Source::Pins, Topic::Pins) => {
                self.pins.extension_request_serialized(core, &mut own.pins, request, resources)
            }
            (Source::Staging, Topic::WrappedKeys) => {
                ExtensionImpl::<WrapKeyToFileExtension>::extension_request_serialized(
                    &mut self.staging,
                    core,
                    &mut own.staging,
                    request,
                    resources,
                )
            }
            (Source::Staging, Topic::ChunkedFiles) => {
                ExtensionImpl::<ChunkedExtension>::extension_request_serialized(
                    &mut self.staging,
                    core,
                    &mut own.staging,
                    request,
                    resources,
                )
            }
            _ => Err(Error::RequestNotAvailable),
        }
    }
}

impl ExtensionId<AuthExtension> for Dispatch {
    type Id = Topic;
    const ID: Topic = Topic::Pins;
}

impl ExtensionId<WrapKeyToFileExtension> for Dispatch {
    type Id = Topic;
    const ID: Topic = Topic::WrappedKeys;
}

impl ExtensionId<ChunkedExtension> for Dispatch {
    type Id = Topic;
    const ID: Topic = Topic::ChunkedFiles;
}
