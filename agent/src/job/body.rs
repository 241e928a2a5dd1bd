//! The body of a job: in its request, or in memory that is lent for it.

use std::sync::Arc;

use countersign_protocol::binary::Binary;
use countersign_protocol::ipc::{FrameError, Job, JobBody, ProblemKind};
use countersign_protocol::limits;

use crate::limits::{Gate, Place};
use crate::listener::FIRST_WORD;
use crate::person::{Gone, Person};
use crate::trouble::Trouble;

/// A body, if there is one, and the room that it takes until this is dropped.
pub(super) struct Held {
    pub(super) body: Option<Binary>,
    _room: Option<Place>,
}

/// Takes it before anything is said to the person. There is room for it before there is memory.
///
/// # Errors
/// [`Trouble`], after which the connection is closed.
pub(super) fn take(rooms: &Arc<Gate>, uid: u32, ask: &Job, person: &mut Person) -> Result<Held, Trouble> {
    let announced = match &ask.body {
        None => return Ok(Held { body: None, _room: None }),
        Some(JobBody::Here(body)) => return Ok(Held { body: Some(body.clone()), _room: None }),
        Some(JobBody::Beside(announced)) => *announced,
    };
    let length = match usize::try_from(announced) {
        Ok(length) if length <= limits::JOB_BODY => length,
        _ => {
            let most = limits::JOB_BODY;
            let told = format!(
                "The body has {announced} bytes; at most {most} are taken. Nothing was signed: send less at once."
            );
            return Err(Trouble::new(ProblemKind::Usage, told));
        }
    };
    let Some(room) = rooms.enter(uid) else {
        let told =
            "The agent holds too many large bodies at once. Try again when the requests before are answered.";
        return Err(Trouble::new(ProblemKind::Busy, told));
    };
    let body = person.body(length).map_err(not_taken)?;
    Ok(Held { body: Some(Binary(body)), _room: Some(room) })
}

fn not_taken(error: FrameError) -> Trouble {
    match error {
        FrameError::Closed | FrameError::Truncated => Gone::Cancelled.into(),
        FrameError::TimedOut => {
            let told = format!(
                "The body was not there within {} s. Nothing was signed; try again.",
                FIRST_WORD.as_secs()
            );
            Trouble::new(ProblemKind::Cancelled, told)
        }
        error => {
            let told = format!(
                "The body did not come as it was announced: {error}. Nothing was signed. Install agent and command line of one release."
            );
            Trouble::new(ProblemKind::Usage, told)
        }
    }
}

#[cfg(test)]
mod tests;
