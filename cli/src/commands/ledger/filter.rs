//! Which entries are wanted.

use clap::Args;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::ids::{AccountName, ApplicationName, CorrelationId, Operation};
use countersign_protocol::ledger::{EntryFilter, EntryKind, HostDigits, Outcome, ResourcePart};

use crate::since::Since;

/// An entry must be all that is said.
#[derive(Debug, Args)]
#[command(next_help_heading = "Only entries that are")]
pub(super) struct Filter {
    /// Asked by this account, or about it.
    #[arg(long, value_name = "NAME")]
    account: Option<AccountName>,

    /// From this host, or about it: its fingerprint, or at least the last 8 digits.
    #[arg(long, value_name = "FINGERPRINT")]
    host: Option<HostDigits>,

    /// From a copy of this application, or about it.
    #[arg(long, value_name = "NAME")]
    application: Option<ApplicationName>,

    /// About this operation: open-session, create, revoke …
    #[arg(long, value_name = "WORD")]
    operation: Option<Operation>,

    /// On this resource, such as account/ana, or on any of a collection, such as account.
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<ResourcePart>,

    /// Decided like this: allowed, denied or noted.
    #[arg(long, value_name = "WORD")]
    decision: Option<Outcome>,

    /// Of this kind: job, registration, alarm, refusal, host-event, offline-use …
    #[arg(long, value_name = "KIND")]
    kind: Option<EntryKind>,

    /// Not older: 30m, 2h, 3d, a day such as 2026-11-22, or a time such as 2026-11-22T17:30:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,

    /// Older than that.
    #[arg(long, value_name = "TIME")]
    until: Option<Since>,

    /// Under the id that a failed request showed, such as 7K3M-Q2ZD.
    #[arg(long, value_name = "ID")]
    correlation: Option<CorrelationId>,
}

impl Filter {
    /// With times as they are now.
    pub(super) fn entries(&self) -> EntryFilter {
        let now = SystemClock.now();
        let Self {
            account,
            host,
            application,
            operation,
            resource,
            decision,
            kind,
            since,
            until,
            correlation,
        } = self;
        EntryFilter {
            account: account.clone(),
            host: host.clone(),
            application: application.clone(),
            operation: operation.clone(),
            resource: resource.clone(),
            decision: *decision,
            kind: *kind,
            since: since.map(|since| since.before(now)),
            until: until.map(|until| until.before(now)),
            correlation: correlation.clone(),
        }
    }
}
