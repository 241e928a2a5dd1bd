//! Emergency codes: one for each account, on paper, good for one login at the console of one host.
//!
//! Every try is an alarm in the ledger, whichever way it ends. A try is counted before anything is compared, and the
//! code is used up by one conditional statement, before anybody is let in.

mod online;
mod told;

pub(crate) use online::emergency_use;
pub(crate) use told::{offline_emergency, said_before};

use countersign_protocol::binary::Binary;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::emergency::EmergencyCode;
use countersign_protocol::envelope::verifier_of;
use countersign_protocol::ids::{AccountName, Digest, Fingerprint};
use countersign_protocol::message::result::EmergencyUsed;
use countersign_protocol::random::Random;
use countersign_protocol::roster::EmergencyVerifier;
use countersign_protocol::statement::Statement;

use crate::jobs::OPEN_SESSION;
use crate::stop::{Failure, Stop};
use crate::store::{StoreError, Transaction};

/// Gives an account a fresh code; any earlier one is worth nothing any more.
///
/// # Errors
/// The store's, or no randomness.
pub fn new_code(
    tx: &dyn Transaction,
    random: &dyn Random,
    account: &AccountName,
    now: Timestamp,
) -> Result<EmergencyCode, Stop> {
    let code = EmergencyCode::new(random)?;
    let verifier = verifier_of(&code, random).map_err(|error| Failure::Reply(error.to_string()))?;
    tx.put_emergency_code(account, &verifier, now)?;
    Ok(code)
}

/// Is this a login on that host, as a card would sign it, and nothing else? The name of the first field that is not.
fn wrong_field(statement: &Statement, instance: &Fingerprint) -> Option<&'static str> {
    let session = format!("session/{instance}");
    let right = [
        ("operation", statement.operation.as_str() == OPEN_SESSION),
        ("resource", statement.resource.as_str() == session),
        ("login", statement.login.is_some()),
        ("service", statement.service.is_some()),
        ("body", statement.body.is_none()),
        ("transcript", statement.transcript.is_none()),
        ("dry run", !statement.dry_run),
    ];
    right.into_iter().find(|(_, right)| !right).map(|(field, _)| field)
}

/// Emergency codes in a store, one for each account.
pub trait EmergencyStore {
    /// Gives `account` a new code; any earlier one is dead.
    ///
    /// # Errors
    /// [`StoreError`].
    fn put_emergency_code(
        &self,
        account: &AccountName,
        verifier: &EmergencyVerifier,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Counts one try, if one is left and the code was not used or ended, and only then shows what to compare with.
    ///
    /// # Errors
    /// [`StoreError`].
    fn try_emergency_code(&self, account: &AccountName) -> Result<Option<EmergencyVerifier>, StoreError>;

    /// Uses the code with this salt up for `request`, if nobody did before and it was not ended or replaced.
    ///
    /// # Errors
    /// [`StoreError`].
    fn use_emergency_code(
        &self,
        account: &AccountName,
        salt: &Binary,
        request: &Digest,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Whether the code with this salt was used for `request` before.
    ///
    /// # Errors
    /// [`StoreError`].
    fn is_used_for(&self, account: &AccountName, salt: &Binary, request: &Digest)
    -> Result<bool, StoreError>;

    /// Ends a code that was not used.
    ///
    /// # Errors
    /// [`StoreError`].
    fn end_emergency_code(&self, account: &AccountName, now: Timestamp) -> Result<bool, StoreError>;

    /// Remembers a use of the code with this salt until its person is told of it: the first at each instance.
    ///
    /// # Errors
    /// [`StoreError`].
    fn note_emergency_use(
        &self,
        account: &AccountName,
        salt: &Binary,
        instance: &Fingerprint,
        used: &EmergencyUsed,
    ) -> Result<(), StoreError>;

    /// The uses that the person was first told of less than
    /// [`EMERGENCY_TOLD_FOR`](countersign_protocol::limits::EMERGENCY_TOLD_FOR) ago, or never, the oldest first; no more
    /// than [`EMERGENCY_USES_TOLD`](countersign_protocol::limits::EMERGENCY_USES_TOLD) of the newest.
    ///
    /// # Errors
    /// [`StoreError`].
    fn tell_emergency_uses(
        &self,
        account: &AccountName,
        now: Timestamp,
    ) -> Result<Vec<EmergencyUsed>, StoreError>;

    /// Whether the account's code ended unused, and the person was first told of it less than
    /// [`EMERGENCY_TOLD_FOR`](countersign_protocol::limits::EMERGENCY_TOLD_FOR) ago, or never.
    ///
    /// # Errors
    /// [`StoreError`].
    fn tell_emergency_end(&self, account: &AccountName, now: Timestamp) -> Result<bool, StoreError>;
}
