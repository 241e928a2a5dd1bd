//! pcscd, or the agent, is killed while the card carries a command out.

use std::time::Duration;

use countersign_tests::Trouble;
use countersign_tests::matrix::{Fault, Moment, Stage, Table};

use crate::letters::expected;

/// Who, and what happens then.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Killed {
    /// pcscd, which somebody starts again when Ana has read that it does not answer.
    Pcscd,
    /// pcscd, which its service manager starts again at once.
    PcscdAndStarted,
    /// The agent, which its service manager starts again.
    Agent,
}

/// The agent says nothing of a pcscd that is back within a second.
const NOTICED: Duration = Duration::from_millis(2500);

impl Fault for Killed {
    fn arm(&self, stage: &mut Stage<'_>, nth: u32) -> Result<(), Trouble> {
        stage.card().hang(nth)
    }

    fn strike(&self, stage: &mut Stage<'_>, moment: Moment) -> Result<(), Trouble> {
        stage.wait_for_hanging()?;
        match self {
            Self::Pcscd => {
                stage.machine().kill_pcscd()?;
                if moment == Moment::WaitsForCard {
                    std::thread::sleep(NOTICED);
                    stage.machine().restart_pcscd()?;
                }
            }
            Self::PcscdAndStarted => {
                stage.machine().kill_pcscd()?;
                stage.machine().restart_pcscd()?;
            }
            Self::Agent => {
                stage.kill_agent()?;
                stage.card().resume()?;
            }
        }
        Ok(())
    }

    fn mend(&self, stage: &mut Stage<'_>) -> Result<(), Trouble> {
        match self {
            Self::Pcscd => stage.machine().restart_pcscd()?,
            Self::PcscdAndStarted => {}
            Self::Agent => stage.start_agent()?,
        }
        stage.wait_until_noticed()
    }

    fn restarts_the_agent(&self) -> bool {
        *self == Self::Agent
    }
}

/// While a card is awaited, pcscd may come back and the login goes on (r); any later, the login ends at once (c). An
/// agent that is killed has no last word (d).
pub(crate) fn table() -> Table {
    let mut table = Table::over_commands("services killed");
    for (name, fault, letters, quick) in [
        ("pcscd killed", Killed::Pcscd, "ccccc ccc rrrccc", [3, 5, 9]),
        ("pcscd killed and started", Killed::PcscdAndStarted, "ccccc ccc rrrccc", [6, 8, 13]),
        ("agent killed", Killed::Agent, "ddddd ddd dddddd", [4, 7, 10]),
    ] {
        let cells = table.row(name, fault, letters, &|letter, command| expected(letter, command, None));
        for at in quick {
            cells.get_mut(at).into_iter().for_each(|cell| cell.quick = true);
        }
    }
    table
}
