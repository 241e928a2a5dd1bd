//! What an audit found.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Digest;

use crate::ledger::LedgerWriteError;
use crate::standing::Subject;
use crate::stop::Failure;

/// One thing that is not as the ledger says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which row, such as `account/ana`; or `ledger`, if its own rows do not hold.
    pub row: String,
    /// What is not right about it, in words.
    pub what: String,
}

/// The row that findings about the ledger itself name.
pub(super) const LEDGER: &str = "ledger";

/// The row that findings name about a database that could not be read.
pub(super) const DATABASE: &str = "database";

/// The row that an alarm names where what was kept of the ledger was edited.
const KEPT: &str = "audit";

impl Finding {
    pub(super) fn of_ledger(failure: &Failure) -> Self {
        let what = match failure {
            Failure::Ledger(LedgerWriteError::Damaged(what)) => what.clone(),
            _ => failure.to_string(),
        };
        Self { row: LEDGER.into(), what }
    }

    /// Whether it is about one row, and not about the ledger or the database as a whole.
    #[must_use]
    pub fn is_of_a_row(&self) -> bool {
        self.row.parse::<Subject>().is_ok()
    }

    /// It is no finding of an audit: it was made again.
    pub(super) fn of_what_was_kept() -> Self {
        let what = "what the last audit knew was edited; the whole ledger was read again".into();
        Self { row: KEPT.into(), what }
    }

    pub(super) fn digest(&self) -> String {
        Digest::of(self.what.as_bytes()).to_string()
    }
}

/// What an audit found.
#[derive(Debug, Clone)]
#[must_use]
pub struct Report {
    /// Entries of the ledger so far.
    pub entries: u64,
    /// Rows that the ledger says something of.
    pub rows: usize,
    /// All that is not right.
    pub findings: Vec<Finding>,
    /// Those of them that had no alarm in the ledger before.
    pub unheard: Vec<Finding>,
    /// When.
    pub at: Timestamp,
}

/// Why nobody changes who may do what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Standstill {
    /// The ledger or the database as a whole is not right.
    #[error(
        "The server's {} is damaged ({}). Nothing is changed until an administrator of the server has looked: \
         countersign-server check",
        .0.row, .0.what
    )]
    Damaged(Finding),
    /// No audit of this process came to an end.
    #[error(
        "The server could not compare its database with its ledger yet ({0}). Nothing is changed before that; it is tried \
         again every minute"
    )]
    NotCompared(String),
}

/// What is known of the database since this process began, for health and decisions.
#[derive(Debug, Default)]
pub struct Verdict(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    /// By row. Of the last audit that came to an end.
    findings: BTreeMap<String, Finding>,
    /// Whether one did.
    audited: bool,
    /// Why the last one did not.
    failure: Option<String>,
}

impl Verdict {
    /// Puts in what an audit said, or why there was none. What was found before an audit that failed is still so; and a
    /// database that cannot be read for what stands in it was edited, too.
    pub fn put(&self, said: Result<&Report, &Failure>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match said {
            Ok(report) => {
                let by_row = |finding: &Finding| (finding.row.clone(), finding.clone());
                let findings = report.findings.iter().rev().map(by_row).collect();
                *known = Known { findings, audited: true, failure: None };
            }
            Err(failure) => {
                let what = failure.to_string();
                if failure.is_damage() {
                    let finding = Finding { row: DATABASE.into(), what: what.clone() };
                    known.findings.insert(DATABASE.into(), finding);
                }
                known.failure = Some(what);
            }
        }
    }

    /// What is not right, by row; nothing before the first audit.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.known(|known| known.findings.values().cloned().collect())
    }

    /// Why the last audit could not be made, if it could not.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.known(|known| known.failure.clone())
    }

    /// A policy document that was found edited, if there is one. What anybody may do is not known then.
    #[must_use]
    pub fn edited_policy(&self) -> Option<String> {
        self.known(|known| known.findings.keys().find(|row| row.starts_with("policy/")).cloned())
    }

    /// Why nobody changes who may do what for now, if so. Before the first audit nothing is known to be right, whyever it
    /// failed.
    #[must_use]
    pub fn standstill(&self) -> Option<Standstill> {
        self.known(|known| {
            let damage = [LEDGER, DATABASE].into_iter().find_map(|row| known.findings.get(row).cloned());
            let not_compared =
                || known.failure.clone().filter(|_| !known.audited).map(Standstill::NotCompared);
            damage.map(Standstill::Damaged).or_else(not_compared)
        })
    }

    /// Whether this row was found edited. Nothing is granted by it until it was looked into.
    #[must_use]
    pub fn distrusts(&self, subject: &Subject) -> bool {
        self.known(|known| !known.findings.is_empty() && known.findings.contains_key(&subject.to_string()))
    }

    fn known<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn a_failure_that_passes_is_no_damage_and_clears_none() {
        let verdict = Verdict::default();
        assert_eq!(verdict.standstill(), None);
        let passing = Failure::Store(StoreError::Unavailable("it waits".into()));
        verdict.put(Err(&passing));
        let yet = verdict.standstill().unwrap();
        assert!(yet.to_string().contains("could not compare its database with its ledger yet"), "{yet}");
        assert_eq!(verdict.findings(), []);
        let (at, findings) = (Timestamp::from_seconds(0), Vec::new());
        let clean = Report { entries: 0, rows: 0, findings, unheard: Vec::new(), at };
        verdict.put(Ok(&clean));
        verdict.put(Err(&passing));
        assert_eq!((verdict.standstill(), verdict.failure().is_some()), (None, true));
        verdict.put(Err(&Failure::Store(StoreError::Corrupt("x".into()))));
        verdict.put(Err(&passing));
        assert!(verdict.standstill().unwrap().to_string().contains("database is damaged"));
        verdict.put(Ok(&clean));
        assert_eq!(verdict.standstill(), None);
    }
}
