//! The signatures, checked before the transaction: the person's by the code that checks it online, and our own.

use countersign_protocol::envelope::{RosterError, VerifiedRoster, open_roster};
use countersign_protocol::ids::{Digest, Fingerprint};
use countersign_protocol::ledger::Entry;
use countersign_protocol::message::{OfflineUse, OfflineUseReply};
use countersign_protocol::statement::Statement;

use super::verdict_of;
use crate::core::Core;
use crate::instances::Instance;
use crate::signatory::Signatory;
use crate::stop::Failure;
use crate::store::View;

/// Most names of one host that are looked at: a host that was away for so long that its key changed more often had no
/// roster any more.
const NAMES: usize = 4;

/// A use, and what its signatures prove.
pub(crate) struct Examined {
    pub(super) told: OfflineUse,
    /// The host as it was named then: its key may have changed since.
    pub(super) made_on: Instance,
    /// As it is named now.
    pub(super) told_by: Instance,
    /// Every name that it had from then until now, both included.
    pub(super) names: Vec<Fingerprint>,
    /// SHA-256 of the statement's bytes.
    pub(super) digest: Digest,
    /// The roster, if we signed it for this host.
    pub(super) roster: Result<VerifiedRoster, RosterError>,
    pub(super) signatory: Signatory,
    /// What we said when we were told of it before.
    pub(super) again: Option<OfflineUseReply>,
}

impl Examined {
    /// Of what `instance` tells.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn of(
        core: &Core,
        view: &dyn View,
        told_by: &Instance,
        told: OfflineUse,
    ) -> Result<Self, Failure> {
        let (made_on, names) = as_named_then(view, told_by, &told)?;
        let instance = &made_on.fingerprint;
        let digest = Digest::of(&told.statement.statement.0);
        // Both are judged as of the moment that the host decided.
        let roster = open_roster(&told.roster, core.identity().archive(), instance, told.at);
        let signatory = Signatory::of(core, view, &told.statement, instance, told.at)?;
        let again = match view.offline_use(instance, &digest)? {
            Some(place) => Some(said_before(core, view, place)?),
            None => None,
        };
        let told_by = told_by.clone();
        Ok(Self { told, made_on, told_by, names, digest, roster, signatory, again })
    }

    /// What a person's card signed, and the primary fingerprint of the certificate that proves it.
    pub(super) fn proven(&self) -> Option<(&Statement, &Fingerprint)> {
        match &self.signatory {
            Signatory::Account(signatory) => Some((signatory.0.statement(), &signatory.1.primary)),
            Signatory::Revoked(signatory) => Some((signatory.0.statement(), &signatory.1.key.primary)),
            Signatory::Nobody(_) => None,
        }
    }
}

/// Which of its names a host had when the statement was made, and those it had since: each change of its key was signed
/// by the key before.
fn as_named_then(
    view: &dyn View,
    told_by: &Instance,
    told: &OfflineUse,
) -> Result<(Instance, Vec<Fingerprint>), Failure> {
    let as_now = (told_by.clone(), vec![told_by.fingerprint.clone()]);
    let Ok(statement) = Statement::from_bytes(&told.statement.statement.0) else {
        return Ok(as_now);
    };
    let (mut named, mut names) = (told_by.clone(), Vec::new());
    for _ in 0..NAMES {
        names.push(named.fingerprint.clone());
        if named.fingerprint == statement.instance {
            return Ok((named, names));
        }
        match view.predecessor(&named.fingerprint)? {
            Some(before) => named = before,
            None => break,
        }
    }
    Ok(as_now)
}

fn said_before(core: &Core, view: &dyn View, place: u64) -> Result<OfflineUseReply, Failure> {
    let receipt = core.ledger().recall(view, place)?.receipt().clone();
    let entry = Entry::from_bytes(&receipt.entry.0).map_err(|error| Failure::Reply(error.to_string()))?;
    Ok(OfflineUseReply { verdict: verdict_of(&entry), reason: entry.reason, receipt })
}
