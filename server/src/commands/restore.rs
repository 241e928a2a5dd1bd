//! `countersign-server restore`.

use std::path::PathBuf;

use clap::Args;
use countersign_protocol::clock::{Clock as _, SystemClock};

use super::{CommandError, own_files, print};
use crate::backup::{Restored, Wishes, proven, restore};
use crate::config::Config;
use crate::data::DataFolder;
use crate::proof::{Proof, told};

#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// The configuration file: its data folder must have no database.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The backup. None where the database is on PostgreSQL, after pg_restore put it there.
    #[arg(value_name = "DIR")]
    from: Option<PathBuf>,
    /// Also a backup with rows that are not what the ledger says. What they let anybody do is denied until you look into them.
    #[arg(long)]
    with_findings: bool,
}

pub(super) fn run(arguments: &RestoreArguments) -> Result<(), CommandError> {
    let wrong = |error: &dyn std::fmt::Display| CommandError::Data(error.to_string());
    let config =
        Config::read(&arguments.config).map_err(|error| CommandError::Configuration(error.to_string()))?;
    let wishes = Wishes { with_findings: arguments.with_findings, rotate_days: config.keys.rotate_days };
    let (Proof { report, findings }, renewed, made) = match (&arguments.from, config.store.postgres.is_some())
    {
        (Some(from), false) => {
            let folder = DataFolder::at(config.data);
            let done = restore(from, &folder, wishes, SystemClock.now());
            let Restored { label, proof, renewed } = done.map_err(|error| wrong(&error))?;
            (proof, renewed, label.made.to_string())
        }
        (None, true) => {
            let (store, keys) = own_files::store_and_keys(&arguments.config)?;
            let done = proven(&*store, &keys, wishes, SystemClock.now());
            let (proof, renewed) = done.map_err(|error| wrong(&error))?;
            let span = proof.report.span;
            (proof, renewed, span.map_or_else(|| "its making".to_owned(), |(_, last)| last.to_string()))
        }
        (Some(_), true) => {
            return Err(CommandError::Configuration(
                "The database is on PostgreSQL: put it there with pg_restore, then run this without a folder.".into(),
            ));
        }
        (None, false) => {
            return Err(CommandError::Configuration("Name the folder of the backup.".into()));
        }
    };
    let subkeys = if renewed {
        "The server has new subkeys: hosts ask for them by themselves, whichever they heard of last."
    } else {
        "The primary key is not here. If subkeys were exchanged after the backup, hosts have heard of some that the server lost,
and are locked out until you bring newer ones. Where the primary key lies: countersign-server key new-subkeys; then here:
countersign-server key import-subkeys."
    };
    print(&format!(
        "\
The backup of {made} is restored, and holds: {entries} entries, {statements} statements, root {root}.
For nine minutes the server will answer nobody: what it answered after the backup was made could come again until then.
{subkeys}

Whatever was decided after {made} is lost, and its receipts are worth nothing. Every host that saw a longer ledger raises an
alarm at each check-in, and in a day lets nobody in any more, until root there says that it is so:
  sudo countersign host accept-ledger
What ended after {made} is good again. First of all:
  a key, host, account or role that was revoked or taken away since: do it again;
  enrolment tokens and registration codes live for a day: those that were used since can be used once more until then, by
  whoever finds one. Look at every host and key that comes (countersign admin host list, countersign ledger show);
  a recovery code that was used since: let its person make another (countersign recover new-code).
",
        entries = report.size,
        statements = report.statements,
        root = report.root,
    ));
    if findings.is_empty() {
        return Ok(());
    }
    Err(CommandError::Edited(format!(
        "It is restored as it was, and {}\nWhat these rows let anybody do is denied until you restore them, or accept them: \
         countersign-server check",
        told(&findings)
    )))
}
