//! The matrix as it is printed: a row for each fault, a column for each moment, a letter for what came of it.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use super::Table;
use super::run::Done;

/// What came of all cells.
pub struct Report {
    families: Vec<Family>,
    took: Duration,
}

/// What came of the cells of one table.
#[derive(Clone)]
struct Family {
    name: &'static str,
    text: String,
    complaints: Vec<String>,
    cells: usize,
    longest: Duration,
}

impl Report {
    pub(super) fn new(tables: &[Table], done: &[Done], took: Duration) -> Self {
        let families = tables.iter().enumerate().map(|(at, table)| {
            Family::new(table, &done.iter().filter(|done| done.table == at).collect::<Vec<_>>())
        });
        Self { families: families.collect(), took }
    }

    /// The part of it that is about one family.
    #[must_use]
    pub fn of(&self, family: &str) -> Self {
        let families = self.families.iter().filter(|one| one.name == family).cloned().collect();
        Self { families, took: self.took }
    }

    /// Whether there are cells, and every one is as it must be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let is_good = |family: &Family| family.complaints.is_empty() && family.cells > 0;
        !self.families.is_empty() && self.families.iter().all(is_good)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for family in &self.families {
            f.write_str(&family.text)?;
        }
        for family in &self.families {
            for complaint in &family.complaints {
                write!(f, "\n! {}: {complaint}\n", family.name)?;
            }
        }
        let cells: usize = self.families.iter().map(|family| family.cells).sum();
        let bad: usize = self.families.iter().map(|family| family.complaints.len()).sum();
        let longest = self.families.iter().map(|family| family.longest).max().unwrap_or_default();
        writeln!(
            f,
            "\n{cells} cells, {} as they must be, {bad} not. The longest login took {:.1} s, all cells {} s.",
            cells - bad,
            longest.as_secs_f64(),
            self.took.as_secs(),
        )
    }
}

impl Family {
    fn new(table: &Table, done: &[&Done]) -> Self {
        let mut complaints: Vec<String> = done
            .iter()
            .filter(|done| !done.is_good())
            .map(|done| {
                let what = match &done.played {
                    Ok(played) => played.complaints.join("\n    "),
                    Err(why) => format!("the site could not go on: {why}"),
                };
                let (group, name) = &done.cell.column;
                format!("{} at {}:\n    {what}", done.cell.row, format!("{group} {name}").trim())
            })
            .collect();
        complaints.sort();
        let times = done.iter().filter_map(|done| done.played.as_ref().ok()).map(|played| played.took);
        Self {
            name: table.family,
            text: if done.is_empty() { String::new() } else { draw(table, done) },
            complaints,
            cells: done.len(),
            longest: times.max().unwrap_or_default(),
        }
    }
}

/// Width of a row's name.
const NAME: usize = 43;

fn draw(table: &Table, done: &[&Done]) -> String {
    let mut text = format!("\n{} ({} cells)\n", table.family, done.len());
    let (mut head, mut legend) = (format!("  {:NAME$}", ""), String::new());
    for (number, (gap, (group, name))) in gaps(table).zip(&table.columns).enumerate() {
        let mark = char::from_digit(u32::try_from(number + 1).unwrap_or(0), 36).unwrap_or('?');
        // Writing to a string does not fail.
        let _ = write!(head, "{gap} {mark}");
        if !gap.is_empty() {
            let _ = write!(legend, "{} ", if legend.is_empty() { " " } else { "\n " });
            let _ = if group.is_empty() { Ok(()) } else { write!(legend, "{group}: ") };
        }
        let _ = write!(legend, " {mark} {name} ");
    }
    let _ = writeln!(text, "{legend}\n{head}");

    // Rows in the table's order, each with its cells by column.
    let mut rows: Vec<(&str, BTreeMap<usize, String>)> = Vec::new();
    for cell in &table.cells {
        if !rows.iter().any(|(name, _)| *name == cell.row) {
            rows.push((&cell.row, BTreeMap::new()));
        }
    }
    for done in done {
        let column = table.columns.iter().position(|column| *column == done.cell.column);
        let row = rows.iter_mut().find(|(name, _)| *name == done.cell.row);
        if let (Some(column), Some((_, cells))) = (column, row) {
            cells.insert(column, done.letter());
        }
    }
    for (name, cells) in rows.into_iter().filter(|(_, cells)| !cells.is_empty()) {
        let letters = gaps(table)
            .enumerate()
            .map(|(column, gap)| format!("{gap}{}", cells.get(&column).map_or(" .", String::as_str)));
        let _ = writeln!(text, "  {name:NAME$}{}", letters.collect::<String>());
    }
    text
}

/// What stands before each column: a space where a group begins.
fn gaps(table: &Table) -> impl Iterator<Item = &'static str> {
    table
        .columns
        .iter()
        .scan(None, |last, (group, _)| Some(if last.replace(*group) == Some(*group) { "" } else { " " }))
}

impl Done {
    fn letter(&self) -> String {
        match &self.played {
            Ok(played) if played.complaints.is_empty() => format!(" {}", played.letter),
            Ok(played) => format!("!{}", played.letter),
            Err(_) => "!?".to_owned(),
        }
    }
}
