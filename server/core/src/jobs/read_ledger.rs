//! A page of the log, for whoever may read it.

use std::collections::BTreeSet;

use countersign_protocol::binary::Binary;
use countersign_protocol::ledger::Entry;
use countersign_protocol::message::result::{LedgerPage, LedgerRange};

use super::{Job, Performed};
use crate::context::Context;
use crate::ledger::LedgerWriteError;
use crate::stop::Stop;

/// Bytes of JSON for the entries of one page. Base64 and the frame around them fit one envelope.
const ROOM: usize = 700 * 1024;

pub(super) fn perform(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if job.statement.resource.name() != "entries" {
        return Ok(Performed::Unknown);
    }
    let range: LedgerRange = match job.body("the first index wanted") {
        Ok(range) => range,
        Err(why) => return Ok(why),
    };
    let page = match ctx.ledger().page(ctx.tx(), range.from, ROOM) {
        Ok(page) => page,
        Err(LedgerWriteError::NoSuchEntry { index, size }) => {
            let why = format!("The ledger has {size} entries; there is none at {index} yet.");
            return Ok(Performed::Impossible(why));
        }
        Err(error) => return Err(error.into()),
    };

    // A reader checks the statements with the certificates that signed them.
    let mut signers = BTreeSet::new();
    for exported in page.entries.iter().filter(|exported| exported.evidence.is_some()) {
        signers.extend(Entry::from_bytes(&exported.entry.0).ok().and_then(|entry| entry.account));
    }
    let mut certificates = Vec::new();
    for name in signers {
        let account = ctx.tx().account(&name)?;
        certificates.extend(account.and_then(|account| Some(Binary(account.key()?.certificate.clone()))));
    }
    Performed::yielding(&LedgerPage {
        from: page.from,
        entries: page.entries,
        checkpoint: page.checkpoint,
        size: page.size,
        ledger_key: ctx.ledger().key().as_str().to_owned(),
        certificates,
    })
}
