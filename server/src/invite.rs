//! A new code for an administrator, made on the server's own machine: for the first one, whose code died before it was
//! used, or in place of the key of one whose card is lost while nobody else could revoke it.

use countersign_protocol::clock::Clock;
use countersign_protocol::ids::{AccountName, CorrelationId, Fingerprint, Role};
use countersign_protocol::ledger::{Entry, EntryKind, Outcome, detail};
use countersign_protocol::message::result::AccountCreated;
use countersign_protocol::random::{NoRandomness, Random};
use countersign_server_core::accounts::{AccountKey, AccountState};
use countersign_server_core::jobs;
use countersign_server_core::ledger::{LedgerWriteError, StorageFailure};
use countersign_server_core::outbox::{EndedBy, Post, Reach};
use countersign_server_core::standing::{Subject, Watched};
use countersign_server_core::stop::Stop;
use countersign_server_core::store::{Store, StoreError, Transaction};

use crate::open::Keys;

/// No account has this role, so that nobody need be left with it.
const KEEP_NOBODY: &str = "";

/// What came of it.
pub struct Replaced {
    /// The code.
    pub created: AccountCreated,
    /// The key that ended, if there was one.
    pub revoked: Option<Fingerprint>,
}

/// No code was made.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerWriteError),
    /// The kernel.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The code.
    #[error("{0}")]
    Code(#[from] Stop),
    /// Somebody else's account.
    #[error(
        "{wanted} is not the account that the server was made with ({first}). \
         An administrator makes its code: countersign admin user add {wanted}"
    )]
    NotTheFirst {
        /// Asked for.
        wanted: AccountName,
        /// Of the ledger's first entry.
        first: AccountName,
    },
    /// Only they cannot be helped by somebody else.
    #[error(
        "the account {0} is no administrator's. An administrator revokes its key and makes its code: \
         countersign admin key revoke {0}, then countersign admin user add {0}"
    )]
    NoAdministrator(AccountName),
    /// A code would be of no use.
    #[error(
        "the account {0} is {1}. Another administrator must lift that first: countersign admin user resume {0}"
    )]
    Barred(AccountName, &'static str),
    /// It needs no code.
    #[error(
        "the account {0} has its key already, so that no code is made here. \
         If that key is lost and no other administrator is left: countersign-server invite --replace-key"
    )]
    HasKey(AccountName),
}

/// Makes the code, and an entry about it in the ledger.
///
/// # Errors
/// [`InviteError`]; then nothing was changed.
pub fn invite(
    store: &dyn Store,
    keys: &Keys,
    wanted: &AccountName,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<AccountCreated, InviteError> {
    let now = clock.now();
    let mut tx = store.begin()?;
    let first = first_administrator(&*tx)?;
    if *wanted != first {
        return Err(InviteError::NotTheFirst { wanted: wanted.clone(), first });
    }
    let account = tx.account(wanted)?;
    if account.is_none_or(|account| account.state != AccountState::Pending) {
        return Err(InviteError::HasKey(first));
    }
    let created = jobs::new_code(&*tx, random, &keys.pepper, wanted, now)?;
    let mut entry = Entry::new(
        EntryKind::Bootstrap,
        now,
        CorrelationId::new(random)?,
        Outcome::Noted,
        "a new code for the first administrator was made on the server's own machine",
    );
    entry.account = Some(first);
    let _beside = keys.ledger.append(&mut *tx, &entry, None)?;
    let proof =
        keys.ledger.seal(&mut *tx)?.commit(|| tx.commit().map_err(|error| StorageFailure(error.into())))?;
    drop(proof);
    Ok(created)
}

/// Ends an administrator's key for good, whoever else there may be, and makes the code for another, with an alarm in the
/// ledger and word to its person: all of it or nothing. An administrator who waits for a key gets a new code only.
///
/// # Errors
/// [`InviteError`]; then nothing was changed.
pub fn replace_key(
    store: &dyn Store,
    keys: &Keys,
    name: &AccountName,
    reach: &Reach,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Replaced, InviteError> {
    let now = clock.now();
    let mut tx = store.begin()?;
    let mut watched = Watched::of(&*tx, [Subject::account(name)])?;
    let account = tx.account(name)?;
    let account = account
        .filter(|account| account.roles.contains(&Role::Administrator))
        .ok_or_else(|| InviteError::NoAdministrator(name.clone()))?;
    if matches!(account.state, AccountState::Suspended(_) | AccountState::Retired) {
        return Err(InviteError::Barred(name.clone(), account.state.as_str()));
    }
    let reason = match account.key() {
        Some(_) => {
            "an administrator's key was revoked, and a code for another made, on the server's own machine"
        }
        None => "a new code for an administrator was made on the server's own machine",
    };
    let mut entry = Entry::new(EntryKind::Alarm, now, CorrelationId::new(random)?, Outcome::Noted, reason);
    entry.account = Some(name.clone());
    let revoked = account.key().map(|key| key.primary.clone());
    // First the one that would take the place of the other; an entry names one key.
    if let Some(key) = &account.second {
        let mut entry = Entry::new(
            EntryKind::Alarm,
            now,
            CorrelationId::new(random)?,
            Outcome::Noted,
            "the key of an administrator's second card was revoked on the server's own machine",
        );
        entry.account = Some(name.clone());
        end(&*tx, name, key, &mut entry)?;
        watched.note(&*tx, &mut entry)?;
        let _beside = keys.ledger.append(&mut *tx, &entry, None)?;
    }
    if let Some(key) = account.key() {
        end(&*tx, name, key, &mut entry)?;
    }
    let post = Post::new(&*tx, &keys.store_key, random, reach, now);
    for key in account.keys() {
        let told = post.key_ended(name, &key.primary, EndedBy::Console)?;
        entry.detail.insert("contacts-told".into(), told.to_string());
    }
    let created = jobs::new_code(&*tx, random, &keys.pepper, name, now)?;
    watched.note(&*tx, &mut entry)?;
    let _beside = keys.ledger.append(&mut *tx, &entry, None)?;
    let proof =
        keys.ledger.seal(&mut *tx)?.commit(|| tx.commit().map_err(|error| StorageFailure(error.into())))?;
    drop(proof);
    Ok(Replaced { created, revoked })
}

fn end(
    tx: &dyn Transaction,
    name: &AccountName,
    key: &AccountKey,
    entry: &mut Entry,
) -> Result<(), InviteError> {
    if !tx.revoke_key(name, key, KEEP_NOBODY, entry.time)? {
        return Err(StoreError::Unavailable(format!("the key of {name} was changed a moment ago")).into());
    }
    entry.detail.insert(detail::REVOKED_KEY.into(), key.primary.to_string());
    entry.detail.insert(detail::OF_ACCOUNT.into(), name.to_string());
    Ok(())
}

fn first_administrator(tx: &dyn Transaction) -> Result<AccountName, InviteError> {
    let damaged = || LedgerWriteError::Damaged("its first entry names no administrator".into());
    let first = tx.entries(0, 1).map_err(LedgerWriteError::from)?.into_iter().next().ok_or_else(damaged)?;
    let entry = Entry::from_bytes(&first.entry.0).map_err(LedgerWriteError::from)?;
    Ok(entry.account.filter(|_| entry.kind == EntryKind::Bootstrap).ok_or_else(damaged)?)
}
