//! `countersign policy explain`: why, and what would have allowed it.

mod shown;

use clap::Args;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{
    AccountName, CorrelationId, Fingerprint, LoginName, Operation, ResourceName, SeatName, ServiceName,
    TerminalName,
};
use countersign_protocol::ipc::{Reply, Request};
use countersign_protocol::message::result::{ExplainAsked, PolicyQuestion};
use countersign_protocol::statement::{Place, Whence};

use crate::agent;
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Explain a decision: which policies made it, and what would have to be otherwise.
///
/// Of a request that was decided, by its correlation id or its place in the ledger; or of one that nobody made, described
/// by --account, --operation and --resource. For administrators and auditors; with --mine everybody is told again what
/// they were told of a request of their own.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The correlation id of a request.
    #[arg(value_name = "CORRELATION", required_unless_present_any = ["entry", "account"], conflicts_with_all = ["entry", "account"])]
    correlation: Option<CorrelationId>,

    /// The request is one of your own: you need no permission for it.
    #[arg(long, requires = "correlation")]
    mine: bool,

    /// The place of a request in the ledger.
    #[arg(long, value_name = "INDEX", conflicts_with = "account")]
    entry: Option<u64>,

    /// Who would ask.
    #[arg(long, value_name = "NAME", requires = "operation", help_heading = "A request that nobody made")]
    account: Option<AccountName>,

    /// What they would ask: open-session, create, read …
    #[arg(long, value_name = "WORD", requires = "account", help_heading = "A request that nobody made")]
    operation: Option<Operation>,

    /// On what: account/ana, ledger/entries … For open-session the session on the host.
    #[arg(
        long,
        value_name = "COLLECTION/NAME",
        requires = "account",
        help_heading = "A request that nobody made"
    )]
    resource: Option<ResourceName>,

    /// Through which host; this one if none is named.
    #[arg(
        long,
        value_name = "FINGERPRINT",
        requires = "account",
        help_heading = "A request that nobody made"
    )]
    host: Option<Fingerprint>,

    /// The login name.
    #[arg(long, value_name = "LOGIN", requires = "account", help_heading = "A request that nobody made")]
    login: Option<LoginName>,

    /// The PAM service.
    #[arg(long, value_name = "SERVICE", requires = "account", help_heading = "A request that nobody made")]
    service: Option<ServiceName>,

    /// From where: local or remote.
    #[arg(long, value_name = "PLACE", value_parser = whence, requires = "account", help_heading = "A request that nobody made")]
    place: Option<Whence>,

    /// The seat.
    #[arg(long, value_name = "SEAT", requires = "place", help_heading = "A request that nobody made")]
    seat: Option<SeatName>,

    /// The terminal.
    #[arg(long, value_name = "TERMINAL", requires = "place", help_heading = "A request that nobody made")]
    terminal: Option<TerminalName>,

    /// What sudo's command line would say.
    #[arg(long, value_name = "TEXT", requires = "account", help_heading = "A request that nobody made")]
    claimed: Option<String>,

    /// When, such as 2026-11-23T07:30:00Z; now if not named.
    #[arg(long, value_name = "TIME", value_parser = time, requires = "account", help_heading = "A request that nobody made")]
    time: Option<Timestamp>,

    /// As if the server could not be asked.
    #[arg(long, requires = "account", help_heading = "A request that nobody made")]
    offline: bool,

    #[command(flatten)]
    card: CardChoice,
}

impl Explain {
    pub(super) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let job = |name: &str| Job::new("explain", "policy", name, &self.card);
        let asked = match (&self.correlation, self.entry) {
            (Some(id), _) if self.mine => {
                let body = ExplainAsked::Correlation(id.clone());
                return shown::own(job("mine")?.with(&body)?.run(global)?.result);
            }
            (Some(id), _) => ExplainAsked::Correlation(id.clone()),
            (None, Some(index)) => ExplainAsked::Entry(index),
            (None, None) => ExplainAsked::Question(Box::new(self.question(global)?)),
        };
        shown::explained(job("all")?.with(&asked)?.run(global)?.result)
    }

    fn question(&self, global: &Global) -> Result<PolicyQuestion, Failure> {
        let (Some(account), Some(operation)) = (&self.account, &self.operation) else {
            return Err(Failure::usage("name --account and --operation, or a correlation id"));
        };
        let resource = match (&self.resource, operation.as_str()) {
            (Some(resource), _) => resource.clone(),
            (None, "open-session") => {
                let host = match &self.host {
                    Some(host) => host.clone(),
                    None => this_host(global)?,
                };
                format!("session/{host}")
                    .parse()
                    .map_err(|error| Failure::usage(format!("{host} is {error}")))?
            }
            (None, _) => return Err(Failure::usage("name --resource COLLECTION/NAME")),
        };
        let place =
            self.place.map(|from| Place { from, seat: self.seat.clone(), terminal: self.terminal.clone() });
        Ok(PolicyQuestion {
            account: account.clone(),
            operation: operation.clone(),
            resource,
            host: self.host.clone(),
            login: self.login.clone(),
            service: self.service.clone(),
            place,
            claimed: self.claimed.clone(),
            time: self.time,
            offline: self.offline,
        })
    }
}

fn whence(text: &str) -> Result<Whence, String> {
    match text {
        "local" => Ok(Whence::Local),
        "remote" => Ok(Whence::Remote),
        _ => Err("it is local or remote".to_owned()),
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::try_from(text.to_owned()).map_err(|error| error.to_string())
}

fn this_host(global: &Global) -> Result<Fingerprint, Failure> {
    match agent::ask(global, &Request::Status)?.reply {
        Reply::Status(report) => report.instance.clone().ok_or_else(|| {
            Failure::usage("this host is not enrolled: name another one by --host, as `countersign admin host list` shows it")
        }),
        other => Err(agent::unexpected(&other)),
    }
}
