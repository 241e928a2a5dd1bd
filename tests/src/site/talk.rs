//! A program, a terminal, and somebody who answers its questions.

use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::dialogue::Dialogue;
use crate::trouble::Trouble;

/// How a conversation ended.
#[derive(Debug)]
pub struct Ending {
    /// Everything the terminal showed.
    pub shown: String,
    /// How the program ended.
    pub status: ExitStatus,
    program: String,
}

impl Ending {
    /// The exit code; none for a program that was killed.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The first word behind `label` on a line that begins with it.
    ///
    /// # Errors
    /// [`Trouble::Program`] if there is no such line.
    pub fn after(&self, label: &str) -> Result<String, Trouble> {
        self.shown
            .lines()
            .find_map(|line| line.trim_start().strip_prefix(label)?.split_whitespace().next())
            .map(str::to_owned)
            .ok_or_else(|| Trouble::Program {
                program: self.program.clone(),
                status: format!("no line with {label:?}"),
                output: self.shown.clone(),
            })
    }

    /// The same, if the program ended well.
    ///
    /// # Errors
    /// [`Trouble::Program`] with what it showed.
    pub fn success(self) -> Result<Self, Trouble> {
        if self.status.success() {
            return Ok(self);
        }
        Err(Trouble::Program { program: self.program, status: self.status.to_string(), output: self.shown })
    }
}

/// Runs `command` in a terminal. Each of `answers` is a piece of a question to wait for and what to type then.
///
/// # Errors
/// [`Trouble::Timeout`] with the transcript if a question does not come, or the program does not end.
pub fn talk(command: &Command, answers: &[(&str, &str)], limit: Duration) -> Result<Ending, Trouble> {
    let program = command.get_args().last().unwrap_or_default().to_string_lossy().into_owned();
    let mut dialogue = Dialogue::start(command)?;
    for (question, answer) in answers {
        dialogue.expect(question, limit)?;
        dialogue.send_line(answer)?;
    }
    dialogue.expect_eof(limit)?;
    let status = dialogue.wait(limit)?;
    Ok(Ending { shown: dialogue.transcript().replace('\r', ""), status, program })
}
