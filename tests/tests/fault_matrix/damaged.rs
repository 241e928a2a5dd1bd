//! The card's answers are damaged, late, or the same to everything.

use std::time::Duration;

use countersign_tests::matrix::{Fault, Stage, Table};
use countersign_tests::{Damage, Trouble};

use crate::letters::expected;

/// What becomes of answers.
#[derive(Clone, Copy)]
enum Answers {
    /// One is damaged on the way.
    Damaged(Damage),
    /// One says that more is to be fetched, which is not there.
    MoreThatNeverComes,
    /// One comes so much later.
    Late(Duration),
    /// From this command on, all are this status word, until the card is mended.
    Always(u16),
}

impl Fault for Answers {
    fn arm(&self, stage: &mut Stage<'_>, nth: u32) -> Result<(), Trouble> {
        match self {
            Self::Damaged(damage) => stage.card().damage(nth, *damage),
            Self::MoreThatNeverComes => stage.card().fail(nth, 0x6110),
            Self::Late(time) => stage.card().delay(nth, *time),
            Self::Always(status) => stage.card().fail_from(nth, *status),
        }
    }

    fn mend(&self, stage: &mut Stage<'_>) -> Result<(), Trouble> {
        match self {
            Self::Always(_) => stage.card().clear_faults(),
            _ => Ok(()),
        }
    }
}

/// Letters as in `letters.rs`. SELECT and VERIFY answer no data that anybody reads, and a card without a KDF setting may
/// answer none for it (s); what else is damaged is told as
/// such (x, z), unless it is read again (s), and a signature is never believed (v). A connection that fails when it is
/// begun anew fails at SELECT (F).
const TABLE: &[(&str, Answers, &str)] = &[
    ("half of the data", Answers::Damaged(Damage::Half), "sxxsx ssx sssssx"),
    ("no data", Answers::Damaged(Damage::NoData), "sxssx ssx sssssx"),
    ("other data of the same length", Answers::Damaged(Damage::Garbage), "sxxsv ssv sssssv"),
    ("5000 bytes of data", Answers::Damaged(Damage::Long), "zzzzz zzz ssszzz"),
    ("one byte in all", Answers::Damaged(Damage::Cut), "zzzzz zzz ssszzz"),
    ("61xx, and nothing to fetch", Answers::MoreThatNeverComes, "sxsfx sfx ssssfx"),
    ("after 2 s", Answers::Late(Duration::from_secs(2)), "sssss sss ssssss"),
    ("6F00 from here on", Answers::Always(0x6F00), "fffff Fff rrrFff"),
    ("6110 from here on", Answers::Always(0x6110), "fffff Fff rrrFff"),
    ("6A82 from here on", Answers::Always(0x6A82), "gffff gff rrrgff"),
];

pub(crate) fn table() -> Table {
    let mut table = Table::over_commands("damaged answers");
    for (row, (name, fault, letters)) in TABLE.iter().enumerate() {
        let status = match fault {
            Answers::Always(status) => Some(*status),
            Answers::MoreThatNeverComes => Some(0x6110),
            _ => None,
        };
        let cells = table.row(name, *fault, letters, &|letter, command| expected(letter, command, status));
        // Each row once, and of the columns those that the other families do not come to.
        let column = (row * 3 + 5) % cells.len();
        cells.get_mut(column).into_iter().for_each(|cell| cell.quick = true);
    }
    table
}
