//! The disk below the agent's state is full, or can no longer be written.

use countersign_tests::Trouble;
use countersign_tests::matrix::{Cell, Fault, Moment, Stage, Table};
use countersign_tests::site::{SOON, Weather, talk};

use crate::letters::expected;

/// What is wrong with it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Disk {
    Full,
    ReadOnly,
}

/// Since when.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Since {
    /// Ana is asked for her PIN.
    ThePrompt,
    /// Before the agent was started.
    TheStart,
}

struct Bad {
    disk: Disk,
    since: Since,
    /// The server cannot be reached either.
    alone: bool,
}

/// The state folder is a file system of its own in these machines.
const FULL: &str = "\
cd /var/lib/countersign
used=$(df --output=used -k . | tail -1)
mount -o remount,size=$((used + 64))k .
cat /dev/zero > filler 2>/dev/null || true
[ $(df --output=avail -k . | tail -1) = 0 ]
";

const READ_ONLY: &str =
    "mount -o remount,ro,force /var/lib/countersign 2>/dev/null || mount -o remount,ro /var/lib/countersign";

const GOOD: &str = "\
mount -o remount,rw,size=512m /var/lib/countersign
rm -f /var/lib/countersign/filler
";

impl Bad {
    fn spoil(&self, stage: &Stage<'_>) -> Result<(), Trouble> {
        shell(stage, if self.disk == Disk::Full { FULL } else { READ_ONLY })
    }
}

impl Fault for Bad {
    fn arm(&self, stage: &mut Stage<'_>, _: u32) -> Result<(), Trouble> {
        if self.since == Since::TheStart {
            stage.stop_agent()?;
            self.spoil(stage)?;
            stage.start_agent()?;
        }
        Ok(())
    }

    fn strike(&self, stage: &mut Stage<'_>, moment: Moment) -> Result<(), Trouble> {
        if moment == Moment::AsksForPin {
            if self.since == Since::ThePrompt {
                self.spoil(stage)?;
            }
            if self.alone {
                stage.road()?.weather(Weather::Refused)?;
            }
        }
        Ok(())
    }

    fn mend(&self, stage: &mut Stage<'_>) -> Result<(), Trouble> {
        shell(stage, GOOD)?;
        if self.since == Since::TheStart {
            // As the log says: its journal is in memory until then.
            stage.stop_agent()?;
            stage.start_agent()?;
        }
        stage.road()?.weather(Weather::Clear)
    }

    fn restarts_the_agent(&self) -> bool {
        self.since == Since::TheStart
    }
}

fn shell(stage: &Stage<'_>, script: &str) -> Result<(), Trouble> {
    let mut command = stage.machine().command("sh");
    command.args(["-e", "-c", script]);
    talk(&command, &[], SOON)?.success().map(drop)
}

const COLUMNS: [&str; 2] = ["with the server", "without it"];

/// With the server a disk that is full keeps nobody out: the ledger has what the journal has not (s). Without it a use
/// that cannot be counted is not had (h). An agent that starts on such a disk cannot count its next check-in, which it
/// must before it may send one (W25), so it has no session keys; whoever makes room needs no card for it (e).
pub(crate) fn table() -> Table {
    let mut table = Table::over("disk", &COLUMNS);
    for (row, disk, since, letters) in [
        ("full since the prompt", Disk::Full, Since::ThePrompt, "sh"),
        ("full since the start", Disk::Full, Since::TheStart, "ee"),
        ("read-only since the start", Disk::ReadOnly, Since::TheStart, "ee"),
    ] {
        for (column, letter) in COLUMNS.into_iter().zip(letters.chars()) {
            let alone = column == "without it";
            let fault = Bad { disk, since, alone };
            let cell = Cell::at(row, column, fault, expected(letter, "", None));
            let cell = if alone { cell.offline() } else { cell };
            let is_quick = disk == Disk::Full && since == Since::ThePrompt;
            table.cells.push(if is_quick { cell.quick() } else { cell });
        }
    }
    table
}
