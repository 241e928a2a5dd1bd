//! The card is pulled out.

use std::time::Duration;

use countersign_tests::matrix::{Fault, Moment, Stage, Table};
use countersign_tests::{Trouble, wait_until};

use crate::letters::expected;

/// When, in the life of a command.
enum Pull {
    /// Instead of answering: the card never sees it.
    Before,
    /// After the card carried it out: a PIN is verified, or a signature made, that nobody hears of.
    After,
}

impl Fault for Pull {
    fn arm(&self, stage: &mut Stage<'_>, nth: u32) -> Result<(), Trouble> {
        match self {
            Self::Before => stage.card().pull_at(nth),
            Self::After => stage.card().pull_after(nth),
        }
    }

    /// While the login waits for a card, Ana just puts it in again; otherwise, before the next one.
    fn strike(&self, stage: &mut Stage<'_>, _: Moment) -> Result<(), Trouble> {
        wait_until("the card to be pulled", Duration::from_secs(20), || {
            Ok((!stage.card().status()?.inserted).then_some(()))
        })?;
        stage.wait_until_noticed()?;
        stage.card().insert()
    }
}

pub(crate) fn table() -> Table {
    let mut table = Table::over_commands("card pulled");
    for (name, fault) in [
        ("pulled before it carries the command out", Pull::Before),
        ("pulled before its answer is there", Pull::After),
    ] {
        let cells =
            table.row(name, fault, "ppppp ppp rrrppp", &|letter, command| expected(letter, command, None));
        cells.iter_mut().for_each(|cell| cell.quick = true);
    }
    table
}
