//! A page of the log, for whoever may read it.

use std::collections::BTreeSet;

use countersign_protocol::binary::Binary;
use countersign_protocol::ledger::Entry;
use countersign_protocol::message::result::{ExportedEntry, LedgerPage, LedgerRange};

use super::{Job, Performed};
use crate::context::Context;
use crate::ledger::{self, LedgerWriteError};
use crate::stop::Stop;

/// Bytes of JSON for the entries and certificates of one page. The frame around them fits one envelope.
const ROOM: usize = 700 * 1024;

pub(super) fn perform(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if job.statement.resource.name() != "entries" {
        return Ok(Performed::Unknown);
    }
    let range: LedgerRange = match job.body("the first index wanted") {
        Ok(range) => range,
        Err(why) => return Ok(why),
    };
    let mut page = match ctx.ledger().page(ctx.tx(), range.from, ROOM) {
        Ok(page) => page,
        Err(LedgerWriteError::NoSuchEntry { index, size }) => {
            let why = format!("The ledger has {size} entries; there is none at {index} yet.");
            return Ok(Performed::Impossible(why));
        }
        Err(error) => return Err(error.into()),
    };
    let certificates = with_signers(ctx, &mut page.entries)?;
    Performed::yielding(&LedgerPage {
        from: page.from,
        entries: page.entries,
        checkpoint: page.checkpoint,
        size: page.size,
        ledger_key: ctx.ledger().key().as_str().to_owned(),
        certificates,
    })
}

/// The certificates that a reader checks the statements with, revoked ones too. The page ends where they no longer
/// fit with it, but not before its first entry.
fn with_signers(ctx: &Context<'_>, entries: &mut Vec<ExportedEntry>) -> Result<Vec<Binary>, Stop> {
    let (mut certificates, mut known) = (Vec::new(), BTreeSet::new());
    let (mut used, mut kept) = (0_usize, 0_usize);
    for exported in &*entries {
        let signer = exported.evidence.as_ref().and_then(|_| Entry::from_bytes(&exported.entry.0).ok()?.key);
        let new = match signer.filter(|key| !known.contains(key)) {
            Some(key) => {
                let certificate = ctx.tx().account_certificate(&key)?;
                known.insert(key);
                certificate.map(Binary)
            }
            None => None,
        };
        used += ledger::weight(exported) + new.as_ref().map_or(0, |new| new.0.len() / 3 * 4 + 8);
        if used > ROOM && kept > 0 {
            break;
        }
        certificates.extend(new);
        kept += 1;
    }
    entries.truncate(kept);
    Ok(certificates)
}
