//! The host's clock jumps.

use countersign_tests::Trouble;
use countersign_tests::matrix::{Cell, Fault, Moment, Stage, Table};

use crate::letters::expected;

/// When.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// While Ana is asked for her PIN.
    AtThePrompt,
    /// Before the agent is started.
    BeforeTheStart,
}

/// By so many seconds. It is turned back afterwards, which is a jump, too, and the next login works.
struct Turned(i64, When);

impl Fault for Turned {
    fn arm(&self, stage: &mut Stage<'_>, _: u32) -> Result<(), Trouble> {
        if self.1 == When::BeforeTheStart {
            stage.stop_agent()?;
            stage.turn_clock(self.0)?;
            stage.start_agent()?;
        }
        Ok(())
    }

    fn strike(&self, stage: &mut Stage<'_>, moment: Moment) -> Result<(), Trouble> {
        if self.1 == When::AtThePrompt && moment == Moment::AsksForPin {
            stage.turn_clock(self.0)?;
        }
        Ok(())
    }

    fn mend(&self, stage: &mut Stage<'_>) -> Result<(), Trouble> {
        stage.turn_clock(0)
    }

    fn restarts_the_agent(&self) -> bool {
        self.1 == When::BeforeTheStart
    }
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

const COLUMNS: [&str; 2] = ["at the prompt", "before the start"];

/// A clock turned back stops nothing, and one that is turned on is not believed before the server has been asked (s).
pub(crate) fn table() -> Table {
    let mut table = Table::over("clock", &COLUMNS);
    for (row, seconds) in [
        ("on by a minute", 60),
        ("on by an hour", HOUR),
        ("on by two days", 2 * DAY),
        ("on by 30 years", 10_957 * DAY),
        ("back by a minute", -60),
        ("back by an hour", -HOUR),
        ("back by two days", -2 * DAY),
        ("back by 50 years", -18_262 * DAY),
    ] {
        let whens = [When::AtThePrompt, When::BeforeTheStart];
        for (column, when) in COLUMNS.into_iter().zip(whens) {
            let cell = Cell::at(row, column, Turned(seconds, when), expected('s', "", None));
            table.cells.push(if seconds.abs() == 2 * DAY { cell.quick() } else { cell });
        }
    }
    table
}
