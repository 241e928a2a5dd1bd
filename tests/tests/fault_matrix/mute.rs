//! The card stops answering in the middle of a command.

use std::time::Duration;

use countersign_tests::Trouble;
use countersign_tests::matrix::{Fault, Stage, Table};

use crate::letters::expected;

/// What becomes of it.
#[derive(Clone, Copy)]
enum Mute {
    /// Ana does what she is told: she pulls it out and puts it in again.
    UntilPulled,
    /// It answers after all, when nobody waits any more.
    UntilLater,
}

impl Fault for Mute {
    fn arm(&self, stage: &mut Stage<'_>, nth: u32) -> Result<(), Trouble> {
        stage.card().hang(nth)
    }

    fn mend(&self, stage: &mut Stage<'_>) -> Result<(), Trouble> {
        match self {
            Self::UntilPulled => {
                stage.take_out()?;
                stage.put_in()
            }
            Self::UntilLater => stage.card().resume(),
        }
    }
}

/// How long the agent waits for a card, and a little.
const PATIENCE: Duration = Duration::from_secs(25);

/// A card that goes mute while it is read is told while it is awaited (r); any later, the login ends in time (m).
pub(crate) fn table() -> Table {
    let mut table = Table::over_commands("mute card");
    for (name, fault, letters) in [
        ("no answer until it is pulled", Mute::UntilPulled, "mmmmm mmm rrrmmm"),
        ("no answer until nobody waits", Mute::UntilLater, "mmmmm mmm rrrmmm"),
    ] {
        let cells = table.row(name, fault, letters, &|letter, command| expected(letter, command, None));
        for cell in cells.iter_mut() {
            cell.limit = PATIENCE;
        }
        let quick = match fault {
            Mute::UntilPulled => 6,
            Mute::UntilLater => 9,
        };
        cells.get_mut(quick).into_iter().for_each(|cell| cell.quick = true);
    }
    table
}
