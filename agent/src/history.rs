//! What happened here, for people: the journal's entries, each to those whom it concerns.

use std::collections::{BTreeMap, HashMap};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{CorrelationId, MessageId};
use countersign_protocol::ipc::{JournalAsk, JournalChecked, JournalEntry, JournalPage, ReportState};
use countersign_protocol::limits;
use serde_json::{Map, Value};

use crate::agent::Agent;
use crate::journal::{Journal, JournalError, Written};
use crate::trouble::Trouble;

/// Entries read at once.
const STEP: u32 = 500;

/// Entries looked through for one page. Whoever wants more asks again.
const SCAN: u64 = 20_000;

/// Bytes of entries in one page, with room to spare for what is around them.
const ROOM: usize = limits::IPC_BODY - 64 * 1024;

/// Whose entries are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// Root sees everything.
    All,
    /// Everybody else sees what is about their login name, or was asked by them.
    Own {
        /// The peer's login name, if it has one.
        login: Option<String>,
        /// The peer's user.
        uid: u32,
    },
}

impl Viewer {
    /// By the kernel's word and the host's own databases.
    #[must_use]
    pub fn of(peer: &crate::peer::Peer) -> Self {
        if peer.uid == 0 { Self::All } else { Self::Own { login: peer.login(), uid: peer.uid } }
    }

    /// Whether an entry may be shown, as far as a look at its text tells: most are another's, and need not be read.
    fn may_be_shown(&self, text: &str) -> bool {
        match self {
            Self::All => true,
            Self::Own { login, uid } => {
                login.as_ref().is_some_and(|login| text.contains(login.as_str()))
                    || text.contains(&format!("\"uid\":{uid}"))
            }
        }
    }

    /// Whether something about this login name, or asked by this user, is shown.
    #[must_use]
    pub fn may_see(&self, login: Option<&str>, asked_by: Option<u32>) -> bool {
        match self {
            Self::All => true,
            Self::Own { login: own, uid } => match login {
                Some(login) => own.as_deref() == Some(login),
                None => asked_by == Some(*uid),
            },
        }
    }
}

/// A page of the journal, and the JSON of its entries.
///
/// # Errors
/// The journal cannot be read.
pub fn page(agent: &Agent, viewer: &Viewer, ask: &JournalAsk) -> Result<(JournalPage, Vec<u8>), Trouble> {
    let journal = &agent.journal;
    let reports = journal.reports()?;
    let finder = Finder { viewer, ask, reports: &reports };
    let (page, entries) = match ask.last {
        Some(last) => finder.last(journal, last)?,
        None => finder.next(journal)?,
    };
    let body = serde_json::to_vec(&entries)
        .map_err(|error| Trouble::new(countersign_protocol::ipc::ProblemKind::Internal, error.to_string()))?;
    Ok((page, body))
}

/// The last `most` decisions and events, the newest last.
#[must_use]
pub fn decisions(agent: &Agent, viewer: &Viewer, most: u32) -> Vec<JournalEntry> {
    let ask = JournalAsk::default();
    let Ok(reports) = agent.journal.reports() else { return Vec::new() };
    let finder = Finder { viewer, ask: &ask, reports: &reports };
    let is_told = |entry: &JournalEntry| entry.correlation.is_some() && entry.event != "account-allowed";
    finder.last_of(&agent.journal, most, is_told).map(|(_, entries)| entries).unwrap_or_default()
}

/// A request that was accepted, to be done by whoever has the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptedJob {
    /// Its name.
    pub job: MessageId,
    /// Where it lies in the ledger that it was accepted.
    pub ledger_index: u64,
}

/// The one of this correlation id, if this viewer may see it.
///
/// # Errors
/// The journal cannot be read.
pub fn accepted_job(
    agent: &Agent,
    viewer: &Viewer,
    correlation: &CorrelationId,
) -> Result<Option<AcceptedJob>, Trouble> {
    let ask = JournalAsk { correlation: Some(correlation.clone()), ..JournalAsk::default() };
    let finder = Finder { viewer, ask: &ask, reports: &HashMap::new() };
    let (_, found) = finder.last_of(&agent.journal, 1, |entry| entry.more.contains_key("job"))?;
    let accepted = |entry: &JournalEntry| {
        let job = entry.more.get("job")?.parse().ok()?;
        Some(AcceptedJob { job, ledger_index: entry.ledger_index? })
    };
    Ok(found.last().and_then(accepted))
}

/// Checks the chain.
///
/// # Errors
/// It could not be looked at: that says nothing about it.
pub fn check(agent: &Agent) -> Result<JournalChecked, Trouble> {
    match agent.journal.verify() {
        Ok(entries) => Ok(JournalChecked { entries, problem: None }),
        Err(error) if error.may_pass() => Err(error.into()),
        Err(error) => Ok(JournalChecked { entries: 0, problem: Some(error.to_string()) }),
    }
}

struct Finder<'a> {
    viewer: &'a Viewer,
    ask: &'a JournalAsk,
    reports: &'a HashMap<String, ReportState>,
}

type Found = (JournalPage, Vec<JournalEntry>);

impl Finder<'_> {
    /// From the asked place on, as many as one page holds.
    fn next(&self, journal: &Journal) -> Result<Found, JournalError> {
        let from = self.ask.after.unwrap_or(0);
        let (mut upto, mut found, mut used) = (from, Vec::new(), 0);
        loop {
            let rows = journal.after(upto, STEP)?;
            if rows.is_empty() {
                return Ok((JournalPage { upto, more: false }, found));
            }
            for row in rows {
                let index = row.index;
                if let Some(entry) = self.entry(row, &mut used) {
                    if used > ROOM && !found.is_empty() {
                        return Ok((JournalPage { upto, more: true }, found));
                    }
                    found.push(entry);
                }
                upto = index;
            }
            if upto.saturating_sub(from) >= SCAN {
                return Ok((JournalPage { upto, more: true }, found));
            }
        }
    }

    fn last(&self, journal: &Journal, most: u32) -> Result<Found, JournalError> {
        self.last_of(journal, most, |_| true)
    }

    /// From the end backwards.
    fn last_of(
        &self,
        journal: &Journal,
        most: u32,
        is_wanted: impl Fn(&JournalEntry) -> bool,
    ) -> Result<Found, JournalError> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let (mut found, mut used, mut looked, mut end) = (Vec::new(), 0, 0, u64::MAX);
        let mut upto = 0;
        'all: while looked < SCAN {
            let rows = journal.before(end, STEP)?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                (end, looked) = (row.index, looked + 1);
                upto = upto.max(row.index);
                if found.len() >= most {
                    break 'all;
                }
                if let Some(entry) = self.entry(row, &mut used).filter(|entry| is_wanted(entry)) {
                    if used > ROOM {
                        break 'all;
                    }
                    found.push(entry);
                }
            }
        }
        found.reverse();
        Ok((JournalPage { upto, more: false }, found))
    }

    /// The entry, if it was asked for and may be shown; adds its size to `used`.
    fn entry(&self, row: Written, used: &mut usize) -> Option<JournalEntry> {
        // A look at the text spares most entries being read.
        let text = row.entry.as_str();
        if self.ask.correlation.as_ref().is_some_and(|wanted| !text.contains(wanted.as_str()))
            || !self.viewer.may_be_shown(text)
        {
            return None;
        }
        let at = Timestamp::try_from(row.at.clone()).ok()?;
        if self.ask.since.is_some_and(|since| at < since) {
            return None;
        }
        let mut fields = Fields(serde_json::from_str(text).ok()?);
        let (login, uid) = (fields.text("login"), fields.number("uid"));
        let asked_by = uid.and_then(|uid| u32::try_from(uid).ok());
        let is_other =
            |wanted: &countersign_protocol::ids::LoginName| login.as_deref() != Some(wanted.as_str());
        if !self.viewer.may_see(login.as_deref(), asked_by) || self.ask.login.as_ref().is_some_and(is_other) {
            return None;
        }
        *used += text.len() + 64;
        let entry = fields.entry(row.index, at, login, uid, self.reports);
        let is_it = |wanted: &countersign_protocol::ids::CorrelationId| {
            let has = |id: Option<&String>| id.is_some_and(|id| id == wanted.as_str());
            has(entry.correlation.as_ref()) || has(entry.more.get("ledger_correlation"))
        };
        self.ask.correlation.as_ref().is_none_or(is_it).then_some(entry)
    }
}

/// The fields of an entry, taken one by one.
struct Fields(Map<String, Value>);

impl Fields {
    fn text(&mut self, name: &str) -> Option<String> {
        match self.0.remove(name)? {
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }

    fn number(&mut self, name: &str) -> Option<u64> {
        self.0.remove(name)?.as_u64()
    }

    fn entry(
        mut self,
        index: u64,
        at: Timestamp,
        login: Option<String>,
        uid: Option<u64>,
        reports: &HashMap<String, ReportState>,
    ) -> JournalEntry {
        let event = self.text("event").unwrap_or_else(|| "entry".to_owned());
        let correlation = self.text("correlation");
        let outcome = self.text("outcome").or_else(|| {
            let allowed = self.0.remove("allowed").and_then(|allowed| allowed.as_bool());
            allowed.map(|allowed| if allowed { "allowed" } else { "denied" }.to_owned())
        });
        // Of events alone: what was decided is in the ledger already.
        let report =
            correlation.as_ref().filter(|_| outcome.is_none()).and_then(|id| reports.get(id)).copied();
        let (service, account) = (self.text("service"), self.text("account"));
        let (ledger_index, told) = (self.number("ledger_index"), self.text("told"));
        let mut more: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in self.0 {
            let value = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            more.insert(name, value);
        }
        if let Some(uid) = uid {
            more.insert("uid".to_owned(), uid.to_string());
        }
        JournalEntry {
            index,
            at,
            event,
            correlation,
            login,
            service,
            account,
            outcome,
            ledger_index,
            told,
            report,
            more,
        }
    }
}

#[cfg(test)]
mod tests;
