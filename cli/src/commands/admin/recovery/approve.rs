//! `countersign admin recovery approve`: sign for somebody's new card.

use clap::Args;
use countersign_protocol::ids::{AccountName, CorrelationId, Fingerprint};
use countersign_protocol::message::result::{RecoveryApproval, RecoveryList};

use super::list::Shown;
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Sign for a recovery: exactly this one, of this account, with this new key.
///
/// Have its person read all three to you, by a voice or a face that you know. It takes two administrators with a card each,
/// and a day.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// The recovery, as its person reads it to you.
    id: CorrelationId,

    /// The account.
    account: AccountName,

    /// The new key's fingerprint.
    key: Fingerprint,

    #[command(flatten)]
    card: CardChoice,
}

impl Approve {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let body = RecoveryApproval { account: self.account.clone(), key: self.key.clone() };
        let job = Job::new("approve", "recovery", self.id.as_str(), &self.card)?.with(&body)?;
        Report::of(&Shown { list: job.run::<RecoveryList>(global)?.result })
    }
}
