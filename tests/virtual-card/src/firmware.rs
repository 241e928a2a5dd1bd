//! The card's firmware and the runtime under it.
//!
//! The runtime's own test platform draws its keys from a constant seed and polls with a sleep. This
//! one takes randomness from the kernel and runs the service inside the call that asks for it, so
//! there is no second thread to wake and none to spin.

mod dispatch;
mod storage;

use littlefs2_core::{Path, path};
use rand_core::OsRng;
use trussed::ClientImplementation;
use trussed::pipe::{ServiceEndpoint, TrussedChannel};
use trussed::platform::{Platform, Syscall};
use trussed::service::Service;
use trussed::types::CoreContext;
use trussed::virt::{Store, StoreConfig};
use trussed_core::types::PathBuf;

use crate::bench::Bench;
use crate::chip::{Chip, OpenPgpChip};
use crate::touchpad::Touchpad;
use dispatch::{BACKENDS, Context, Dispatch, Source};

pub(crate) use storage::Storage;

/// The runtime keeps one folder per client; this is the card application's.
const CLIENT: &Path = path!("opcard");

/// Boots the firmware on `storage` and lends it to `use_it`.
pub(crate) fn with_chip<R>(
    storage: Storage,
    options: opcard::Options,
    bench: &Bench,
    use_it: impl FnOnce(&mut dyn Chip) -> R,
) -> R {
    let mut config: StoreConfig<'_> = storage.into();
    config.with_store(|store| {
        let channel = TrussedChannel::new();
        let Some((requester, responder)) = channel.split() else {
            // A channel splits once, and this one is new.
            std::process::abort()
        };
        let context = CoreContext::new(PathBuf::from(CLIENT));
        let board = Board { random: OsRng, store, touchpad: Touchpad::new(bench) };
        let runtime = Runtime {
            service: Service::with_dispatch(board, Dispatch::new()),
            endpoints: [ServiceEndpoint::new(responder, context, BACKENDS)],
        };
        let client = ClientImplementation::<_, Dispatch>::new(requester, runtime, None);
        use_it(&mut OpenPgpChip::new(client, options))
    })
}

/// The hardware as the runtime sees it.
struct Board<'a> {
    random: OsRng,
    store: Store<'a>,
    touchpad: Touchpad<'a>,
}

impl<'a> Platform for Board<'a> {
    type R = OsRng;
    type S = Store<'a>;
    type UI = Touchpad<'a>;

    fn rng(&mut self) -> &mut OsRng {
        &mut self.random
    }

    fn store(&self) -> Store<'a> {
        self.store
    }

    fn user_interface(&mut self) -> &mut Touchpad<'a> {
        &mut self.touchpad
    }
}

/// The service, run in the caller's thread.
struct Runtime<'a> {
    service: Service<Board<'a>, Dispatch>,
    endpoints: [ServiceEndpoint<'a, Source, Context>; 1],
}

impl Syscall for Runtime<'_> {
    fn syscall(&mut self) {
        self.service.process(&mut self.endpoints);
    }
}
