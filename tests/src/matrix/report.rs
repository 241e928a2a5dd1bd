//! The matrix as it is printed: a row for each fault, a column for each moment, a letter for what came of it.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use super::Table;
use super::run::Done;

/// What came of all cells.
pub struct Report {
    text: String,
    complaints: Vec<String>,
    cells: usize,
    bad: usize,
    took: Duration,
    longest: Duration,
}

impl Report {
    pub(super) fn new(tables: &[Table], done: Vec<Done>, took: Duration) -> Self {
        let mut text = String::new();
        for (at, table) in tables.iter().enumerate() {
            let of_table: Vec<&Done> = done.iter().filter(|done| done.table == at).collect();
            if !of_table.is_empty() {
                draw(&mut text, table, &of_table);
            }
        }
        let mut complaints: Vec<String> = done
            .iter()
            .filter(|done| !done.is_good())
            .map(|done| {
                let family = tables.get(done.table).map_or("", |table| table.family);
                let what = match &done.played {
                    Ok(played) => played.complaints.join("\n    "),
                    Err(why) => format!("the stage could not go on: {why}"),
                };
                format!("{family}: {} at {}:\n    {what}", done.cell.row, done.cell.column)
            })
            .collect();
        complaints.sort();
        let times = done.iter().filter_map(|done| done.played.as_ref().ok()).map(|played| played.took);
        Self {
            text,
            cells: done.len(),
            bad: complaints.len(),
            complaints,
            took,
            longest: times.max().unwrap_or_default(),
        }
    }

    /// Whether every cell is as it must be.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.bad == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        for complaint in &self.complaints {
            write!(f, "\n! {complaint}\n")?;
        }
        writeln!(
            f,
            "\n{} cells in {} s: {} as they must be, {} not. The longest login took {:.1} s.",
            self.cells,
            self.took.as_secs(),
            self.cells - self.bad,
            self.bad,
            self.longest.as_secs_f64()
        )
    }
}

/// Width of a row's name.
const NAME: usize = 40;

fn draw(text: &mut String, table: &Table, done: &[&Done]) {
    let count = table.columns.len();
    // Writing to a string does not fail.
    let _ = writeln!(text, "\n{} ({} cells)", table.family, done.len());
    let keys: Vec<String> = table.columns.iter().map(|(group, name)| format!("{group} {name}")).collect();
    let mut group = None;
    let mut head = format!("  {:NAME$}", "");
    let mut legend = String::new();
    for (number, (of, name)) in table.columns.iter().enumerate() {
        if group.replace(*of) != Some(*of) {
            let _ = write!(legend, "\n  {of}:");
            head.push(' ');
        }
        let mark = char::from_digit(u32::try_from(number + 1).unwrap_or(0) % 36, 36).unwrap_or('?');
        let _ = write!(head, " {mark}");
        let _ = write!(legend, "  {mark} {}", name.split_once(' ').map_or(name.as_str(), |(_, name)| name));
    }
    let _ = writeln!(text, "{}\n{head}", legend.trim_start_matches('\n'));
    let mut rows: Vec<(&str, BTreeMap<usize, String>)> = Vec::new();
    for done in done {
        let column = keys.iter().position(|key| key.trim() == done.cell.column.trim()).unwrap_or(count);
        let shown = match &done.played {
            Ok(played) if played.complaints.is_empty() => format!(" {}", played.letter),
            Ok(played) => format!("!{}", played.letter),
            Err(_) => "!?".to_owned(),
        };
        match rows.iter_mut().find(|(name, _)| *name == done.cell.row) {
            Some((_, cells)) => drop(cells.insert(column, shown)),
            None => rows.push((&done.cell.row, BTreeMap::from([(column, shown)]))),
        }
    }
    rows.sort_by_key(|(name, _)| table.cells.iter().position(|cell| cell.row == *name));
    for (name, cells) in rows {
        let mut line = format!("  {name:NAME$}");
        let mut group = None;
        for (number, (of, _)) in table.columns.iter().enumerate() {
            if group.replace(*of) != Some(*of) {
                line.push(' ');
            }
            line.push_str(cells.get(&number).map_or(" .", String::as_str));
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
}
