//! All cells of some tables, on several stages at once.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::play::Played;
use super::report::Report;
use super::{Cell, Stage, Start, Table};
use crate::machine::Machine;
use crate::trouble::Trouble;

/// How much of the matrix is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The cells that are marked as quick.
    Quick,
    /// Every cell.
    Everything,
}

/// One cell's place and what came of it.
pub(super) struct Done {
    pub(super) table: usize,
    pub(super) cell: Cell,
    pub(super) played: Result<Played, String>,
}

/// Plays the tables on `stages` sites at once, and says what came of it.
///
/// # Errors
/// No site could be set up.
pub fn run(tables: &[Table], extent: Extent, stages: usize) -> Result<Report, Trouble> {
    let begun = Instant::now();
    let wanted = |cell: &&Cell| extent == Extent::Everything || cell.quick;
    let cells: VecDeque<(usize, Cell)> = tables
        .iter()
        .enumerate()
        .flat_map(|(at, table)| table.cells.iter().filter(wanted).map(move |cell| (at, cell.clone())))
        .collect();
    // The longest first, so that the last ones end together; and those that need the same kind of site together.
    let mut cells: Vec<_> = cells.into();
    cells.sort_by_key(|(_, cell)| (cell.offline, Reverse(cell.limit), cell.start != Start::Cold));
    let cells = VecDeque::from(cells);
    let all = cells.len();
    let queue = Mutex::new(cells);
    let done: Mutex<Vec<Done>> = Mutex::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..stages.min(all).max(1)).map(|_| scope.spawn(|| work(&queue, &done, extent, all))).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(result) => result,
            Err(_) => Err(Trouble::Machine("a stage panicked".to_owned())),
        })
    })?;
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Report::new(tables, &done, begun.elapsed()))
}

/// Plays cells until there are none; on a new site after one that could not go on.
fn work(
    queue: &Mutex<VecDeque<(usize, Cell)>>,
    done: &Mutex<Vec<Done>>,
    extent: Extent,
    all: usize,
) -> Result<(), Trouble> {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let mut waiting = next();
    while waiting.is_some() {
        let machine = Machine::start()?;
        let offline = waiting.as_ref().is_some_and(|(_, cell)| cell.offline);
        let mut stage = Stage::new(&machine, offline)?;
        while let Some((table, cell)) = waiting.take_if(|(_, cell)| cell.offline == offline) {
            let played = cell.play(&mut stage);
            let is_over = played.is_err();
            let played = played.map_err(|trouble| format!("{trouble}\n{}", stage.logs()));
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push(Done { table, cell, played });
            if extent == Extent::Everything {
                progress(done.len(), all, done.iter().filter(|done| !done.is_good()).count());
            }
            drop(done);
            waiting = next();
            if is_over {
                break;
            }
        }
    }
    Ok(())
}

impl Done {
    pub(super) fn is_good(&self) -> bool {
        self.played.as_ref().is_ok_and(|played| played.complaints.is_empty())
    }
}

fn progress(done: usize, all: usize, bad: usize) {
    if done.is_multiple_of(10) || done == all {
        eprintln!("  {done} of {all} cells, {bad} not as they must be");
    }
}
