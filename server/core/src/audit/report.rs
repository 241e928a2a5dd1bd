//! What an audit found.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Digest;

use crate::standing::Subject;

/// One thing that is not as the ledger says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which row, such as `account/ana`; or `ledger`, if its own rows do not hold.
    pub row: String,
    /// What is not right about it, in words.
    pub what: String,
}

impl Finding {
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

/// What the last audit of this process said, for health and decisions.
#[derive(Debug, Default)]
pub struct Verdict(RwLock<Option<Result<Report, String>>>);

impl Verdict {
    /// Puts in what an audit said, or why there was none.
    pub fn put(&self, said: Result<Report, String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(said);
    }

    /// The rows that are not what the ledger says, with the difference; empty before the first audit.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let said = self.0.read().unwrap_or_else(PoisonError::into_inner);
        said.as_ref().and_then(|said| said.as_ref().ok()).map_or_else(Vec::new, |said| said.findings.clone())
    }

    /// Why the last audit could not be made, if it could not.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let said = self.0.read().unwrap_or_else(PoisonError::into_inner);
        said.as_ref().and_then(|said| said.as_ref().err().cloned())
    }

    /// A policy document that the last audit found edited, if there is one. What anybody may do is not known then.
    #[must_use]
    pub fn edited_policy(&self) -> Option<String> {
        let said = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(Ok(report)) = said.as_ref() else { return None };
        report.findings.iter().map(|finding| &finding.row).find(|row| row.starts_with("policy/")).cloned()
    }

    /// Whether the last audit found this row edited. Nothing is granted by it until it was looked into.
    #[must_use]
    pub fn distrusts(&self, subject: &Subject) -> bool {
        let said = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(Ok(report)) = said.as_ref() else { return false };
        !report.findings.is_empty() && {
            let row = subject.to_string();
            report.findings.iter().map(|finding| &finding.row).collect::<BTreeSet<_>>().contains(&row)
        }
    }
}
