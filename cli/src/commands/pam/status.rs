//! `countersign pam status`: what is so, what waits, and what does not fit together.

use std::fmt;

use clap::Args;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::LoginName;
use countersign_protocol::{managed, rescue};
use serde::Serialize;

use crate::commands::enroll::as_root;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Report, Tone};
use crate::pam_setup::store::{self, Attempt, Stage};
use crate::pam_setup::system::{
    NO_ROOT_PASSWORD, System, is_rescued, module_is_installed, root_has_no_password,
};
use crate::pam_setup::{authselect, debian, managed_text, sudoers};

/// Show whether PAM asks for cards here, and until when that is to be confirmed (as root).
///
/// Ends with 0 if all is well, and with 10 if something needs attention.
#[derive(Debug, Args)]
pub(crate) struct Status {}

impl Status {
    pub(crate) fn run(&self) -> Result<Report, Failure> {
        as_root("reads what was kept of PAM's files")?;
        let shown = Shown::now()?;
        let (exit, tone) = if shown.attention.is_empty() {
            (Exit::Done, Tone::Good)
        } else {
            (Exit::Attention, Tone::Attention)
        };
        Ok(Report::of(&shown)?.ending(exit, tone))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Off,
    /// Another process is at it.
    Changing,
    Waiting,
    Interrupted,
    Enabled,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Shown {
    state: State,
    /// When it is put back unless it is confirmed.
    until: Option<Timestamp>,
    /// Since when it is confirmed.
    since: Option<Timestamp>,
    users: Vec<LoginName>,
    root_has_no_password: bool,
    attention: Vec<String>,
}

impl Shown {
    fn now() -> Result<Self, Failure> {
        let (pending, enabled) = (store::pending()?, store::enabled()?);
        let text = std::fs::read_to_string(managed::PATH).ok();
        let mut attention = Vec::new();
        let users = managed_text::logins(text.as_deref()).unwrap_or_else(|failure| {
            attention.push(format!("{}. Everybody is refused until it is correct.", failure.message));
            Vec::new()
        });
        let state = match (&pending, &enabled) {
            (Some(pending), _) if pending.stage == Stage::Waiting => State::Waiting,
            (Some(_), _) if Attempt::is_on() => State::Changing,
            (Some(_), _) => State::Interrupted,
            (None, Some(_)) => State::Enabled,
            (None, None) => State::Off,
        };
        match state {
            State::Waiting => {
                attention.push("Confirm, if you still get in: countersign pam confirm".to_owned())
            }
            State::Interrupted => {
                attention.push("A change was interrupted: countersign pam revert".to_owned())
            }
            State::Enabled => {
                attention.extend(enabled.as_ref().and_then(|enabled| amiss(enabled.system, &users)))
            }
            State::Off | State::Changing => {}
        }
        let strays = if state == State::Off { debian::with_lines_of_ours() } else { Vec::new() };
        for path in &strays {
            attention.push(format!(
                "{} has lines with pam_countersign.so, which `countersign pam enable` did not write. Without that \
                 module PAM refuses everybody: before it goes, they must.",
                path.display()
            ));
        }
        if (state != State::Off || !strays.is_empty()) && !module_is_installed() {
            attention.push(
                "pam_countersign.so is missing, so PAM refuses people. Install it, or: countersign pam disable"
                    .to_owned(),
            );
        }
        if state != State::Off && users.iter().any(|user| user.as_str() == "root") {
            attention.push(
                "root needs a card, but not in `login` where pam-auth-update set this up: docs/pam.md"
                    .to_owned(),
            );
        }
        if is_rescued() {
            attention.push(format!(
                "{} is there: while it is, nobody is asked for a card. Remove it when you can.",
                rescue::PATH
            ));
        }
        Ok(Self {
            state,
            until: pending.map(|pending| pending.until),
            since: enabled.map(|enabled| enabled.since),
            users,
            root_has_no_password: state != State::Off && root_has_no_password(),
            attention,
        })
    }
}

/// What is not as `enable` left it.
fn amiss(system: System, users: &[LoginName]) -> Option<String> {
    let applied = match system {
        System::Debian => debian::check(),
        System::Authselect => authselect::check(),
    };
    if let Err(failure) = applied {
        return Some(format!("{}. Run: countersign pam enable", failure.message));
    }
    let sudo = std::fs::read_to_string(sudoers::PATH).unwrap_or_default();
    let covered = sudoers::text(users);
    (sudoers::is_wanted() && sudo != covered)
        .then(|| format!("{} does not fit who needs a card. Run: countersign pam enable", sudoers::PATH))
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.state, self.until, self.since) {
            (State::Waiting, Some(until), _) => {
                writeln!(f, "PAM asks for cards, and is put back at {until} unless somebody confirms.")?;
            }
            (State::Enabled, _, Some(since)) => writeln!(f, "PAM asks for cards, since {since}.")?,
            (State::Changing, ..) => writeln!(f, "A change of PAM is being made and tried right now.")?,
            (State::Interrupted, ..) => writeln!(f, "A change of PAM was interrupted.")?,
            _ => writeln!(f, "PAM asks for no cards, as far as this command set it up.")?,
        }
        for user in &self.users {
            writeln!(f, "  {user} needs a card")?;
        }
        if self.root_has_no_password {
            writeln!(f, "  {NO_ROOT_PASSWORD}.")?;
        }
        for what in &self.attention {
            writeln!(f, "  ! {what}")?;
        }
        Ok(())
    }
}
