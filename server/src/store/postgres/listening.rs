//! Hearing what other servers on the database changed.

use std::thread;
use std::time::Duration;

use countersign_server_core::changes::Listener;
use countersign_server_core::store::StoreError;
use tokio::sync::watch;
use tokio_postgres::AsyncMessage;

use super::address::Address;
use super::connection::{Connection, PATIENCE};

/// How soon a lost connection is made anew.
const PAUSE: Duration = Duration::from_secs(1);

/// A thread that listens, until this is dropped.
pub(super) struct Listening {
    _stop: watch::Sender<()>,
}

impl Listening {
    /// Calls `listener` after each commit by somebody else than `own` that says that something changed.
    pub(super) fn begin(address: Address, own: String, listener: Listener) -> Self {
        let (stop, stopped) = watch::channel(());
        let listening = move || {
            let mut missed = false;
            while stopped.has_changed().is_ok() {
                // What cannot be heard is found by the next question all the same, only later.
                let _lost = listen(&address, &own, &listener, missed, stopped.clone());
                missed = true;
                thread::sleep(PAUSE);
            }
        };
        // Without a thread nothing is heard, as above.
        let _without = thread::Builder::new().name("changes".into()).spawn(listening);
        Self { _stop: stop }
    }
}

fn listen(
    address: &Address,
    own: &str,
    listener: &Listener,
    missed: bool,
    mut stopped: watch::Receiver<()>,
) -> Result<(), StoreError> {
    let connection = Connection::bare(address, PATIENCE)?;
    connection.batch("LISTEN countersign")?;
    if missed {
        listener();
    }
    while let Some(said) = connection.hear(async { while stopped.changed().await.is_ok() {} }) {
        if let AsyncMessage::Notification(notice) = said
            && notice.payload() != own
        {
            listener();
        }
    }
    Ok(())
}
