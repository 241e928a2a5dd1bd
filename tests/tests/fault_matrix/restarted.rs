//! pcscd is killed and started again while no command is on its way.

use countersign_tests::Trouble;
use countersign_tests::matrix::{Cell, Fault, Moment, Stage, Table};

use crate::letters::expected;

/// How often, and when.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Restarted {
    times: usize,
    at_the_prompt: bool,
}

impl Restarted {
    fn strike_now(self, stage: &Stage<'_>) -> Result<(), Trouble> {
        for _ in 0..self.times {
            stage.machine().kill_pcscd()?;
            stage.machine().restart_pcscd()?;
        }
        Ok(())
    }
}

impl Fault for Restarted {
    fn arm(&self, stage: &mut Stage<'_>, _: u32) -> Result<(), Trouble> {
        if self.at_the_prompt { Ok(()) } else { self.strike_now(stage) }
    }

    fn strike(&self, stage: &mut Stage<'_>, moment: Moment) -> Result<(), Trouble> {
        if self.at_the_prompt && moment == Moment::AsksForPin { self.strike_now(stage) } else { Ok(()) }
    }
}

const COLUMNS: [&str; 2] = ["before the login", "at the prompt"];

/// A login waits a moment for the card to be seen again (s).
pub(crate) fn table() -> Table {
    let mut table = Table::over("pcscd restarted", &COLUMNS);
    for (row, times) in [("killed and started", 1), ("the same twice", 2)] {
        for column in COLUMNS {
            let fault = Restarted { times, at_the_prompt: column == "at the prompt" };
            let cell = Cell::at(row, column, fault, expected('s', "", None));
            table.cells.push(if times == 1 { cell.quick() } else { cell });
        }
    }
    table
}
