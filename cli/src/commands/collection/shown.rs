//! Asking about one collection, and showing what it is then.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::CollectionName;
use countersign_protocol::message::result::{CollectionList, CollectionShown, Grant};
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::{Failure, LocalKind};
use crate::job::{Job, Recorded};
use crate::output::Report;

/// Which collection, and with which card it is asked for.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// The collection.
    pub(super) name: CollectionName,

    #[command(flatten)]
    card: CardChoice,
}

impl Named {
    /// `operation` on it, without a body.
    pub(super) fn ask(&self, global: &Global, operation: &str) -> Result<Report, Failure> {
        self.report(global, self.job(operation)?)
    }

    /// The same with a body.
    pub(super) fn ask_with(
        &self,
        global: &Global,
        operation: &str,
        body: &impl Serialize,
    ) -> Result<Report, Failure> {
        self.report(global, self.job(operation)?.with(body)?)
    }

    fn job(&self, operation: &str) -> Result<Job, Failure> {
        Job::new(operation, "collection", self.name.as_str(), &self.card)
    }

    fn report(&self, global: &Global, job: Job) -> Result<Report, Failure> {
        let done = job.run::<CollectionList>(global)?;
        let unchanged = done.result.unchanged;
        let found = done.result.collections.into_iter().find(|one| one.collection == self.name);
        let collection = found.ok_or_else(|| {
            Failure::local(LocalKind::AgentProtocol, "the server answered about another collection")
        })?;
        Report::of(&Shown { collection, unchanged, recorded: done.recorded })
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    collection: CollectionShown,
    unchanged: bool,
    #[serde(flatten)]
    recorded: Recorded,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { collection, unchanged, recorded } = self;
        if *unchanged {
            writeln!(f, "It was like this before.")?;
        }
        writeln!(f, "Collection {}", collection.collection)?;
        writeln!(f, "  state       {}", collection.state)?;
        writeln!(f, "  owner       {}", collection.owner)?;
        writeln!(f, "  made        {}", collection.created)?;
        match &collection.schema {
            Some(schema) => writeln!(f, "  schema      {} bytes", schema.len())?,
            None => writeln!(f, "  schema      none")?,
        }
        for account in &collection.administrators {
            writeln!(f, "  grants on it {account}")?;
        }
        for Grant { account, access } in &collection.grants {
            let words: Vec<&str> = access.iter().map(|access| access.as_str()).collect();
            writeln!(f, "  {account} may {}", words.join(", "))?;
        }
        writeln!(f, "  recorded    entry {} of the ledger", recorded.ledger_index)
    }
}
