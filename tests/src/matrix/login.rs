//! One login, as Ana sees it.

use std::fmt;
use std::time::{Duration, Instant};

use super::{Cell, Moment, PamCode, Stage, Start};
use crate::dialogue::Dialogue;
use crate::site::Person;
use crate::trouble::Trouble;

/// What the login is for.
#[derive(Clone, Copy)]
pub(super) enum Aim<'c> {
    /// To get in.
    Plain,
    /// To see what comes of a fault.
    Cell(&'c Cell),
}

/// What came of it.
#[derive(Debug)]
pub struct Attempt {
    /// What the program heard.
    pub code: PamCode,
    /// Everything that Ana saw.
    pub shown: String,
    /// What she was told to quote.
    pub reference: Option<String>,
    /// How often she typed her PIN.
    pub pins: usize,
    /// How often she was told that her card cannot be used, and put it in again.
    pub reseated: usize,
    /// From the last thing that she did to the end. Longer than allowed if it was broken off.
    pub took: Duration,
}

const PIN: &str = "PIN for";
const INSERT: &str = "Insert the card of";
const UNUSABLE: &str = "cannot be used: ";
const SILENT: &str = "does not answer. Pull it out";

impl Attempt {
    /// Ana tries to log in. She types her PIN when she is asked, puts her card in when she is asked, and takes it out
    /// and puts it in again when she is told that it cannot be used.
    pub(super) fn at(stage: &mut Stage<'_>, aim: Aim<'_>, limit: Duration) -> Result<Self, Trouble> {
        let mut dialogue = Dialogue::start(&stage.login_command())?;
        let (mut pins, mut reseated) = (0, 0);
        let mut last = Instant::now();
        let ended = loop {
            let Ok(asked) = dialogue.next(&[PIN, INSERT, UNUSABLE, SILENT], limit) else { break None };
            match asked {
                Some(0) => {
                    pins += 1;
                    if let (Aim::Cell(cell), 1) = (aim, pins)
                        && cell.nth == 0
                    {
                        cell.fault.strike(stage, Moment::AsksForPin)?;
                    }
                    dialogue.send_line(Person::PIN)?;
                    last = Instant::now();
                    if let (Aim::Cell(cell), 1) = (aim, pins)
                        && cell.strikes_after_pin()
                    {
                        cell.fault.strike(stage, Moment::HasPin)?;
                        last = Instant::now();
                    }
                }
                Some(1) => {
                    let cell = match aim {
                        Aim::Cell(cell) if reseated == 0 && cell.start == Start::Inserted => Some(cell),
                        _ => None,
                    };
                    if let Some(cell) = cell {
                        cell.fault.arm(stage, cell.nth)?;
                    }
                    stage.card().insert()?;
                    last = Instant::now();
                    if let Some(cell) = cell.filter(|cell| !cell.strikes_after_pin()) {
                        cell.fault.strike(stage, Moment::WaitsForCard)?;
                        last = Instant::now();
                    }
                }
                Some(_) if reseated < RESEATS => {
                    reseated += 1;
                    stage.take_out()?;
                    if let Aim::Cell(cell) = aim {
                        cell.fault.mend(stage)?;
                    }
                    stage.put_in()?;
                    last = Instant::now();
                }
                Some(_) | None => break Some(()),
            }
        };
        let took = last.elapsed();
        let status = ended.and_then(|()| dialogue.wait(limit).ok());
        let shown = dialogue.transcript().replace('\r', "");
        let took = if status.is_none() { took.max(limit) + Duration::from_millis(1) } else { took };
        let reference = reference(&shown);
        let code = match status {
            Some(status) => PamCode::from_pamtester(&shown, status.success()),
            None => PamCode::Other("it did not end".to_owned()),
        };
        Ok(Self { code, shown, reference, pins, reseated, took })
    }

    /// Whether Ana was let in.
    #[must_use]
    pub fn is_served(&self) -> bool {
        self.code == PamCode::Success
    }

    /// Whether the host decided, without the server.
    #[must_use]
    pub fn was_decided_here(&self) -> bool {
        self.shown.contains("This host decided by itself")
    }

    /// The reason that the agent's log names under its reference.
    pub(super) fn reason(&self, log: &str) -> Option<String> {
        let mark = format!("correlation={} ", self.reference.as_ref()?);
        let is_it = |line: &&str| line.contains("event=login-denied") && line.contains(&mark);
        let (_, rest) = log.lines().rev().find(is_it)?.split_once(" reason=")?;
        rest.split_whitespace().next().map(str::to_owned)
    }
}

/// How often Ana takes her card out and puts it in again, before she gives up.
const RESEATS: usize = 2;

/// `(Reference: 7K3M-Q2ZD)`, the last of them.
fn reference(shown: &str) -> Option<String> {
    let (_, rest) = shown.rsplit_once("(Reference: ")?;
    rest.split_once(')').map(|(reference, _)| reference.to_owned())
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} after {} ms", self.code, self.took.as_millis())?;
        for line in self.shown.trim().lines() {
            write!(f, "\n      | {line}")?;
        }
        Ok(())
    }
}
