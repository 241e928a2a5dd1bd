//! The fault matrix: one thing goes wrong at one moment of a login, in every combination that means something.
//!
//! A [`Table`] is data: rows are faults, columns are moments, and each [`Cell`] says what must come of it. To play
//! a cell is to have Ana log in through the real libpam with the fault in the way, and to look at everything: what
//! she is told, the PAM code, the reason in the agent's log, the time it takes, what it costs her card, whether the
//! agent lives, and whether her next login works.
//!
//! | file | what |
//! |---|---|
//! | `table` | tables and cells |
//! | `start`, `expected` | how a login begins, and what may come of it |
//! | `stage` | the site that cells are played on, and what a fault may do to it |
//! | `login` | one login, as Ana sees it |
//! | `play` | one cell: before, during, after |
//! | `run`, `report` | all cells, on several sites at once, and the matrix as it is printed |

mod expected;
mod login;
mod play;
mod report;
mod run;
mod stage;
mod start;
mod table;

pub use expected::{Denied, Expected, PamCode};
pub use login::Attempt;
pub use report::Report;
pub use run::{Extent, run};
pub use stage::Stage;
pub use start::{Start, spoken};
pub use table::{Cell, Column, Fault, Moment, PROMPT, Table};
