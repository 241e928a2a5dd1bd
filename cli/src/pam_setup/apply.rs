//! The change itself: keep, arm, write, try – and put back at the first thing that goes wrong.

use std::path::{Path, PathBuf};

use countersign_protocol::clock::{Clock, SystemClock};
use countersign_protocol::ids::{LoginName, ServiceName};
use countersign_protocol::managed;

use super::kept::{self, Content};
use super::put_back::{PutBack, put_back};
use super::store::{Entry, Pending, Stage, Store};
use super::system::System;
use super::trial::{self, Said, part};
use super::{authselect, boot_clock, debian, signals, sudoers, timer};
use crate::args::Global;
use crate::failure::{Failure, LocalKind};

/// What shall be, checked and not yet done.
pub(crate) struct Plan {
    pub(crate) system: System,
    /// The text of the file that says who needs a card.
    pub(crate) managed: String,
    /// And of sudo's, if sudo is here.
    pub(crate) sudoers: Option<String>,
    pub(crate) users: Vec<LoginName>,
    pub(crate) services: Vec<ServiceName>,
    /// Whose login is tried, and through what.
    pub(crate) trial: LoginName,
    pub(crate) service: ServiceName,
    /// How long somebody may take to confirm.
    pub(crate) seconds: i64,
}

/// How long the change and the trial login may take, a person's search for their card included.
pub(super) const MOST_FOR_THE_TRIAL: i64 = 5 * 60;

impl Plan {
    /// Every path that may change.
    fn paths(&self) -> Vec<PathBuf> {
        let mut paths = vec![PathBuf::from(managed::PATH)];
        if self.sudoers.is_some() {
            paths.push(PathBuf::from(sudoers::PATH));
        }
        paths.extend(match self.system {
            System::Debian => debian::files(),
            System::Authselect => authselect::files(),
        });
        paths
    }

    /// Carries it out.
    ///
    /// # Errors
    /// Whatever did not work; everything is back then, or the failure says what is not.
    pub(crate) fn carry_out(&self, store: Store, global: &Global) -> Result<Pending, Failure> {
        timer::arm_for_boot()?;
        let before = trial::of_root(global, &self.service)?;
        signals::put_off()?;
        let mut pending = self.begin(&store)?;
        if let Err(failure) = self.change(&store, &mut pending) {
            return Err(taken_back(&store, &pending, failure));
        }
        // Whoever puts this back, because its time is over or because somebody wants it, waits for no trial.
        drop(store);
        let tried = self.try_out(global, &before);
        let store = Store::open_in_turn()?;
        if store.pending()?.as_ref() != Some(&pending) {
            return Err(Failure::local(
                LocalKind::Unconfirmed,
                "the change was put back during the trial login",
            )
            .then("See: countersign pam status. Then run this again."));
        }
        match tried.and_then(|()| self.wait(&store, &mut pending)) {
            Ok(()) => Ok(pending),
            Err(failure) => Err(taken_back(&store, &pending, failure)),
        }
    }

    /// From here on there is a way back, whatever happens.
    fn begin(&self, store: &Store) -> Result<Pending, Failure> {
        let entries = self.paths().iter().map(|path| store.keep(path)).collect::<Result<Vec<Entry>, _>>()?;
        let seconds = self.seconds.saturating_add(MOST_FOR_THE_TRIAL);
        let pending = Pending {
            stage: Stage::Changing,
            system: self.system,
            boot: boot_clock::boot()?,
            due: boot_clock::seconds()?.saturating_add(seconds),
            until: SystemClock.now().plus(seconds),
            users: self.users.clone(),
            services: self.services.clone(),
            entries,
        };
        store.set_pending(&pending)?;
        match timer::arm(seconds) {
            Ok(()) => Ok(pending),
            Err(failure) => store.end_pending().and(Err(failure)),
        }
    }

    fn change(&self, store: &Store, pending: &mut Pending) -> Result<(), Failure> {
        if let Some(text) = &self.sudoers {
            // Beside the others first, where sudo does not look.
            let new = Path::new(super::store::FOLDER).join("sudoers.new");
            kept::place(&new, text.as_bytes(), sudoers::MODE, 0, 0)?;
            sudoers::check(&new)?;
            kept::place(Path::new(sudoers::PATH), text.as_bytes(), sudoers::MODE, 0, 0)?;
            kept::restore(&new, &Content::Absent, &[])?;
        }
        kept::rewrite(Path::new(managed::PATH), self.managed.as_bytes())?;
        match self.system {
            System::Debian => debian::apply()?,
            System::Authselect => authselect::apply()?,
        }
        // What is different later is somebody else's doing.
        for entry in &mut pending.entries {
            kept::sync(&entry.path)?;
            entry.after = Some(Content::at(&entry.path)?.0);
        }
        store.set_pending(pending)
    }

    /// It works; now somebody must say so.
    fn wait(&self, store: &Store, pending: &mut Pending) -> Result<(), Failure> {
        pending.stage = Stage::Waiting;
        pending.due = boot_clock::seconds()?.saturating_add(self.seconds);
        pending.until = SystemClock.now().plus(self.seconds);
        store.set_pending(pending)?;
        timer::arm(self.seconds)
    }

    /// Root first: if that is not as before, nobody need look for a card.
    fn try_out(&self, global: &Global, before: &Said) -> Result<(), Failure> {
        let after = trial::of_root(global, &self.service)?;
        if after != *before {
            let told = |said: &Said| {
                let asked = said.question.as_deref().unwrap_or("no question").trim();
                format!("{asked:?}, account check: {}", part(said.account))
            };
            return Err(Failure::local(
                LocalKind::TrialFailed,
                format!(
                    "root's own login through {} would change.\n  before: {}\n  after:  {}",
                    self.service,
                    told(before),
                    told(&after)
                ),
            ));
        }
        crate::terminal::tell(&format!("Trial login of {} through {}:", self.trial, self.service));
        let said = trial::of_person(global, &self.service, &self.trial)?;
        if said.lets_in() {
            return Ok(());
        }
        Err(Failure::local(
            LocalKind::TrialFailed,
            format!(
                "the trial login of {} through {} did not succeed:\n  authenticate  {}\n  account       {}\n  \
                 credentials   {}",
                self.trial,
                self.service,
                part(said.authenticate),
                part(said.account),
                part(said.credentials)
            ),
        ))
    }
}

/// Puts everything back after a failure, and says so with it.
fn taken_back(store: &Store, pending: &Pending, failure: Failure) -> Failure {
    match undo(store, pending) {
        Ok(done) if done.left.is_empty() && done.still_ours.is_empty() => {
            let next = failure.next.clone().map(|next| format!(" {next}")).unwrap_or_default();
            failure.then(format!("Everything is as it was.{next}"))
        }
        Ok(PutBack { still_ours, .. }) if !still_ours.is_empty() => {
            let names: Vec<String> = still_ours.iter().map(|path| path.display().to_string()).collect();
            failure.then(format!(
                "Lines with pam_countersign.so are still in {}. Remove them by hand, and run: countersign pam revert",
                names.join(", ")
            ))
        }
        Ok(done) => {
            let names: Vec<String> = done.left.iter().map(|path| path.display().to_string()).collect();
            failure
                .then(format!("Put back, except what somebody else changed meanwhile: {}", names.join(", ")))
        }
        Err(other) => failure.then(format!(
            "Not everything could be put back: {}. Run: countersign pam revert",
            other.message
        )),
    }
}

/// Puts back a change that was not confirmed. While lines of ours are left it is not over.
pub(crate) fn undo(store: &Store, pending: &Pending) -> Result<PutBack, Failure> {
    let is_known = pending.stage != Stage::Changing;
    let done = put_back(store, pending.system, &pending.entries, is_known, |_| false)?;
    if done.still_ours.is_empty() {
        store.end_pending()?;
    }
    Ok(done)
}
