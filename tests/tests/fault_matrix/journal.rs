//! The agent's journal is damaged.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use countersign_tests::Trouble;
use countersign_tests::matrix::{Cell, Fault, Moment, Stage, Table};

use crate::letters::expected;

/// What becomes of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Damage {
    /// One bit of the database's head.
    BitInTheHead,
    /// One bit in the middle of each page.
    BitInEachPage,
    Halved,
    Emptied,
    Zeroed,
    Directory,
    Removed,
}

/// When.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// The agent has it open.
    Open,
    /// The agent is started with it.
    Start,
}

struct Damaged(Damage, When);

const PAGE: u64 = 4096;

impl Damage {
    fn apply(self, path: &Path) -> io::Result<()> {
        let length = fs::metadata(path)?.len();
        let file = || File::options().read(true).write(true).open(path);
        let turn = |at: u64| {
            let mut byte = [0];
            let file = file()?;
            file.read_exact_at(&mut byte, at)?;
            file.write_all_at(&[byte[0] ^ 0x10], at)
        };
        match self {
            // The page size stands there.
            Self::BitInTheHead => turn(16),
            Self::BitInEachPage => (0..length / PAGE).try_for_each(|page| turn(page * PAGE + PAGE / 2)),
            Self::Halved => file()?.set_len(length / 2),
            Self::Emptied => file()?.set_len(0),
            Self::Zeroed => file()?.write_all_at(&vec![0; usize::try_from(length).unwrap_or(0)], 0),
            Self::Directory => fs::remove_file(path).and_then(|()| fs::create_dir(path)),
            Self::Removed => fs::remove_file(path),
        }
    }
}

impl Damaged {
    fn apply(&self, stage: &Stage<'_>) -> Result<(), Trouble> {
        let path = stage.machine().path("/var/lib/countersign/journal.sqlite");
        self.0
            .apply(&path)
            .map_err(|source| Trouble::Io { what: format!("damage {}", path.display()), source })
    }
}

impl Fault for Damaged {
    fn arm(&self, stage: &mut Stage<'_>, _: u32) -> Result<(), Trouble> {
        if self.1 == When::Start {
            stage.stop_agent()?;
            self.apply(stage)?;
            stage.start_agent()?;
        }
        Ok(())
    }

    fn strike(&self, stage: &mut Stage<'_>, moment: Moment) -> Result<(), Trouble> {
        if self.1 == When::Open && moment == Moment::AsksForPin { self.apply(stage) } else { Ok(()) }
    }

    /// A directory in its place is set aside like a file; nothing needs mending. The next cell gets a fresh one.
    fn mend(&self, stage: &mut Stage<'_>) -> Result<(), Trouble> {
        let _ = stage;
        Ok(())
    }

    fn restarts_the_agent(&self) -> bool {
        self.1 == When::Start
    }
}

const COLUMNS: [&str; 2] = ["while it is open", "at the start"];

/// The ledger has every decision: a journal that is damaged keeps nobody out (s).
pub(crate) fn table() -> Table {
    let mut table = Table::over("journal", &COLUMNS);
    for (row, damage) in [
        ("a bit of its head turned", Damage::BitInTheHead),
        ("a bit of each page turned", Damage::BitInEachPage),
        ("cut in half", Damage::Halved),
        ("emptied", Damage::Emptied),
        ("all zeroes", Damage::Zeroed),
        ("replaced by a directory", Damage::Directory),
        ("removed", Damage::Removed),
    ] {
        for (column, when) in COLUMNS.into_iter().zip([When::Open, When::Start]) {
            let cell = Cell::at(row, column, Damaged(damage, when), expected('s', "", None));
            table.cells.push(if damage == Damage::BitInTheHead { cell.quick() } else { cell });
        }
    }
    table
}
