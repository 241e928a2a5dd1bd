//! `countersign app create` and `countersign admin application add`: software under whose key hosts enrol.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use countersign_protocol::ids::ApplicationName;
use countersign_protocol::message::result::ApplicationBundle;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::files::Reserved;
use crate::job::{Job, Recorded};
use crate::output::Report;

/// Register an application, and write the bundle with which its hosts enrol.
///
/// A developer's waits until an administrator approves it; an administrator's is in use at once.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The application's name.
    name: ApplicationName,

    /// Where to write the bundle: a new file, readable by you alone. The server hands it out this once.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    out: PathBuf,

    #[command(flatten)]
    card: CardChoice,
}

impl Create {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let job = Job::new("create", "application", self.name.as_str(), &self.card)?;
        let file = Reserved::private(&self.out, "the bundle")?;
        let done = job.run::<ApplicationBundle>(global)?;
        file.fill(&text_of(&done.result)?).map_err(|failure| {
            let lost = format!("{}, so the bundle of {} is lost", failure.message, self.name);
            Failure { message: lost, ..failure }
                .then("Mend that, then add another application under a new name.")
        })?;
        Report::of(&Shown {
            application: done.result.application,
            bundle: &self.out,
            server_url: done.result.server_url,
            recorded: done.recorded,
        })
    }
}

fn text_of(bundle: &ApplicationBundle) -> Result<Zeroizing<Vec<u8>>, Failure> {
    serde_json::to_vec_pretty(bundle)
        .map(Zeroizing::new)
        .map_err(|error| Failure::file(format!("the bundle cannot be written as JSON: {error}")))
}

#[derive(Serialize)]
struct Shown<'a> {
    application: ApplicationName,
    bundle: &'a Path,
    server_url: String,
    #[serde(flatten)]
    recorded: Recorded,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Application {} is registered.", self.application)?;
        writeln!(f, "  bundle      {}", self.bundle.display())?;
        writeln!(f, "  server      {}", self.server_url)?;
        writeln!(f, "  recorded    entry {} of the ledger", self.recorded.ledger_index)?;
        writeln!(
            f,
            "Next: unless you are an administrator, one approves it,\n  countersign admin application approve {}\n\
             then on each host, with the server's fingerprint taken from `countersign-server init`,\n  \
             countersign enroll --server-fingerprint … --bundle {}",
            self.application,
            self.bundle.display()
        )
    }
}
