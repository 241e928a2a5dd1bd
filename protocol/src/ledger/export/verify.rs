//! Does a whole export hold?

use std::collections::HashMap;
use std::io::BufRead;

use super::approvals::Approvals;
use super::{ExportHeader, ExportLine, ExportLines, ExportReport, Trust};
use crate::certificate::{self, Cert};
use crate::clock::Timestamp;
use crate::envelope::statement::verify_later;
use crate::ids::{AccountName, Digest, Fingerprint};
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::entry::{Entry, EntryKind, Outcome, detail};
use crate::ledger::error::{LedgerError, LineProblem};
use crate::ledger::key::LedgerKey;
use crate::ledger::tree::Frontier;
use crate::limits;
use crate::message::result::{Evidence, ExportedEntry};
use crate::statement::Statement;

/// Problems listed; a damaged file would fill the screen.
const LISTED: usize = 20;

/// Reads an export once, from the header to the last entry, and checks
///
/// - the checkpoint's signature, by the key in `trust` if there is one,
/// - the root over all entries from 0 on,
/// - every piece of evidence against the entry that names it,
/// - every signed statement against a certificate that an earlier entry registered for its account, at the time
///   the statement was made.
///
/// # Errors
/// [`LedgerError::Export`] with the lines and what is wrong with them, or [`LedgerError::Io`].
pub fn verify_export(reader: impl BufRead, trust: &Trust) -> Result<ExportReport, LedgerError> {
    let mut lines = ExportLines::new(reader);
    let (header, checkpoint) = match lines.next_line()? {
        Some(Ok(ExportLine::Header(header))) => {
            let checkpoint = check_header(&header, trust).map_err(only_problem)?;
            (header, checkpoint)
        }
        Some(_) => return Err(only_problem("this is not the header of a ledger export".to_owned())),
        None => return Err(only_problem("the file is empty".to_owned())),
    };
    let mut check = Check::new(&header.ledger_key, &checkpoint, trust);
    while let Some(line) = lines.next_line()? {
        let number = lines.number();
        match line {
            Ok(ExportLine::Entry(entry)) => check.entry(number, &entry),
            Ok(ExportLine::Certificate(bytes)) => check.certificate(number, &bytes.0),
            Ok(ExportLine::Header(_)) => check.problem(number, "a second header"),
            Err(why) => check.problem(number, format!("not a line of a ledger export: {why}")),
        }
    }
    check.finish(lines.number())
}

/// The evidence of an entry, if it is there: what the entry names, and nothing else.
pub(in crate::ledger) fn check_evidence<'a>(
    entry: &Entry,
    evidence: Option<&'a Evidence>,
) -> Result<Option<&'a Evidence>, String> {
    let (named, evidence) = match (entry.evidence, evidence) {
        (None, Some(_)) => return Err("evidence lies beside an entry that names none".to_owned()),
        (_, None) => return Ok(None),
        (Some(named), Some(evidence)) => (named, evidence),
    };
    if evidence.digest() != named {
        return Err("the evidence was altered: it is not what the entry names".to_owned());
    }
    if entry.statement != Some(Digest::of(&evidence.signed.statement.0)) {
        return Err("the evidence holds another statement than the entry names".to_owned());
    }
    Ok(Some(evidence))
}

/// An entry may say less than the statement, never something else.
pub(in crate::ledger) fn agrees(
    entry: &Entry,
    signed: &Statement,
    server: &Fingerprint,
) -> Result<(), String> {
    if signed.server != *server {
        return Err(format!("the statement was made for the server {}", signed.server));
    }
    let agrees = [
        ("account", entry.account.as_ref().is_none_or(|said| *said == signed.account)),
        ("operation", entry.operation.as_ref().is_none_or(|said| *said == signed.operation)),
        ("resource", entry.resource.as_ref().is_none_or(|said| *said == signed.resource)),
        ("login", entry.login.is_none() || entry.login == signed.login),
        ("service", entry.service.is_none() || entry.service == signed.service),
        ("instance", entry.instance.as_ref().is_none_or(|said| *said == signed.instance)),
    ];
    match agrees.iter().find(|(_, agrees)| !agrees) {
        None => Ok(()),
        Some((field, _)) => Err(format!("the entry names another {field} than the person signed")),
    }
}

/// Whether a key was an account's when a host let somebody in by it, without the server.
fn was_its_key(held: &[&Registered], entry: &Entry, signed: Timestamp) -> Result<(), String> {
    let at = entry.detail.get(detail::AT).and_then(|at| Timestamp::try_from(at.clone()).ok());
    let Some(at) = at else { return Err("it does not say when the host let somebody in".to_owned()) };
    let was = |one: &&Registered| {
        one.from.seconds_since(signed) <= limits::CLOCK_SKEW
            && one.until.is_none_or(|until| at < until && signed < until)
    };
    if held.iter().any(was) { Ok(()) } else { Err(format!("on {at} the key was not the account's")) }
}

fn check_header(header: &ExportHeader, trust: &Trust) -> Result<Checkpoint, String> {
    if trust.key.as_ref().is_some_and(|known| *known != header.ledger_key) {
        return Err(format!(
            "this is the ledger of another server: its key is {}, not the one known here",
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
    if header.from != 0 {
        return Err(format!(
            "the export begins at entry {}; only a whole one, from 0, can be checked",
            header.from
        ));
    }
    match trust.seen {
        Some((seen, _)) if seen > checkpoint.size() => {
            Err(LedgerError::RolledBack { seen, now: checkpoint.size() }.to_string())
        }
        _ => Ok(checkpoint),
    }
}

fn only_problem(what: String) -> LedgerError {
    LedgerError::Export { problems: vec![LineProblem { line: 1, what }], more: 0 }
}

/// A key of an account, from an entry to another.
struct Registered {
    key: Fingerprint,
    from: Timestamp,
    until: Option<Timestamp>,
}

struct Check<'a> {
    key: &'a LedgerKey,
    checkpoint: &'a Checkpoint,
    trust: &'a Trust,
    tree: Frontier,
    certificates: HashMap<Fingerprint, Cert>,
    /// The keys of each account, the newest last.
    registered: HashMap<AccountName, Vec<Registered>>,
    approvals: Approvals,
    report: ExportReport,
    problems: Vec<LineProblem>,
    more: u64,
}

impl<'a> Check<'a> {
    fn new(key: &'a LedgerKey, checkpoint: &'a Checkpoint, trust: &'a Trust) -> Self {
        let report = ExportReport {
            ledger_key: key.clone(),
            key_was_known: trust.key.is_some(),
            size: checkpoint.size(),
            root: checkpoint.root(),
            statements: 0,
            unattributed: 0,
            erased: 0,
            approved: 0,
            span: None,
        };
        Self {
            key,
            checkpoint,
            trust,
            tree: Frontier::new(),
            certificates: HashMap::new(),
            registered: HashMap::new(),
            approvals: Approvals::default(),
            report,
            problems: Vec::new(),
            more: 0,
        }
    }

    fn problem(&mut self, line: u64, what: impl Into<String>) {
        if self.problems.len() < LISTED {
            self.problems.push(LineProblem { line, what: what.into() });
        } else {
            self.more += 1;
        }
    }

    fn certificate(&mut self, line: u64, bytes: &[u8]) {
        match certificate::parse(bytes).and_then(|cert| Ok((certificate::fingerprint(&cert)?, cert))) {
            Ok((fingerprint, cert)) => {
                self.certificates.insert(fingerprint, cert);
            }
            Err(error) => self.problem(line, format!("the certificate cannot be used: {error}")),
        }
    }

    fn entry(&mut self, line: u64, exported: &ExportedEntry) {
        self.tree.push(&exported.entry.0);
        if self.tree.size() == self.checkpoint.size() + 1 {
            let what = format!(
                "here begin entries that the checkpoint of {} does not cover",
                self.checkpoint.size()
            );
            self.problem(line, what);
        }
        if let Some((seen, root)) = self.trust.seen
            && seen == self.tree.size()
            && root != self.tree.root()
        {
            let now = self.checkpoint.size();
            self.problem(line, LedgerError::Rewritten { seen, now }.to_string());
        }
        match Entry::from_bytes(&exported.entry.0) {
            Err(error) => self.problem(line, error.to_string()),
            Ok(entry) => {
                let first = self.report.span.map_or(entry.time, |(first, _)| first);
                self.report.span = Some((first, entry.time));
                let place = self.tree.size().saturating_sub(1);
                let checked = self.evidence(&entry, exported.evidence.as_ref());
                match checked.and_then(|signed| self.approvals.entry(place, &entry, signed.as_ref())) {
                    Ok(approved) => self.report.approved += u64::from(approved),
                    Err(what) => self.problem(line, what),
                }
                self.revocation(&entry);
                if let (EntryKind::Registration, Outcome::Allowed, Some(account), Some(key)) =
                    (entry.kind, entry.decision, entry.account, entry.key)
                {
                    let registered = Registered { key, from: entry.time, until: None };
                    self.registered.entry(account).or_default().push(registered);
                }
            }
        }
    }

    /// A key ends: by an administrator's request, by its own word, because another took its place, or by an alarm about what
    /// was done on the server's own machine.
    fn revocation(&mut self, entry: &Entry) {
        let counts = match entry.kind {
            EntryKind::Job => entry.decision == Outcome::Allowed,
            // Another key took its place.
            EntryKind::Registration | EntryKind::Revocation => entry.decision == Outcome::Allowed,
            EntryKind::Alarm => true,
            _ => false,
        };
        let named = (entry.detail.get(detail::REVOKED_KEY), entry.detail.get(detail::OF_ACCOUNT));
        let (true, (Some(key), Some(account))) = (counts, named) else { return };
        let Ok(account) = account.parse::<AccountName>() else { return };
        // An account that is retired or recovered had two of them at most.
        let ended: Vec<Fingerprint> = key.split(' ').filter_map(|key| key.parse().ok()).collect();
        let keys = self.registered.get_mut(&account).into_iter().flatten();
        for one in keys.filter(|one| ended.contains(&one.key) && one.until.is_none()) {
            one.until = Some(entry.time);
        }
    }

    /// The statement beside an entry, if it is there and somebody's.
    fn evidence(&mut self, entry: &Entry, evidence: Option<&Evidence>) -> Result<Option<Statement>, String> {
        // Erased evidence is named still: an entry that lets somebody do something and names none was made up.
        let needs_it = matches!(entry.kind, EntryKind::Job | EntryKind::OfflineUse | EntryKind::Registration);
        if needs_it && entry.decision == Outcome::Allowed {
            for (missing, what) in [(entry.key.is_none(), "key"), (entry.evidence.is_none(), "evidence")] {
                if missing {
                    return Err(format!("it says that somebody was allowed something, and names no {what}"));
                }
            }
        }
        let Some(evidence) = check_evidence(entry, evidence)? else {
            self.report.erased += u64::from(entry.evidence.is_some());
            return Ok(None);
        };
        let Some(key) = &entry.key else {
            self.report.unattributed += 1;
            return Ok(None);
        };
        let statement = self.statement(entry, key, evidence)?;
        self.report.statements += 1;
        Ok(Some(statement))
    }

    fn statement(&self, entry: &Entry, key: &Fingerprint, evidence: &Evidence) -> Result<Statement, String> {
        let cert = self.certificates.get(key).ok_or_else(|| {
            format!("the certificate {key}, which signed the statement, is not in the export")
        })?;
        let verified = verify_later(&evidence.signed, cert).map_err(|error| error.to_string())?;
        let signed = verified.statement();
        agrees(entry, signed, self.key.server())?;
        let keys = self.registered.get(&signed.account).map_or(&[][..], Vec::as_slice);
        let held: Vec<&Registered> = keys.iter().filter(|one| one.key == *key).collect();
        let begins = matches!(entry.kind, EntryKind::Registration | EntryKind::Recovery);
        let Some(newest) = held.last().filter(|_| !begins) else {
            return match entry.kind {
                EntryKind::Registration | EntryKind::Recovery => Ok(signed.clone()),
                _ => {
                    Err(format!("no entry before it registers the key {key} for account {}", signed.account))
                }
            };
        };
        match entry.kind {
            // About anything, so also about a key that ended.
            EntryKind::Alarm => {}
            // Told of later, when the account may have another key by then.
            EntryKind::OfflineUse => was_its_key(&held, entry, signed.time)?,
            _ if newest.until.is_some() || !is_of_one_of_two_cards(keys, key) => {
                return Err(format!("the key {key} of account {} had ended before it", signed.account));
            }
            _ => {}
        }
        Ok(signed.clone())
    }

    fn finish(mut self, last_line: u64) -> Result<ExportReport, LedgerError> {
        let (here, signed) = (self.tree.size(), self.checkpoint.size());
        if here < signed {
            self.problem(
                last_line,
                format!("the file ends here; {} of {signed} entries are missing", signed - here),
            );
        } else if here == signed && self.tree.root() != self.checkpoint.root() {
            self.problem(
                1,
                "the checkpoint signed other entries: one below was changed, replaced or put in another place",
            );
        }
        if self.problems.is_empty() {
            return Ok(self.report);
        }
        self.problems.sort_by_key(|problem| problem.line);
        Err(LedgerError::Export { problems: self.problems, more: self.more })
    }
}

/// An account has two cards at most: of its keys that were not ended, the newest two.
fn is_of_one_of_two_cards(keys: &[Registered], key: &Fingerprint) -> bool {
    keys.iter().rev().filter(|one| one.until.is_none()).take(2).any(|one| one.key == *key)
}
