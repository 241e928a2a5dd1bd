//! `countersign pam self-test`: a login through PAM, by a program that does nothing else.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::ServiceName;
use countersign_protocol::ipc::Conversation;
use serde::Serialize;

use crate::args::Global;
use crate::commands::enroll::as_root;
use crate::failure::{Failure, LocalKind};
use crate::libpam::Transaction;
use crate::output::Report;
use crate::pam_setup::signals;
use crate::pam_setup::trial::{Said, part};
use crate::terminal::Terminal;

/// Log in through PAM, without opening a session (as root).
///
/// Questions are those that the service would ask; the answer is PAM's. Ends with 0 whatever that is, because the
/// test was done.
#[derive(Debug, Args)]
pub(crate) struct SelfTest {
    /// The login name.
    login: String,

    /// The service: a file in /etc/pam.d.
    #[arg(long, value_name = "SERVICE", default_value = "login")]
    service: ServiceName,

    /// Answer nothing: tell the first question, and what the account check says.
    #[arg(long)]
    unanswered: bool,
}

impl SelfTest {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        as_root("logs others in")?;
        signals::heed()?;
        let mut terminal = Terminal::new(global.answers_from_stdin);
        let person: Option<&mut dyn Conversation> = if self.unanswered { None } else { Some(&mut terminal) };
        let failed = |message: String| {
            Failure::local(LocalKind::File, message).then("Is libpam installed as it should be?")
        };
        let mut transaction =
            Transaction::start(self.service.as_str(), &self.login, person).map_err(failed)?;
        if let Ok(tty) = nix::unistd::ttyname(std::io::stdin()) {
            transaction.set_terminal(&tty.to_string_lossy());
        }
        let said = if self.unanswered {
            // A counter of wrong passwords must not move because of us.
            let authenticate = (!counts_failures()).then(|| transaction.authenticate());
            let account = Some(transaction.account());
            Said { authenticate, account, credentials: None, question: transaction.question() }
        } else {
            let authenticate = Some(transaction.authenticate());
            let account = (authenticate == Some(0)).then(|| transaction.account());
            let credentials = (account == Some(0)).then(|| transaction.credentials());
            Said { authenticate, account, credentials, question: None }
        };
        drop(transaction);
        if let Some(failure) = terminal.take_failure() {
            return Err(failure);
        }
        Report::of(&Shown { said })
    }
}

/// Whether some service of this host counts wrong passwords.
fn counts_failures() -> bool {
    let files = std::fs::read_dir("/etc/pam.d").into_iter().flatten().flatten();
    files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).any(|text| {
        text.lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .any(|line| line.contains("pam_faillock.so") || line.contains("pam_tally"))
    })
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    said: Said,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Said { authenticate, account, credentials, question } = &self.said;
        writeln!(f, "authenticate  {}", part(*authenticate))?;
        if let Some(question) = question {
            writeln!(f, "asked first   {}", question.trim())?;
        }
        writeln!(f, "account       {}", part(*account))?;
        writeln!(f, "credentials   {}", part(*credentials))
    }
}
