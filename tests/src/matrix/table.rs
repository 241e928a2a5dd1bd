//! Tables of faults and moments.

use std::sync::Arc;
use std::time::Duration;

use super::{Expected, Stage, Start};
use crate::trouble::Trouble;

/// Where the login is when a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It waits for a card, and Ana's was just put in.
    WaitsForCard,
    /// It asks for the PIN, which is about to be typed. Only for cells that are about no command.
    AsksForPin,
    /// The PIN was just typed.
    HasPin,
}

impl Cell {
    /// A cell of this column that is about no command, in a warm login.
    #[must_use]
    pub fn at(row: &str, column: &str, fault: impl Fault + 'static, expected: Expected) -> Self {
        Self {
            row: row.to_owned(),
            column: ("", column.to_owned()),
            start: Start::Warm,
            nth: 0,
            fault: Arc::new(fault),
            expected,
            limit: PROMPT,
            quick: false,
            offline: false,
        }
    }

    /// The same cell where the roster lets Ana in without the server.
    #[must_use]
    pub fn offline(self) -> Self {
        Self { offline: true, ..self }
    }

    /// The same cell, played by `cargo test`, too.
    #[must_use]
    pub fn quick(self) -> Self {
        Self { quick: true, ..self }
    }

    /// The same cell in a login that begins like this.
    #[must_use]
    pub fn starting(self, start: Start) -> Self {
        Self { start, ..self }
    }

    /// The same cell, whose login may take so long.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }
}

/// One thing that goes wrong.
pub trait Fault: Send + Sync {
    /// Gets everything ready, before the login begins – or, for a card that is put in during the login, before it
    /// is put in. `nth` is the command to the card that it is about, counted from the next one; 0 where it is about
    /// none.
    ///
    /// # Errors
    /// [`Trouble`] of the harness, as for all of these.
    fn arm(&self, stage: &mut Stage<'_>, nth: u32) -> Result<(), Trouble>;

    /// Goes wrong while the login is on its way: after the PIN was typed, or before that, after the card was put in,
    /// if that brings the command.
    ///
    /// # Errors
    /// As above.
    fn strike(&self, stage: &mut Stage<'_>, moment: Moment) -> Result<(), Trouble> {
        let _ = (stage, moment);
        Ok(())
    }

    /// What a person or an administrator does about it, before the next login: nothing as a rule.
    ///
    /// # Errors
    /// As above.
    fn mend(&self, stage: &mut Stage<'_>) -> Result<(), Trouble> {
        let _ = stage;
        Ok(())
    }

    /// The agent is not the same one afterwards.
    fn restarts_the_agent(&self) -> bool {
        false
    }
}

/// A moment: the group that its column stands in, if any, and its name.
pub type Column = (&'static str, String);

/// One fault at one moment.
#[derive(Clone)]
pub struct Cell {
    /// The fault's name.
    pub row: String,
    /// The moment's column.
    pub column: Column,
    /// How the login begins.
    pub start: Start,
    /// Which command to the card, from 1; 0 for a moment that is none of them.
    pub nth: u32,
    /// What goes wrong.
    pub fault: Arc<dyn Fault>,
    /// What must come of it.
    pub expected: Expected,
    /// How long the login may take, from the last thing that Ana did.
    pub limit: Duration,
    /// Played by `cargo test`, too.
    pub quick: bool,
    /// Played where the roster lets Ana in without the server.
    pub offline: bool,
}

/// Faults of one family.
pub struct Table {
    /// Its name.
    pub family: &'static str,
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// Row by row.
    pub cells: Vec<Cell>,
}

/// Long enough for a login that waits for nobody, on a machine that is busy with other tests.
pub const PROMPT: Duration = Duration::from_secs(8);

impl Table {
    /// A table without rows over every command of every kind of login.
    #[must_use]
    pub fn over_commands(family: &'static str) -> Self {
        let columns = Start::ALL
            .iter()
            .flat_map(|start| start.commands().iter().map(|command| (start.name(), (*command).to_owned())));
        Self { family, columns: columns.collect(), cells: Vec::new() }
    }

    /// A table with these columns.
    #[must_use]
    pub fn over(family: &'static str, columns: &[&str]) -> Self {
        Self {
            family,
            columns: columns.iter().map(|name| ("", (*name).to_owned())).collect(),
            cells: Vec::new(),
        }
    }

    /// Adds a row over every command: one letter for each, in groups as [`Start::ALL`] has them, or a dot where
    /// there is no such cell. `expected` makes of a letter and the command's name what must come of it.
    pub fn row<F: Fault + 'static>(
        &mut self,
        name: &str,
        fault: F,
        letters: &str,
        expected: &dyn Fn(char, &str) -> Expected,
    ) -> &mut [Cell] {
        let fault: Arc<dyn Fault> = Arc::new(fault);
        let begin = self.cells.len();
        let groups: Vec<&str> = letters.split_whitespace().collect();
        for (start, group) in Start::ALL.into_iter().zip(groups) {
            for ((at, command), letter) in start.commands().iter().enumerate().zip(group.chars()) {
                if letter == '.' {
                    continue;
                }
                self.cells.push(Cell {
                    row: name.to_owned(),
                    column: (start.name(), (*command).to_owned()),
                    start,
                    nth: u32::try_from(at + 1).unwrap_or(u32::MAX),
                    fault: Arc::clone(&fault),
                    expected: expected(letter, command),
                    limit: PROMPT,
                    quick: false,
                    offline: false,
                });
            }
        }
        self.cells.split_at_mut(begin).1
    }
}
