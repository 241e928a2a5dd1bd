//! Policy documents changed on the server's own machine: the way back in when no request can change them any more.

use countersign_protocol::clock::Clock;
use countersign_protocol::ids::CorrelationId;
use countersign_protocol::ledger::{Entry, EntryKind, Outcome};
use countersign_protocol::message::result::PolicyVersion;
use countersign_protocol::random::{NoRandomness, Random};
use countersign_server_core::ledger::{Ledger, LedgerWriteError, StorageFailure};
use countersign_server_core::policy::{self, By, Change};
use countersign_server_core::standing::{Subject, Watched};
use countersign_server_core::stop::Stop;
use countersign_server_core::store::{Store, StoreError};

/// Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerWriteError),
    /// The kernel.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// On the way.
    #[error("{0}")]
    Stopped(#[from] Stop),
    /// The documents cannot be so.
    #[error("{0}")]
    Refused(String),
}

/// Changes documents, all or none of them, each with an entry in the ledger; says which version each has from now on, and
/// whether that is a new one. With `alone` also where nobody could change them by a request afterwards.
///
/// # Errors
/// [`ImportError`]; then nothing was changed.
pub fn import(
    store: &dyn Store,
    ledger: &Ledger,
    changes: &[Change<'_>],
    alone: bool,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Vec<(PolicyVersion, bool)>, ImportError> {
    let now = clock.now();
    let mut tx = store.begin()?;
    let subjects = changes.iter().map(|change| Subject::policy(change.name.as_str()));
    let mut watched = Watched::of(&*tx, subjects)?;
    let changed = policy::change(&*tx, changes, By::Console { alone }, now)?.map_err(ImportError::Refused)?;
    for (version, _) in changed.versions.iter().filter(|(_, changed)| *changed) {
        let said = match version.digest {
            Some(_) => "a policy document was put on the server's own machine",
            None => "a policy document was taken out on the server's own machine",
        };
        let correlation = CorrelationId::new(random)?;
        let mut entry = Entry::new(EntryKind::Bootstrap, now, correlation, Outcome::Noted, said);
        policy::record(&mut entry, version);
        watched.note_one(&*tx, &Subject::policy(version.name.as_str()), &mut entry)?;
        let _beside = ledger.append(&mut *tx, &entry, None)?;
    }
    let proof =
        ledger.seal(&mut *tx)?.commit(|| tx.commit().map_err(|error| StorageFailure(error.into())))?;
    drop(proof);
    Ok(changed.versions)
}

/// Puts the default policy into a database that has none, as an earlier release left it if it never served.
///
/// # Errors
/// [`ImportError`].
pub fn ensure(
    store: &dyn Store,
    ledger: &Ledger,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<(), ImportError> {
    if store.view()?.policy_epoch()? > 0 {
        return Ok(());
    }
    let name = policy::DEFAULT_NAME
        .parse()
        .map_err(|error| ImportError::Refused(format!("{}: {error}", policy::DEFAULT_NAME)))?;
    let change = Change { name: &name, over: policy::Over::Whatever, text: Some(policy::DEFAULT) };
    import(store, ledger, &[change], true, clock, random).map(drop)
}
