//! Are the tables what the ledger says? An edit of the database is found here, and is an alarm (W23).
//!
//! The ledger is replayed from where the last audit ended: what it says of each row ([`crate::standing`]) is kept by
//! digest, under a MAC by a key that the database does not hold, so that whoever edits the tables cannot edit what was
//! kept of the ledger too. Where that MAC is not good, or what was kept cannot be read, everything is replayed.

mod compare;
mod replay;
mod report;
mod state;

pub use report::{Finding, Report, Standstill, Verdict};
pub use state::{AuditRead, AuditStore, Kept, Said, State, StateRow};

use std::collections::{BTreeMap, BTreeSet};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::CorrelationId;
use countersign_protocol::ledger::{Entry, EntryKind, Outcome};
use countersign_protocol::random::Random;

use crate::ledger::{Ledger, StorageFailure};
use crate::secrets::Pepper;
use crate::standing::{Stated, Subject};
use crate::stop::Failure;
use crate::store::{Store, StoreError, Transaction, View};

/// Most findings that get an entry each in one audit; the rest are counted.
const ENTRIES: usize = 20;

/// What an audit needs.
pub struct Auditor<'a> {
    /// The database.
    pub store: &'a dyn Store,
    /// Under what is kept of the ledger.
    pub pepper: &'a Pepper,
    /// For alarms.
    pub ledger: &'a Ledger,
    /// For their ids.
    pub random: &'a dyn Random,
}

/// What is kept, as it was before an audit.
struct Was {
    next: u64,
    kept: Kept,
}

/// The ledger itself is not right.
struct Damage {
    finding: Finding,
    /// It is kept, and goes on being said until the whole ledger was read again.
    lasts: bool,
}

/// All rows that are not as they should be, each once, and what was found about the ledger before.
fn every_finding(view: &dyn View, state: &State) -> Result<Vec<Finding>, Failure> {
    let mut findings = compare::compare(view, state)?;
    let known: BTreeSet<String> = findings.iter().map(|finding| finding.row.clone()).collect();
    let edited = state.kept.edited.iter().filter(|(row, _)| !known.contains(*row));
    findings.extend(edited.map(|(row, what)| Finding { row: row.clone(), what: what.clone() }));
    Ok(findings)
}

impl Auditor<'_> {
    /// Replays what is new in the ledger (everything, if `from_the_beginning`), compares, records what was not recorded
    /// before, and keeps how far it came.
    ///
    /// # Errors
    /// The store's.
    pub fn run(&self, now: Timestamp, from_the_beginning: bool) -> Result<Report, Failure> {
        let view = self.store.view()?;
        let mut state = State::kept(&*view, self.pepper)?;
        let was = Was { next: state.next, kept: state.kept.clone() };
        if from_the_beginning || state.next == 0 {
            // An alarm that was given is not given every day.
            state.begin_again();
            state.kept.edited.clear();
        }
        let mut damage = self.replay(&*view, &mut state, now)?;
        let mut findings = every_finding(&*view, &state)?;
        drop(view);
        let kept = match &damage {
            Some(Damage { lasts: false, .. }) => Vec::new(),
            _ => match self.keep(&mut state, &was, &findings, now) {
                Err(failure) if failure.is_damage() => {
                    damage = Some(Damage { lasts: false, finding: Finding::of_ledger(&failure) });
                    Vec::new()
                }
                kept => kept?,
            },
        };
        let unheard = match &damage {
            // Nothing can be recorded in a log that is damaged at its end: it is said each time.
            Some(Damage { lasts: false, finding }) => vec![finding.clone()],
            _ => kept,
        };
        if let Some(Damage { finding, .. }) = damage {
            findings.retain(|other| other.row != finding.row);
            findings.insert(0, finding);
        }
        Ok(Report { entries: state.next, rows: state.said.len(), findings, unheard, at: now })
    }

    /// What is not right about the ledger itself, if it is damaged. Then the state is that of the last audit. If all of the
    /// ledger was read, it says so from now on, until all of it was read again and is right: who goes on where the last audit
    /// ended would not see it.
    fn replay(&self, view: &dyn View, state: &mut State, now: Timestamp) -> Result<Option<Damage>, Failure> {
        let replayed = replay::replay(view, self.ledger, state);
        let whole = state.anew;
        let damage = match replayed {
            Err(failure) if failure.is_damage() => {
                let finding = Finding::of_ledger(&failure);
                *state = State::kept(view, self.pepper)?;
                if whole {
                    // What is new is right all the same, as a rule: then rows are held against that.
                    if state.next > 0 && replay::replay(view, self.ledger, state).is_err() {
                        *state = State::kept(view, self.pepper)?;
                    }
                    state.kept.edited.insert(finding.row.clone(), finding.what.clone());
                }
                Some(Damage { lasts: whole, finding })
            }
            replayed => replayed.map(|()| None)?,
        };
        if whole {
            state.kept.whole = Some(now.seconds());
        }
        Ok(damage)
    }

    /// Whether no process on this database replayed the whole ledger within so many seconds.
    ///
    /// # Errors
    /// The store's.
    pub fn whole_is_due(&self, every: i64, now: Timestamp) -> Result<bool, Failure> {
        let kept = State::kept(&*self.store.view()?, self.pepper)?.kept;
        let since = kept.whole.map(|last| now.seconds_since(Timestamp::from_seconds(last)));
        Ok(!since.is_some_and(|since| (0..every).contains(&since)))
    }

    /// What is not right, from the beginning of the ledger on. Nothing is recorded or kept.
    ///
    /// # Errors
    /// The store's; or the ledger itself does not hold.
    pub fn look(&self) -> Result<Vec<Finding>, Failure> {
        let view = self.store.view()?;
        let mut state = State::anew();
        replay::replay(&*view, self.ledger, &mut state)?;
        every_finding(&*view, &state)
    }

    /// Writes what was learnt, and an alarm for each finding that had none. Another process that audited meanwhile has
    /// done it.
    fn keep(
        &self,
        state: &mut State,
        was: &Was,
        findings: &[Finding],
        now: Timestamp,
    ) -> Result<Vec<Finding>, Failure> {
        let alarmed: BTreeMap<String, String> =
            findings.iter().map(|finding| (finding.row.clone(), finding.digest())).collect();
        let forged = state.forged.then(Finding::of_what_was_kept);
        let news = findings.iter().filter(|one| state.kept.alarmed.get(&one.row) != Some(&one.digest()));
        let unheard: Vec<Finding> = forged.into_iter().chain(news.cloned()).collect();
        state.kept.alarmed = alarmed;
        if state.next == was.next && state.kept == was.kept && !state.anew {
            return Ok(Vec::new());
        }
        let mut tx = self.store.begin()?;
        if !state.keep(&*tx, self.pepper)? {
            return Ok(Vec::new());
        }
        for (at, finding) in unheard.iter().enumerate() {
            if at == ENTRIES {
                let more = format!("{} more rows are not what the ledger says", unheard.len() - ENTRIES);
                self.alarm(&mut *tx, &Finding { row: "…".into(), what: more }, now)?;
                break;
            }
            self.alarm(&mut *tx, finding, now)?;
        }
        self.commit(tx)?;
        Ok(unheard)
    }

    fn alarm(&self, tx: &mut dyn Transaction, finding: &Finding, now: Timestamp) -> Result<(), Failure> {
        let reason = match finding.is_of_a_row() {
            true => {
                "a row of the database is not what the ledger says: it was edited behind the server's back"
            }
            false => "the database was edited behind the server's back",
        };
        let correlation = CorrelationId::new(self.random)?;
        let mut entry = Entry::new(EntryKind::Alarm, now, correlation, Outcome::Noted, reason);
        entry.detail.insert("event".into(), "database-edited".into());
        entry.detail.insert("row".into(), finding.row.clone());
        entry.detail.insert("difference".into(), crate::refusal::short(&finding.what));
        let _beside = self.ledger.append(tx, &entry, None)?;
        Ok(())
    }

    /// Says in the ledger that all rows are right as they stand: for who looked into every difference, on the server's own
    /// machine. The rows that it was said of.
    ///
    /// # Errors
    /// The store's.
    pub fn accept(&self, now: Timestamp) -> Result<Vec<String>, Failure> {
        let _so_far = self.run(now, false)?;
        let view = self.store.view()?;
        let state = State::kept(&*view, self.pepper)?;
        if state.next == 0 {
            // The ledger could not be replayed: every row would be one that it does not know.
            return Ok(Vec::new());
        }
        let findings = every_finding(&*view, &state)?;
        drop(view);
        let mut tx = self.store.begin()?;
        let mut rows = Vec::new();
        for finding in findings {
            let Ok(subject) = finding.row.parse::<Subject>() else { continue };
            let standing = match tx.standing(&subject) {
                // As what?
                Err(StoreError::Corrupt(_)) => continue,
                standing => standing?,
            };
            let reason = "a row was accepted as it stands in the database, on the server's own machine";
            let correlation = CorrelationId::new(self.random)?;
            let mut entry = Entry::new(EntryKind::Alarm, now, correlation, Outcome::Noted, reason);
            entry.detail.insert("event".into(), "edit-accepted".into());
            Stated { was: None, now: standing, accepted: true }.say(&subject, &mut entry)?;
            let _beside = self.ledger.append(&mut *tx, &entry, None)?;
            rows.push(finding.row);
        }
        self.commit(tx)?;
        let _kept = self.run(now, false)?;
        Ok(rows)
    }

    fn commit(&self, mut tx: Box<dyn Transaction + '_>) -> Result<(), Failure> {
        let sealed = self.ledger.seal(&mut *tx)?;
        let proof = sealed.commit(|| tx.commit().map_err(|error| StorageFailure(error.into())))?;
        drop(proof);
        Ok(())
    }
}
