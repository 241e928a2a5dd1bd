//! `countersign host rotate-key`: a new key, announced by the old one.

use std::fmt;

use clap::Args;
use countersign_protocol::ipc::{self, Enrolled, Reply, Request};
use serde::Serialize;

use crate::agent;
use crate::args::Global;
use crate::commands::enroll::{KeyStore, as_root};
use crate::failure::Failure;
use crate::output::Report;

/// Give this host a new key (as root).
///
/// The old key announces the new one, and is worth nothing from then on. The host stays what it is to the server;
/// only its name, the fingerprint, changes. A change that is interrupted is finished by the agent itself.
#[derive(Debug, Args)]
pub(crate) struct RotateKey {
    #[command(flatten)]
    key_store: KeyStore,
}

impl RotateKey {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        as_root("gives a host a new key")?;
        let request = Request::RotateKey(ipc::RotateKey { key_store: self.key_store.wanted() });
        match agent::ask(global, &request)?.reply {
            Reply::Enrolled(enrolled) => Report::of(&Shown(enrolled)),
            other => Err(agent::unexpected(&other)),
        }
    }
}

#[derive(Serialize)]
struct Shown(Enrolled);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(rotated) = self;
        writeln!(f, "This host has a new key.")?;
        writeln!(f, "  instance    {}", rotated.instance.spaced())?;
        writeln!(f, "  key words   {}", rotated.key_words)?;
        writeln!(f, "  key kept in {}", rotated.key_store)?;
        if let Some(old) = &rotated.replaces {
            writeln!(f, "  retired     {}", old.spaced())?;
        }
        writeln!(f, "  recorded    entry {} of the ledger", rotated.ledger_index)
    }
}
