//! `countersign host replace`: a new key for a host that lost its own.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use countersign_protocol::ipc::{self, Enrolled, Reply, Request};
use serde::Serialize;

use crate::agent;
use crate::args::Global;
use crate::commands::enroll::{KeyStore, as_root, read_bundle, read_token};
use crate::failure::Failure;
use crate::output::Report;

/// Give this host a new key when its own, or the card that holds it, is lost or broken (as root).
///
/// The host enrols once more at the server it knows, with a token or an administrator's approval. Its settings, its
/// journal and what waits in it stay. The old key is revoked by an administrator, from another host.
#[derive(Debug, Args)]
pub(crate) struct Replace {
    /// A single-use enrolment token; without one an administrator must approve, and nobody logs in here before that.
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    token: Option<String>,

    /// The same from a file, out of sight of `ps`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    token_file: Option<PathBuf>,

    /// The application bundle, where it is another than the one this host was enrolled with.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    bundle: Option<PathBuf>,

    #[command(flatten)]
    key_store: KeyStore,
}

impl Replace {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        as_root("replaces a host's key")?;
        let request = Request::ReplaceHost(ipc::ReplaceHost {
            bundle: self.bundle.as_deref().map(read_bundle).transpose()?,
            token: read_token(self.token.as_ref(), self.token_file.as_deref())?,
            key_store: self.key_store.wanted(),
        });
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
        let Self(replaced) = self;
        writeln!(f, "This host has a new key and is {}.", replaced.state)?;
        writeln!(f, "  instance    {}", replaced.instance.spaced())?;
        writeln!(f, "  key words   {}", replaced.key_words)?;
        writeln!(f, "  key kept in {}", replaced.key_store)?;
        writeln!(f, "  recorded    entry {} of the ledger", replaced.ledger_index)?;
        if replaced.state == "pending" {
            writeln!(
                f,
                "Next: an administrator who has heard these key words from you runs\n  \
                 countersign admin host approve {}",
                replaced.key_words
            )?;
        }
        match &replaced.replaces {
            Some(old) => writeln!(
                f,
                "The old key is good until an administrator ends it, from this host or another:\n  \
                 countersign admin host revoke {old}"
            ),
            None => Ok(()),
        }
    }
}
