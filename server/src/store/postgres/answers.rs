//! What was asked ahead, until it may be another.
//!
//! What is asked together is one statement, whose one row has the columns of all of them: each statement takes the database
//! longer than what it does.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;

use countersign_server_core::ledger::Tip;
use countersign_server_core::store::StoreError;
use tokio_postgres::Row as Found;

use super::super::sql::{Question, Row, Value};
use super::connection::Connection;

/// Answers of one transaction.
#[derive(Default)]
pub(super) struct Answers {
    known: RefCell<Vec<(Question, Option<Part>)>>,
    tip: RefCell<Option<Tip>>,
}

/// Columns of a row that has others' too, from one of them on.
struct Part {
    row: Arc<Found>,
    begin: usize,
}

/// The statement that asks all of these. In front of the columns of each is one that says whether there is a row.
pub(super) fn together(questions: &[Question]) -> String {
    let mut columns = Vec::new();
    let mut sql = String::new();
    let mut names = 0;
    for (at, question) in questions.iter().enumerate() {
        columns.push(format!("q{at}.*"));
        let one = if question.name().is_some() {
            names += 1;
            question.sql.replace("$1", &format!("${names}"))
        } else {
            question.sql.to_owned()
        };
        let marker = marker(at);
        let joined = format!(" LEFT JOIN (SELECT 1 AS {marker}, one.* FROM ({one}) AS one) AS q{at} ON true");
        let _never_fails = sql.write_str(&joined);
    }
    format!("SELECT {} FROM (SELECT 1) AS always{sql}", columns.join(", "))
}

/// The column that is NULL if there is no row.
fn marker(at: usize) -> String {
    format!("there_is_{at}")
}

impl Answers {
    /// Hands the rows to `row`: what is known, or else what `connection` says.
    pub(super) fn query<'a>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
        connection: impl FnOnce() -> Result<&'a Connection, StoreError>,
    ) -> Result<(), StoreError> {
        let known = self.known.borrow();
        match known.iter().find(|(question, _)| question.is(sql, params)) {
            Some((_, Some(Part { row: found, begin }))) => row(&Row::Postgres(found, *begin)).map(drop),
            Some((_, None)) => Ok(()),
            None => {
                drop(known);
                connection()?.query(sql, params, row)
            }
        }
    }

    /// Those that are not answered yet.
    pub(super) fn lacking(&self, mut questions: Vec<Question>) -> Vec<Question> {
        let known = self.known.borrow();
        questions.retain(|one| known.iter().all(|(question, _)| question != one));
        questions
    }

    /// The row that [`together`] found for these.
    pub(super) fn put(&self, questions: Vec<Question>, row: Found) -> Result<(), StoreError> {
        let row = Arc::new(row);
        for (at, question) in questions.into_iter().enumerate() {
            let marker = marker(at);
            let place = row.columns().iter().position(|column| column.name() == marker);
            let place = place.ok_or_else(|| StoreError::Corrupt(format!("no column {marker}")))?;
            let there: Option<i32> =
                row.try_get(place).map_err(|error| StoreError::Corrupt(error.to_string()))?;
            let part = there.map(|_| Part { row: Arc::clone(&row), begin: place + 1 });
            self.known.borrow_mut().push((question, part));
        }
        Ok(())
    }

    /// Whether it is known that there is no such row.
    pub(super) fn say_none(&self, sql: &str, params: &[Value<'_>]) -> bool {
        self.known.borrow().iter().any(|(question, found)| found.is_none() && question.is(sql, params))
    }

    /// Where the log ends, with what was added to it since it was asked.
    pub(super) fn tip(&self) -> Option<Tip> {
        self.tip.borrow().clone()
    }

    pub(super) fn put_tip(&self, tip: &Tip) {
        *self.tip.borrow_mut() = Some(tip.clone());
    }

    /// There is a row of this name now.
    pub(super) fn forget_about(&self, name: &Value<'_>) {
        self.known.borrow_mut().retain(|(question, _)| question.name().as_ref() != Some(name));
    }

    /// Another message has its turn.
    pub(super) fn forget_rows(&self) {
        self.known.borrow_mut().retain(|(question, _)| question.is_of_all());
    }

    /// Something was written, whatever it was.
    pub(super) fn forget_all(&self) {
        self.known.borrow_mut().clear();
        *self.tip.borrow_mut() = None;
    }
}
