//! Rows that were added and are not on their way yet: those of many messages go in one statement for each table.

use countersign_server_core::store::StoreError;

use super::super::sql::{Table, Value};
use super::connection::Connection;
use super::values::{Column, Kept};

/// As many bytes are sent when their message is done, even if nobody asks for them.
const MUCH: usize = 4 << 20;

/// What is to be written.
#[derive(Default)]
pub(super) struct Pending {
    rows: Vec<(&'static Table, Vec<Column>)>,
    /// Statements of which only the last one counts, with their parameters.
    last: Vec<(&'static str, Vec<Kept>)>,
    bytes: usize,
    /// Others are to be told.
    pub(super) announced: bool,
}

impl Pending {
    /// One row more.
    pub(super) fn add(&mut self, to: &'static Table, row: &[Value<'_>]) -> Result<(), StoreError> {
        if row.len() != to.columns.len() {
            return Err(wrong(to));
        }
        self.bytes += row.iter().map(size).sum::<usize>();
        let columns = self.columns(to);
        for (column, value) in columns.iter_mut().zip(row) {
            if !column.push(value) {
                return Err(wrong(to));
            }
        }
        Ok(())
    }

    /// A statement that takes the place of the same one before.
    pub(super) fn put_last(&mut self, sql: &'static str, params: Vec<Kept>) {
        self.last.retain(|(other, _)| *other != sql);
        self.last.push((sql, params));
    }

    /// Whether a row of this name is among them.
    pub(super) fn has(&self, name: &Value<'_>) -> bool {
        self.rows.iter().any(|(_, columns)| columns.first().is_some_and(|names| names.has(name)))
    }

    pub(super) const fn is_much(&self) -> bool {
        self.bytes > MUCH
    }

    /// All of another's behind these.
    pub(super) fn append(&mut self, other: &mut Self) -> Result<(), StoreError> {
        let other = std::mem::take(other);
        for (table, columns) in other.rows {
            for (column, more) in self.columns(table).iter_mut().zip(columns) {
                if !column.append(more) {
                    return Err(wrong(table));
                }
            }
        }
        for (sql, params) in other.last {
            self.put_last(sql, params);
        }
        self.bytes += other.bytes;
        self.announced |= other.announced;
        Ok(())
    }

    /// Sends them; whoever waits next finds out what becomes of it. What others are to be told is told with the commit.
    pub(super) fn send(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let Self { rows, last, announced, .. } = std::mem::take(self);
        self.announced = announced;
        for (table, columns) in rows {
            connection.send_columns(&table.add_columns(), columns)?;
        }
        for (sql, params) in last {
            let params: Vec<_> = params.iter().map(Kept::value).collect();
            connection.send(sql, &params)?;
        }
        Ok(())
    }

    fn columns(&mut self, of: &'static Table) -> &mut [Column] {
        let is_of = |table: &'static Table| std::ptr::eq(table, of);
        if !self.rows.iter().any(|(table, _)| is_of(table)) {
            let columns = of.columns.iter().map(|(_, kind)| Column::new(*kind)).collect();
            self.rows.push((of, columns));
        }
        let found = self.rows.iter_mut().find(|(table, _)| is_of(table));
        found.map_or(&mut [], |(_, columns)| columns)
    }
}

fn size(value: &Value<'_>) -> usize {
    match value {
        Value::Null | Value::Integer(_) => 8,
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
    }
}

fn wrong(table: &Table) -> StoreError {
    StoreError::Unavailable(format!("a row does not fit the columns of {}", table.name))
}
