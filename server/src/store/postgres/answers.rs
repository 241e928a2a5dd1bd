//! What was asked ahead, until it may be another.

use std::cell::RefCell;

use countersign_server_core::ledger::Tip;
use countersign_server_core::store::StoreError;
use tokio_postgres::Row as Found;

use super::super::sql::{Question, Row, Value};

/// Answers of one transaction.
#[derive(Default)]
pub(super) struct Answers {
    known: RefCell<Vec<(Question, Vec<Found>)>>,
    tip: RefCell<Option<Tip>>,
}

impl Answers {
    /// Hands each row to `row` until that says `false`, if the answer is known.
    pub(super) fn give(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Option<Result<(), StoreError>> {
        let known = self.known.borrow();
        let (_, rows) = known.iter().find(|(question, _)| question.is(sql, params))?;
        for found in rows {
            match row(&Row::Postgres(found)) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(()))
    }

    /// Those that are not answered yet.
    pub(super) fn lacking(&self, mut questions: Vec<Question>) -> Vec<Question> {
        let known = self.known.borrow();
        questions.retain(|one| known.iter().all(|(question, _)| question != one));
        questions
    }

    pub(super) fn put(&self, questions: Vec<Question>, answers: Vec<Vec<Found>>) {
        self.known.borrow_mut().extend(questions.into_iter().zip(answers));
    }

    /// Whether it is known that there is no such row.
    pub(super) fn say_none(&self, sql: &str, params: &[Value<'_>]) -> bool {
        self.known.borrow().iter().any(|(question, rows)| rows.is_empty() && question.is(sql, params))
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
        self.known.borrow_mut().retain(|(question, _)| question.params().first() != Some(name));
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
