//! A login in a second process, through the PAM files as they are now.

use std::io;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use countersign_protocol::ids::{LoginName, ServiceName};
use serde::{Deserialize, Serialize};

use super::apply::MOST_FOR_THE_TRIAL;
use crate::args::Global;
use crate::failure::{Failure, LocalKind};

/// What PAM said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Said {
    /// `pam_authenticate`, as a PAM code; 0 is success.
    pub(crate) authenticate: Option<i32>,
    /// `pam_acct_mgmt`; not asked of who did not authenticate.
    pub(crate) account: Option<i32>,
    /// `pam_setcred`
    pub(crate) credentials: Option<i32>,
    /// The first question, where nobody was there to answer it.
    pub(crate) question: Option<String>,
}

impl Said {
    /// Whether a program would let this person in.
    pub(crate) fn lets_in(&self) -> bool {
        self.authenticate == Some(0) && self.account == Some(0) && self.credentials == Some(0)
    }
}

/// How root fares with PAM: what is asked of it first, and its account check. Nothing is answered.
pub(crate) fn of_root(global: &Global, service: &ServiceName) -> Result<Said, Failure> {
    in_a_second_process(global, service, "root", &["--unanswered"])
}

/// A whole login, with the person at this terminal to answer.
pub(crate) fn of_person(global: &Global, service: &ServiceName, login: &LoginName) -> Result<Said, Failure> {
    in_a_second_process(global, service, login.as_str(), &[])
}

fn in_a_second_process(
    global: &Global,
    service: &ServiceName,
    login: &str,
    more: &[&str],
) -> Result<Said, Failure> {
    let failed = |what: String| Failure::local(LocalKind::File, format!("the trial login {what}"));
    let program = std::env::current_exe().map_err(|error| failed(format!("cannot be started: {error}")))?;
    let mut command = Command::new(program);
    command.args(["pam", "self-test", login, "--service", service.as_str(), "--json"]).args(more);
    if global.answers_from_stdin {
        command.arg("--answers-from-stdin");
    }
    let output = command
        .stdout(Stdio::piped())
        .spawn()
        .and_then(ended_in_time)
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    if !output.status.success() {
        return Err(failed(format!("did not come to an end: {}", output.status)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| failed(format!("said something else: {error}")))
}

/// What it says is short, and waits for us in the pipe. ^Z, or a module that hangs, must not keep us.
fn ended_in_time(mut child: Child) -> io::Result<Output> {
    const LOOK: Duration = Duration::from_millis(50);
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > Duration::from_secs(MOST_FOR_THE_TRIAL.unsigned_abs()) {
            child.kill()?;
        }
        std::thread::sleep(LOOK);
    }
    child.wait_with_output()
}

/// What came of a part, in words.
pub(crate) fn part(code: Option<i32>) -> String {
    code.map_or_else(|| "not asked".to_owned(), in_words)
}

/// A PAM code in words.
fn in_words(code: i32) -> String {
    match code {
        0 => "yes".to_owned(),
        6 => "permission denied".to_owned(),
        7 => "authentication failure".to_owned(),
        9 => "the agent is not running".to_owned(),
        11 => "no tries left".to_owned(),
        12 => "the password must be changed".to_owned(),
        13 => "the account is expired".to_owned(),
        28 => "a PAM module is missing".to_owned(),
        other => format!("PAM code {other}"),
    }
}
