//! A page of the log, or of what is wanted of it, for whoever may read it.

use std::collections::BTreeSet;

use countersign_protocol::binary::Binary;
use countersign_protocol::ledger::{Entry, LedgerExcerpt, LedgerSearch};
use countersign_protocol::message::result::{ExportedEntry, LedgerPage, LedgerRange};
use countersign_protocol::statement::Statement;

use super::{Job, Performed, explain};
use crate::context::Context;
use crate::core::Core;
use crate::ledger::{self, Found, LedgerWriteError};
use crate::stop::{Failure, Stop};
use crate::store::View;

/// Bytes of JSON for the entries and certificates of one page. The frame around them fits one envelope.
const ROOM: usize = 700 * 1024;

/// What a search found before the transaction, or why it found nothing.
pub(crate) type Looked = Result<Found, String>;

/// Looks for what a request wants of the log, if it is one that wants some of it. Only for who may read it.
pub(crate) fn look(
    core: &Core,
    view: &dyn View,
    statement: &Statement,
    body: Option<&[u8]>,
) -> Result<Option<Looked>, Failure> {
    if statement.operation.as_str() == "explain" && statement.resource.collection() == "policy" {
        return explain::look(core, view, statement, body);
    }
    let is_one = statement.operation.as_str() == "read" && statement.resource.as_str() == "ledger/entries";
    let Some(search) = body.filter(|_| is_one).and_then(search) else { return Ok(None) };
    match core.ledger().find(view, &search, ROOM) {
        Ok(found) => Ok(Some(Ok(found))),
        Err(LedgerWriteError::NoSuchEntry { index, size }) => Ok(Some(Err(none_yet(index, size)))),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn perform(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if job.statement.resource.name() != "entries" {
        return Ok(Performed::Unknown);
    }
    if let Some(search) = job.body.and_then(search) {
        return found(ctx, job, &search);
    }
    let range: LedgerRange = match job.body("the first index wanted") {
        Ok(range) => range,
        Err(why) => return Ok(why),
    };
    let mut page = match ctx.ledger().page(ctx.tx(), range.from, ROOM) {
        Ok(page) => page,
        Err(LedgerWriteError::NoSuchEntry { index, size }) => {
            return Ok(Performed::Impossible(none_yet(index, size)));
        }
        Err(error) => return Err(error.into()),
    };
    let (certificates, kept) = signers(ctx, page.entries.iter())?;
    page.entries.truncate(kept);
    Performed::yielding(&LedgerPage {
        from: page.from,
        entries: page.entries,
        checkpoint: page.checkpoint,
        size: page.size,
        ledger_key: ctx.ledger().key().as_str().to_owned(),
        certificates,
    })
}

fn found(ctx: &Context<'_>, job: &Job<'_>, search: &LedgerSearch) -> Result<Performed, Stop> {
    let found = match job.looked {
        Some(Ok(found)) => found,
        Some(Err(why)) => return Ok(Performed::Impossible(why.clone())),
        None => return Ok(Performed::impossible("Who may read the ledger changed a moment ago. Ask again.")),
    };
    let mut entries = found.entries.clone();
    let (certificates, kept) = signers(ctx, entries.iter().map(|proven| &proven.entry))?;
    let next = entries.get(kept).map(|first_left| first_left.index).or(found.next);
    entries.truncate(kept);
    Performed::yielding(&LedgerExcerpt {
        from: search.from,
        next,
        entries,
        size: found.size,
        checkpoint: found.checkpoint.clone(),
        ledger_key: ctx.ledger().key().as_str().to_owned(),
        certificates,
    })
}

fn search(body: &[u8]) -> Option<LedgerSearch> {
    serde_json::from_slice(body).ok()
}

fn none_yet(index: u64, size: u64) -> String {
    format!("The ledger has {size} entries; there is none at {index} yet.")
}

/// The certificates that a reader checks the statements with, revoked ones too; and how many of the entries fit into a
/// page with them, at least one.
fn signers<'a>(
    ctx: &Context<'_>,
    entries: impl Iterator<Item = &'a ExportedEntry>,
) -> Result<(Vec<Binary>, usize), Stop> {
    let (mut certificates, mut known) = (Vec::new(), BTreeSet::new());
    let (mut used, mut kept) = (0_usize, 0_usize);
    for exported in entries {
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
    Ok((certificates, kept))
}
