//! The server's own OpenPGP keys: the primary key in its file, or elsewhere, and the subkeys in the store.

mod primary;

pub use primary::{Primary, new_primary, secret_form, subkeys_form};

use countersign_protocol::certificate::CertificateError;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::random::Random;
use countersign_server_core::identity::Identity;
use countersign_server_core::server_keys::{Custody, ServerKeys, life};
use countersign_server_core::stop::{Failure, Stop};
use countersign_server_core::store::Store;

use crate::data::DataFolder;
use crate::open::{Keys, OpenError};

/// Makes a new pair, as somebody on the server's own machine wants it, though none is due.
///
/// # Errors
/// [`Stop`]: the primary key is not there, or the store fails.
pub fn renew(
    keys: &Keys,
    store: &dyn Store,
    days: u32,
    at_once: bool,
    now: Timestamp,
    random: &dyn Random,
) -> Result<(), Stop> {
    let primary = keys.primary.certificate();
    let why = if at_once {
        "new subkeys were made on the server's own machine, and the older ones revoked"
    } else {
        "new subkeys were made on the server's own machine"
    };
    let failed = |error: CertificateError| Failure::Keys(error.to_string());
    let custody = Custody { store, ledger: &keys.ledger, store_key: &keys.store_key, random };
    custody.exchange(now, |held| {
        let first = ServerKeys::of(primary).map_err(failed)?;
        let renewed = held.unwrap_or(&first).renewed(primary, now, life(days), at_once);
        Ok(Some((renewed.map_err(failed)?, why)))
    })?;
    Ok(())
}

/// Who the server is, by its subkeys in the store. A server of an early version, whose keys lay in its file alone, gets its
/// first pair; and one that was away for longer than the life of a pair gets another, to be used for `days`, if its primary
/// key is there.
///
/// # Errors
/// [`OpenError`]: no subkeys that can be used.
pub fn identity(
    folder: &DataFolder,
    keys: &Keys,
    store: &dyn Store,
    url: &str,
    days: u32,
    now: Timestamp,
    random: &dyn Random,
) -> Result<Identity, OpenError> {
    let custody = Custody { store, ledger: &keys.ledger, store_key: &keys.store_key, random };
    let failed = |error: &dyn std::fmt::Display| OpenError::Keys(error.to_string());
    let held = custody.look().map_err(|error| failed(&error))?;
    let usable = held.as_ref().is_some_and(|(_, keys)| keys.signing_pair(now).is_some());
    if !usable && keys.primary.has_secret() {
        let primary = keys.primary.certificate();
        let exchanged = custody.exchange(now, |before| {
            let failed = |error: CertificateError| Failure::Keys(error.to_string());
            let first = match before {
                None => Some(ServerKeys::of(primary).map_err(failed)?),
                Some(_) => None,
            };
            let Some(before) = first.as_ref().or(before) else { return Ok(None) };
            if before.signing_pair(now).is_some() {
                return Ok(None);
            }
            let renewed = before.renewed(primary, now, life(days), false).map_err(failed)?;
            Ok(Some((renewed, "the server made subkeys, since it had none that could be used")))
        });
        exchanged.map_err(|error| failed(&error))?;
    }
    keys.primary.leave_nothing_but_itself(folder)?;
    let gone = || {
        OpenError::Keys(
            "the store has no subkeys of this server, and its primary key is elsewhere; where that is: \
             countersign-server key new-subkeys, then here: countersign-server key import-subkeys"
                .into(),
        )
    };
    let (version, own) = custody.look().map_err(|error| failed(&error))?.ok_or_else(gone)?;
    Identity::new(&own, version, url.to_owned(), now).map_err(|error| {
        OpenError::Keys(format!(
            "the server's subkeys cannot be used: {error}. Where the primary key is: countersign-server key new-subkeys, then \
             here: countersign-server key import-subkeys"
        ))
    })
}
