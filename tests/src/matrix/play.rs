//! One cell: before, during and after.

use std::time::{Duration, Instant};

use super::login::{Aim, Attempt};
use super::start::Start;
use super::{Cell, Expected, PamCode, Stage};
use crate::card::Counts;
use crate::trouble::Trouble;
use crate::waiting::wait_until;

/// What came of a cell.
#[derive(Debug)]
pub(super) struct Played {
    /// What is not as it must be; nothing, if all is well.
    pub(super) complaints: Vec<String>,
    /// What came of the login, in a letter of the matrix.
    pub(super) letter: char,
    /// How long the login took.
    pub(super) took: Duration,
}

impl Cell {
    /// Whether the command that it is about comes after the PIN.
    pub(super) fn strikes_after_pin(&self) -> bool {
        usize::try_from(self.nth).unwrap_or(usize::MAX) > self.start.before_pin()
            || self.start != Start::Inserted
    }

    /// Plays it. Only a stage that can no longer be played on is an error.
    pub(super) fn play(&self, stage: &mut Stage<'_>) -> Result<Played, Trouble> {
        stage.prepare(self.start)?;
        let agent = stage.agent();
        stage.card().reset_counts()?;
        if self.start != Start::Inserted {
            self.fault.arm(stage, self.nth)?;
        }
        let attempt = Attempt::at(stage, Aim::Cell(self), self.limit)?;
        let counts = stage.card().counts()?;
        stage.disturbed();

        let mut complaints = Vec::new();
        judge_outcome(&self.expected, &attempt, stage, &mut complaints);
        self.judge_commands(&attempt, &counts, &mut complaints);
        if attempt.took > self.limit {
            complaints.push(format!("took {:?}, more than {:?}", attempt.took, self.limit));
        }
        if !self.fault.restarts_the_agent() && (!stage.agent_lives()? || stage.agent() != agent) {
            complaints.push("the agent died".to_owned());
        }
        self.fault.mend(stage)?;
        if let Err(trouble) = stage.plain_login() {
            complaints.push(format!("afterwards: {trouble}\n{}", stage.logs()));
        }
        let letter = if complaints.is_empty() { self.expected.letter() } else { letter(&attempt) };
        if !complaints.is_empty() {
            complaints.push(format!("it came to {attempt}"));
        }
        Ok(Played { complaints, letter, took: attempt.took })
    }

    /// One PIN, one VERIFY; none before the card's turn comes to it.
    fn judge_commands(&self, attempt: &Attempt, counts: &Counts, complaints: &mut Vec<String>) {
        let commands = self.start.commands();
        let nth = usize::try_from(self.nth).unwrap_or(usize::MAX);
        if nth > 0 && !counts.order.iter().take(nth).eq(commands.iter().take(nth)) {
            complaints.push(format!("the commands were not those of the column: {:?}", counts.order));
        }
        let before_verify = commands.get(..nth).is_some_and(|met| nth > 0 && !met.contains(&"VERIFY"));
        let most = match (attempt.is_served(), before_verify) {
            (true, _) => attempt.pins,
            (false, true) => 0,
            (false, false) => 1,
        };
        let sent = counts.of("VERIFY");
        if sent > most.min(1) {
            complaints.push(format!("{sent} PINs were sent to the card, at most {most} may be"));
        }
        if counts.refused_pins > 0 {
            complaints.push(format!("{} tries were spent", counts.refused_pins));
        }
    }
}

fn judge_outcome(expected: &Expected, attempt: &Attempt, stage: &Stage<'_>, complaints: &mut Vec<String>) {
    match expected {
        Expected::Served(letter) => {
            if !attempt.is_served() {
                complaints.push("must be served".to_owned());
            } else if *letter == 's' && attempt.reseated > 0 {
                complaints.push("must be served at once".to_owned());
            } else if attempt.was_decided_here() != (*letter == 'o') {
                let by = if *letter == 'o' { "the host" } else { "the server" };
                complaints.push(format!("must be decided by {by}"));
            }
        }
        Expected::Denied(denied) => {
            let reason = denied.reason.and_then(|_| logged_reason(stage, attempt));
            let right = attempt.code == denied.code && reason.as_deref() == denied.reason;
            if !right || !attempt.shown.contains(&denied.says) {
                complaints.push(format!("must be {denied}"));
            }
            if attempt.reference.is_none() {
                complaints.push("no reference to quote".to_owned());
            }
        }
    }
}

/// The reason under the attempt's reference; the agent's log is written by a thread of its own.
fn logged_reason(stage: &Stage<'_>, attempt: &Attempt) -> Option<String> {
    let begun = Instant::now();
    let limit = Duration::from_secs(2);
    wait_until("the agent's line about it", limit, || {
        Ok(attempt.reason(&stage.log()).or_else(|| (begun.elapsed() >= limit).then(String::new)))
    })
    .ok()
    .filter(|reason| !reason.is_empty())
}

/// For a cell that is not as it must be.
fn letter(attempt: &Attempt) -> char {
    match attempt.code {
        PamCode::Success => 'S',
        PamCode::Other(_) => 'H',
        _ => 'D',
    }
}
