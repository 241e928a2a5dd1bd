//! `countersign journal`: what happened on this host, and what became of it.

pub(crate) mod line;
mod story;

use std::fmt;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::ids::{CorrelationId, LoginName};
use countersign_protocol::ipc::{JournalAsk, JournalChecked, JournalEntry, JournalPage, Reply, Request};
use serde::Serialize;

use self::story::Story;
use crate::agent;
use crate::args::Global;
use crate::exit::Exit;
use crate::failure::{Failure, LocalKind};
use crate::output::{Output, Report, Tone};
use crate::since::Since;

/// Entries shown where nothing says which.
const LAST: u32 = 40;

/// What to do about a journal that was changed or is damaged.
pub(crate) const BEGIN_ANEW: &str = "Nobody is let in here without the server until another is begun. When `countersign status` shows all events in the ledger, as root: systemctl stop countersignd; move journal.sqlite, and journal.sqlite-wal and journal.sqlite-shm if they are there, out of /var/lib/countersign and keep them for whoever looks into this; systemctl start countersignd";

/// Between two looks of `--follow`.
const PAUSE: Duration = Duration::from_secs(1);

/// Show what happened on this host: decisions, failures, and what became of requests.
///
/// Root sees everything, everybody else what is about their own login name. The newest comes last. An id that a
/// failed login showed tells its whole story: countersign journal --correlation 7K3M-Q2ZD
#[derive(Debug, Args)]
pub(crate) struct Journal {
    /// What is known under the id that a failed login showed, such as 7K3M-Q2ZD.
    #[arg(long, value_name = "ID", conflicts_with_all = ["last", "follow", "verify"])]
    correlation: Option<CorrelationId>,

    /// From then on: 30m, 2h, 3d, a day such as 2026-11-22, or a time such as 2026-11-22T17:30:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,

    /// Only what is about this login name.
    #[arg(long, value_name = "NAME")]
    login: Option<LoginName>,

    /// The last entries, this many. Without it and without --since: 40.
    #[arg(long, value_name = "NUMBER")]
    last: Option<u32>,

    /// Go on with what happens from now on, until interrupted.
    #[arg(long, conflicts_with = "verify")]
    follow: bool,

    /// Check that no entry was changed or removed; for root.
    #[arg(long, conflicts_with_all = ["since", "login", "last"])]
    verify: bool,
}

impl Journal {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        if self.verify {
            return verify(global);
        }
        if let Some(correlation) = &self.correlation {
            return self.story(global, correlation);
        }
        let last = self.last.or_else(|| self.since.is_none().then_some(LAST));
        let (entries, upto) = self.all(global, last, None)?;
        if !self.follow {
            return Report::of(&Listing { entries });
        }
        self.follow(global, entries, upto)
    }

    fn ask(&self, last: Option<u32>, after: Option<u64>) -> JournalAsk {
        JournalAsk {
            after,
            last,
            since: self.since.as_ref().map(|since| since.before(SystemClock.now())),
            login: self.login.clone(),
            correlation: self.correlation.clone(),
        }
    }

    /// Every page, and up to where the journal was looked through.
    fn all(
        &self,
        global: &Global,
        last: Option<u32>,
        after: Option<u64>,
    ) -> Result<(Vec<JournalEntry>, u64), Failure> {
        let mut ask = self.ask(last, after);
        let mut entries = Vec::new();
        loop {
            let (page, more) = fetch(global, &ask)?;
            entries.extend(more);
            ask.after = Some(page.upto);
            if !page.more {
                return Ok((entries, page.upto));
            }
        }
    }

    fn story(&self, global: &Global, correlation: &CorrelationId) -> Result<Report, Failure> {
        let (entries, _) = self.all(global, None, None)?;
        if entries.is_empty() {
            let message = format!("this host's journal has nothing under {correlation} that you may see");
            return Err(Failure::local(LocalKind::NotFound, message).then(format!(
                "Is it from this host? Of many failures alike within a minute only the first is kept here; the others are in the system's log: journalctl -t countersignd --grep {correlation}"
            )));
        }
        Report::of(&Story { correlation: correlation.clone(), entries })
    }

    fn follow(&self, global: &Global, shown: Vec<JournalEntry>, upto: u64) -> Result<Report, Failure> {
        let output = Output::new(global.json);
        let (mut entries, mut upto) = (shown, upto);
        loop {
            for entry in entries {
                output.report(&Report::of(&Followed { entry })?)?;
            }
            sleep(PAUSE);
            (entries, upto) = self.all(global, None, Some(upto))?;
        }
    }
}

fn fetch(global: &Global, ask: &JournalAsk) -> Result<(JournalPage, Vec<JournalEntry>), Failure> {
    let answered = agent::ask(global, &Request::Journal(ask.clone()))?;
    match (answered.reply, answered.body) {
        (Reply::Journal(page), Some(body)) => {
            let entries = serde_json::from_slice(&body).map_err(|error| {
                Failure::local(LocalKind::AgentProtocol, format!("the entries cannot be read: {error}"))
            })?;
            Ok((page, entries))
        }
        (other, _) => Err(agent::unexpected(&other)),
    }
}

fn verify(global: &Global) -> Result<Report, Failure> {
    match agent::ask(global, &Request::CheckJournal)?.reply {
        Reply::JournalChecked(JournalChecked { problem: Some(problem), .. }) => {
            Err(Failure::local(LocalKind::JournalUntrusted, problem).then(format!(
                "Somebody with root's rights changed it, or the disk is failing. The server's ledger has every decision. {BEGIN_ANEW}"
            )))
        }
        Reply::JournalChecked(checked) => {
            Ok(Report::of(&Checked { entries: checked.entries })?.ending(Exit::Done, Tone::Good))
        }
        other => Err(agent::unexpected(&other)),
    }
}

#[derive(Serialize)]
struct Listing {
    entries: Vec<JournalEntry>,
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entries.is_empty() {
            return writeln!(f, "Nothing.");
        }
        self.entries.iter().try_for_each(|entry| line::write(f, entry))
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Followed {
    entry: JournalEntry,
}

impl fmt::Display for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line::write(f, &self.entry)
    }
}

#[derive(Serialize)]
struct Checked {
    entries: u64,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entries {
            1 => writeln!(f, "The journal is whole: its 1 entry was not changed."),
            many => writeln!(f, "The journal is whole: each of its {many} entries continues the one before."),
        }
    }
}
