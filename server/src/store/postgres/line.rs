//! The one connection that writes.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use countersign_server_core::store::StoreError;

use super::super::group::{Line, gone};
use super::super::sql::{Question, Row, Table, Value};
use super::answers::Answers;
use super::connection::{Asked, Connection};
use super::pending::Pending;
use super::pool::Pool;
use super::values::Kept;

/// Every server on the database has this lock for itself while it writes: what it reads after that is what the others left,
/// and nobody changes it. The first half of its name is ours; 0 behind it is the lock of migrations.
const BEGIN: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock(1668509551, 1)";

/// A server that hangs in the middle of its turn is ended before the others give up waiting for theirs.
const PATIENCE: &str = "SET idle_in_transaction_session_timeout = '5s'; SET lock_timeout = '8s'";

/// It, and what is not on its way yet.
///
/// Rows that are only added wait for those of other messages, and are sent together. Whatever else is done on the connection
/// finds them there: they are sent first.
pub(in super::super) struct PostgresLine {
    pool: Arc<Pool>,
    connection: Option<Connection>,
    /// Rows of those who keep them.
    kept: RefCell<Pending>,
    /// Rows of whoever has the turn.
    own: RefCell<Pending>,
    answers: Answers,
    /// What was asked for those who wait for a turn.
    asked: RefCell<Vec<Ahead>>,
    apart: Cell<Apart>,
    /// Members since this was made: each has a savepoint of its own name, so that nobody goes back to another's.
    members: u64,
    /// What our own notices are told by.
    own_name: String,
}

/// What somebody who waits for a turn is going to ask, asked already.
struct Ahead {
    number: u64,
    questions: Vec<Question>,
    asked: Asked,
}

impl Ahead {
    fn is_about(&self, name: &Value<'_>) -> bool {
        self.questions.iter().any(|question| question.name().as_ref() == Some(name))
    }
}

/// How what is written can be taken back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Apart {
    /// With everything: nobody wrote before it.
    First,
    /// As long as it is not on its way, by forgetting it.
    Unsent,
    /// By a savepoint.
    Behind,
}

impl PostgresLine {
    /// With connections of this pool; `own_name` tells our notices from others'.
    pub(super) fn new(pool: Arc<Pool>, own_name: String) -> Self {
        Self {
            pool,
            connection: None,
            kept: RefCell::default(),
            own: RefCell::default(),
            answers: Answers::default(),
            asked: RefCell::default(),
            apart: Cell::new(Apart::First),
            members: 0,
            own_name,
        }
    }

    /// Runs a statement that reads.
    pub(super) fn query(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.answers.query(sql, params, row, || self.up_to_date())
    }

    /// The connection, to write something.
    pub(super) fn writing(&self) -> Result<&Connection, StoreError> {
        self.answers.forget_all();
        self.forget_asked(|_| true);
        self.up_to_date()
    }

    /// From here on a statement may take minutes.
    pub(super) fn take_time(&self) -> Result<(), StoreError> {
        self.up_to_date()?.take_time()
    }

    pub(super) const fn answers(&self) -> &Answers {
        &self.answers
    }

    pub(super) fn add(&self, to: &'static Table, row: &[Value<'_>]) -> Result<(), StoreError> {
        if let Some(name) = row.first() {
            self.answers.forget_about(name);
            self.forget_asked(|asked| asked.is_about(name));
        }
        self.own.borrow_mut().add(to, row)
    }

    /// Where it was asked ahead and there is none, nobody else can have put it there since; and if somebody had, the rows could
    /// not be added.
    pub(super) fn add_new(
        &self,
        to: &'static Table,
        find: &str,
        row: &[Value<'_>],
    ) -> Result<bool, StoreError> {
        let name = row.first().ok_or_else(gone)?;
        let is_new = self.answers.say_none(find, std::slice::from_ref(name));
        if is_new && !self.own.borrow().has(name) && !self.kept.borrow().has(name) {
            self.add(to, row)?;
            return Ok(true);
        }
        Ok(self.writing()?.execute(&to.add_new(), row)? == 1)
    }

    pub(super) fn put_last(&self, sql: &'static str, params: &[Value<'_>]) {
        self.own.borrow_mut().put_last(sql, params.iter().map(Kept::from).collect());
    }

    pub(super) fn announce(&self) {
        self.own.borrow_mut().announced = true;
    }

    fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or_else(gone)
    }

    /// The connection, with everything on its way that was added.
    fn up_to_date(&self) -> Result<&Connection, StoreError> {
        let connection = self.connection()?;
        self.kept.borrow_mut().send(connection)?;
        if self.apart.get() == Apart::Unsent {
            connection.send_batch(&format!("SAVEPOINT member_{}", self.members));
            self.apart.set(Apart::Behind);
        }
        self.own.borrow_mut().send(connection)?;
        Ok(connection)
    }

    /// Whether the database would have to be told first what is not on its way yet.
    fn is_behind_on(&self, question: &Question) -> bool {
        let has = |name: Value<'_>| self.kept.borrow().has(&name) || self.own.borrow().has(&name);
        question.name().is_none_or(has)
    }

    /// Asks for who waits, unless what they ask is about to be another.
    fn ask_for(&self, number: u64, mut questions: Vec<Question>) -> Result<(), StoreError> {
        questions.retain(|question| question.name().is_some());
        if questions.is_empty() || questions.iter().any(|question| self.is_behind_on(question)) {
            return Ok(());
        }
        let asked = self.connection()?.ask(&questions)?;
        self.asked.borrow_mut().push(Ahead { number, questions, asked });
        Ok(())
    }

    /// Those who wait will have to ask these again.
    fn forget_asked(&self, which: impl Fn(&Ahead) -> bool) {
        for ahead in self.asked.borrow_mut().extract_if(.., |ahead| which(ahead)) {
            if let Some(connection) = &self.connection {
                connection.let_come(ahead.asked);
            }
        }
    }

    fn forget(&mut self) {
        self.kept.take();
        self.own.take();
        self.answers.forget_all();
        self.forget_asked(|_| true);
    }
}

impl Line for PostgresLine {
    type Questions = Vec<Question>;

    /// What becomes of it is found out by whoever waits first.
    fn begin(&mut self) -> Result<(), StoreError> {
        self.forget();
        self.apart.set(Apart::First);
        let connection = match self.connection.take().filter(Connection::is_alive) {
            Some(alive) => alive,
            None => {
                let taken = self.pool.take()?;
                taken.send_batch(PATIENCE);
                taken
            }
        };
        connection.send_batch(BEGIN);
        self.connection = Some(connection);
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_going_on)
    }

    fn set_apart(&mut self) -> Result<(), StoreError> {
        self.members += 1;
        self.apart.set(Apart::Unsent);
        Ok(())
    }

    fn expect(
        &mut self,
        (number, questions): (u64, Vec<Question>),
        others: Vec<(u64, Vec<Question>)>,
    ) -> Result<(), StoreError> {
        let ahead = {
            let mut asked = self.asked.borrow_mut();
            asked.extract_if(.., |ahead| ahead.number == number).next()
        };
        if let Some(Ahead { questions, asked, .. }) = ahead {
            let found = self.connection()?.answer(asked)?;
            self.answers.put(questions, found)?;
        }
        let lacking = self.answers.lacking(questions);
        let own = match lacking.as_slice() {
            [] => None,
            some if some.iter().any(|question| self.is_behind_on(question)) => {
                Some(self.up_to_date()?.ask(some)?)
            }
            some => Some(self.connection()?.ask(some)?),
        };
        let mut others = others.into_iter().filter(|(other, _)| *other != number);
        let for_others = others.try_for_each(|(number, questions)| self.ask_for(number, questions));
        match own {
            Some(own) => self.answers.put(lacking, self.connection()?.answer(own)?)?,
            // The database works on the others' while we do on ours.
            None => self.connection()?.push()?,
        }
        for_others
    }

    fn join(&mut self) -> Result<(), StoreError> {
        let connection = self.connection.as_ref().filter(|one| one.is_usable()).ok_or_else(failed)?;
        if self.apart.get() == Apart::Behind {
            connection.send_batch(&format!("RELEASE SAVEPOINT member_{}", self.members));
        }
        let mut kept = self.kept.borrow_mut();
        kept.append(&mut self.own.borrow_mut())?;
        if kept.is_much() {
            kept.send(connection)?;
        }
        drop(kept);
        self.answers.forget_rows();
        Ok(())
    }

    fn take_back(&mut self) -> Result<(), StoreError> {
        self.own.take();
        self.answers.forget_all();
        self.forget_asked(|_| true);
        let connection = self.connection()?;
        match self.apart.get() {
            Apart::Behind => {
                let member = format!("member_{}", self.members);
                let back = format!("ROLLBACK TO SAVEPOINT {member}; RELEASE SAVEPOINT {member}");
                connection.recover(&back)
            }
            Apart::First | Apart::Unsent if connection.is_usable() => Ok(()),
            Apart::First | Apart::Unsent => Err(failed()),
        }
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.forget_asked(|_| true);
        let kept = self.kept.get_mut();
        let connection = self.connection.as_ref().ok_or_else(gone)?;
        kept.send(connection)?;
        if kept.announced {
            connection.send("SELECT pg_notify('countersign', $1)", &[Value::Text(&self.own_name)])?;
        }
        connection.commit()?;
        self.forget();
        Ok(())
    }

    fn roll_back(&mut self) {
        self.forget();
        let Some(connection) = self.connection.take() else { return };
        // What is not answered yet may have failed, and is not to be taken for the next one's error.
        let is_over = match connection.is_settled() {
            true => {
                connection.let_go();
                connection.is_usable()
            }
            false => connection.is_usable() && connection.recover("ROLLBACK").is_ok(),
        };
        if is_over {
            self.connection = Some(connection);
        } else {
            // It ends with that. Whether it fell silent is to be known.
            self.pool.put_back(connection);
        }
    }
}

fn failed() -> StoreError {
    StoreError::Unavailable("a statement of this transaction had failed".into())
}
