//! Does each entry of an excerpt stand in the ledger?

use std::collections::HashMap;
use std::io::BufRead;

use super::{ExcerptHeader, ExcerptLine, ProvenExport};
use crate::certificate::{self, Cert};
use crate::envelope::statement::verify_later;
use crate::ids::{Digest, Fingerprint};
use crate::ledger::checkpoint::{Checkpoint, check_record_in};
use crate::ledger::entry::Entry;
use crate::ledger::error::{LedgerError, LineProblem};
use crate::ledger::export::{JsonLines, Trust, agrees, check_evidence};
use crate::ledger::filter::EntryFilter;
use crate::ledger::key::LedgerKey;

/// Problems listed; a damaged file would fill the screen.
const LISTED: usize = 20;

/// An excerpt whose entries are all in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ExcerptReport {
    /// The key that signed the checkpoint.
    pub ledger_key: LedgerKey,
    /// Was that key known beforehand?
    pub key_was_known: bool,
    /// Number of entries of the ledger.
    pub size: u64,
    /// Root over them, as signed.
    pub root: Digest,
    /// What was asked for.
    pub filter: EntryFilter,
    /// Number of entries here.
    pub proven: u64,
    /// Statements that the certificate here signed which their entry names. Whether it was the account's then, only
    /// the whole ledger shows.
    pub statements: u64,
    /// Entries whose evidence was erased.
    pub erased: u64,
}

/// Reads an excerpt once, and checks the checkpoint's signature, the proof of each entry, that it is what the excerpt
/// says to be about, the evidence beside it, and the signature on each statement.
///
/// # Errors
/// [`LedgerError::Export`] with the lines and what is wrong with them, or [`LedgerError::Io`].
pub fn verify_excerpt(reader: impl BufRead, trust: &Trust) -> Result<ExcerptReport, LedgerError> {
    let mut lines = JsonLines::<_, ExcerptLine>::new(reader);
    let only = |what: String| LedgerError::Export { problems: vec![LineProblem { line: 1, what }], more: 0 };
    let (header, checkpoint) = match lines.next_line()? {
        Some(Ok(ExcerptLine::Excerpt(header))) => {
            let checkpoint = head(&header, trust).map_err(only)?;
            (header, checkpoint)
        }
        Some(_) => return Err(only("this is not the header of an excerpt of a ledger".to_owned())),
        None => return Err(only("the file is empty".to_owned())),
    };
    let mut check = Check {
        header: &header,
        checkpoint: &checkpoint,
        certificates: HashMap::new(),
        last: None,
        statements: 0,
        proven: 0,
        erased: 0,
    };
    let (mut problems, mut more) = (Vec::new(), 0);
    while let Some(line) = lines.next_line()? {
        let number = lines.number();
        let checked = match line {
            Ok(ExcerptLine::Certificate(bytes)) => check.certificate(&bytes.0),
            Ok(ExcerptLine::Proven(proven)) => check.entry(&proven),
            Ok(ExcerptLine::Excerpt(_)) => Err("a second header".to_owned()),
            Err(why) => Err(format!("not a line of an excerpt: {why}")),
        };
        match checked {
            Ok(()) => {}
            Err(what) if problems.len() < LISTED => problems.push(LineProblem { line: number, what }),
            Err(_) => more += 1,
        }
    }
    if !problems.is_empty() {
        return Err(LedgerError::Export { problems, more });
    }
    let Check { statements, proven, erased, .. } = check;
    Ok(ExcerptReport {
        key_was_known: trust.key.is_some(),
        size: checkpoint.size(),
        root: checkpoint.root(),
        statements,
        proven,
        erased,
        ledger_key: header.ledger_key,
        filter: header.filter,
    })
}

fn head(header: &ExcerptHeader, trust: &Trust) -> Result<Checkpoint, String> {
    if trust.key.as_ref().is_some_and(|known| *known != header.ledger_key) {
        return Err(format!(
            "this is of the ledger of another server: its key is {}, not the one known here",
            header.ledger_key
        ));
    }
    let checkpoint = header.ledger_key.checkpoint(&header.checkpoint).map_err(|error| error.to_string())?;
    if header.size != checkpoint.size() {
        return Err(format!(
            "the header says {} entries, the signed checkpoint {}",
            header.size,
            checkpoint.size()
        ));
    }
    Ok(checkpoint)
}

struct Check<'a> {
    header: &'a ExcerptHeader,
    checkpoint: &'a Checkpoint,
    certificates: HashMap<Fingerprint, Cert>,
    last: Option<u64>,
    statements: u64,
    proven: u64,
    erased: u64,
}

impl Check<'_> {
    fn certificate(&mut self, bytes: &[u8]) -> Result<(), String> {
        let read = certificate::parse(bytes).and_then(|cert| Ok((certificate::fingerprint(&cert)?, cert)));
        let (fingerprint, cert) = read.map_err(|error| format!("the certificate cannot be used: {error}"))?;
        self.certificates.insert(fingerprint, cert);
        Ok(())
    }

    fn entry(&mut self, proven: &ProvenExport) -> Result<(), String> {
        let ProvenExport { index, entry: exported, proof } = proven;
        if self.last.is_some_and(|last| *index <= last) {
            return Err(format!("entry {index} stands behind a later one, or twice"));
        }
        self.last = Some(*index);
        check_record_in(self.checkpoint, *index, &exported.entry.0, proof)
            .map_err(|error| error.to_string())?;
        let entry = Entry::from_bytes(&exported.entry.0).map_err(|error| error.to_string())?;
        if !self.header.filter.wants(&entry) {
            return Err(format!("entry {index} is not what the excerpt says to be about"));
        }
        self.proven += 1;
        let (Some(key), Some(evidence)) = (&entry.key, check_evidence(&entry, exported.evidence.as_ref())?)
        else {
            self.erased += u64::from(entry.evidence.is_some() && exported.evidence.is_none());
            return Ok(());
        };
        let cert = self.certificates.get(key).ok_or_else(|| {
            format!("the certificate {key}, which signed the statement, is not in the excerpt")
        })?;
        let verified = verify_later(&evidence.signed, cert).map_err(|error| error.to_string())?;
        agrees(&entry, verified.statement(), self.header.ledger_key.server())?;
        self.statements += 1;
        Ok(())
    }
}
