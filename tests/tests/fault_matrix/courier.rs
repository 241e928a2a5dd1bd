//! The courier, which carries messages to the server, is killed or stands still.

use std::time::Duration;

use countersign_tests::Trouble;
use countersign_tests::matrix::{Cell, Fault, Moment, Stage, Table};
use countersign_tests::site::{SOON, Weather};

use crate::letters::expected;

/// What becomes of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Courier {
    /// Killed before the login.
    KilledBefore,
    /// Killed while Ana is asked for her PIN.
    KilledAtThePrompt,
    /// Killed with the statement on its way.
    KilledCarrying,
    /// Stopped before the login, and left so.
    StandsStill,
}

impl Fault for Courier {
    fn arm(&self, stage: &mut Stage<'_>, _: u32) -> Result<(), Trouble> {
        match self {
            Self::KilledBefore => stage.signal_courier("KILL"),
            Self::StandsStill => stage.signal_courier("STOP"),
            Self::KilledAtThePrompt | Self::KilledCarrying => Ok(()),
        }
    }

    fn strike(&self, stage: &mut Stage<'_>, moment: Moment) -> Result<(), Trouble> {
        match (self, moment) {
            (Self::KilledAtThePrompt, Moment::AsksForPin) => stage.signal_courier("KILL"),
            (Self::KilledCarrying, Moment::AsksForPin) => stage.road()?.weather(Weather::Held),
            (Self::KilledCarrying, Moment::HasPin) => {
                stage.road()?.wait_for_held(SOON)?;
                stage.signal_courier("KILL")?;
                stage.road()?.weather(Weather::Clear)
            }
            _ => Ok(()),
        }
    }

    fn mend(&self, _: &mut Stage<'_>) -> Result<(), Trouble> {
        if *self == Self::StandsStill {
            // Nobody mends it: it is replaced when it has owed an answer for so long.
            std::thread::sleep(OWED);
        }
        Ok(())
    }
}

/// A courier says by itself that it got no answer; one that does not even do that is replaced a second later.
const OWED: Duration = Duration::from_millis(1200);

const COLUMNS: [&str; 2] = ["server needed", "roster will do"];

/// A courier that dies is replaced at once, and the same bytes are carried again (s). One that stands still costs one
/// login its server (u), where the roster does not do (o).
pub(crate) fn table() -> Table {
    let mut table = Table::over("courier", &COLUMNS);
    for (row, fault, letters) in [
        ("killed before the login", Courier::KilledBefore, "ss"),
        ("killed at the prompt", Courier::KilledAtThePrompt, "ss"),
        ("killed while it carries the statement", Courier::KilledCarrying, "ss"),
        ("stands still", Courier::StandsStill, "uo"),
    ] {
        for (column, letter) in COLUMNS.into_iter().zip(letters.chars()) {
            let cell = Cell::at(row, column, fault, expected(letter, "", None));
            let cell = if column == "roster will do" { cell.offline() } else { cell };
            let cell =
                cell.within(if letter == 'u' { Duration::from_secs(14) } else { Duration::from_secs(8) });
            let is_quick =
                fault == Courier::KilledCarrying || (fault == Courier::StandsStill && letter == 'o');
            table.cells.push(if is_quick { cell.quick() } else { cell });
        }
    }
    table
}
