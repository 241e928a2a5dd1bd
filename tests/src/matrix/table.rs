//! Tables of faults and moments.

use std::sync::Arc;
use std::time::Duration;

use super::{Expected, Stage, Start};
use crate::trouble::Trouble;

/// One thing that goes wrong.
pub trait Fault: Send + Sync {
    /// Gets everything ready, before the login begins – or, for a card that is put in during the login, before it
    /// is put in. `nth` is the command to the card that it is about, counted from the next one; 0 where it is about
    /// none.
    ///
    /// # Errors
    /// [`Trouble`] of the harness, as for all of these.
    fn arm(&self, stage: &mut Stage<'_>, nth: u32) -> Result<(), Trouble>;

    /// Goes wrong while the login is on its way: after the PIN was typed, or the card put in, whichever brings the
    /// command.
    ///
    /// # Errors
    /// As above.
    fn strike(&self, stage: &mut Stage<'_>) -> Result<(), Trouble> {
        let _ = stage;
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

    /// It is the agent that is killed.
    fn ends_the_agent(&self) -> bool {
        false
    }
}

/// One fault at one moment.
#[derive(Clone)]
pub struct Cell {
    /// The fault's name.
    pub row: String,
    /// The moment's name.
    pub column: String,
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
}

/// Faults of one family.
pub struct Table {
    /// Its name.
    pub family: &'static str,
    /// Names of the columns, in order, each with the group it stands under.
    pub columns: Vec<(&'static str, String)>,
    /// Row by row.
    pub cells: Vec<Cell>,
}

/// Long enough for a login that waits for nobody, on a machine that is busy with other tests.
pub const PROMPT: Duration = Duration::from_secs(8);

impl Table {
    /// A table without rows over every command of every kind of login.
    #[must_use]
    pub fn over_commands(family: &'static str) -> Self {
        let columns = Start::ALL.iter().flat_map(|start| {
            start.commands().iter().enumerate().map(|(at, name)| (start.name(), format!("{} {name}", at + 1)))
        });
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
                    column: format!("{} {} {command}", start.name(), at + 1),
                    start,
                    nth: u32::try_from(at + 1).unwrap_or(u32::MAX),
                    fault: Arc::clone(&fault),
                    expected: expected(letter, command),
                    limit: PROMPT,
                    quick: false,
                });
            }
        }
        self.cells.split_at_mut(begin).1
    }
}
