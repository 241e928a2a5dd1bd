//! `countersign login try`: the whole path of a login, without a session at its end.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::{LoginName, Nonce, ServiceName};
use countersign_protocol::ipc::{self, Grant, Reply, Request};
use countersign_protocol::random::SystemRandom;
use nix::unistd::{Uid, User};
use serde::Serialize;

use crate::agent;
use crate::args::Global;
use crate::failure::{Failure, LocalKind};
use crate::output::Report;

/// Go the whole path of a login, without opening a session.
///
/// Card, PIN, server, policy and ledger are the real ones: what this says is what a login would say.
#[derive(Debug, Args)]
pub(crate) struct Try {
    /// The login name; yours if not given. Root may try others.
    login: Option<LoginName>,

    /// The PAM service to ask as: a file in /etc/pam.d, such as `sudo`.
    #[arg(long, value_name = "NAME", default_value = "countersign-try")]
    service: ServiceName,
}

impl Try {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let (login, socket) = match &self.login {
            None => (own_login()?, global.user_socket()),
            Some(login) if own_login().is_ok_and(|own| own == *login) => {
                (login.clone(), global.user_socket())
            }
            // At the socket for everybody one speaks for oneself.
            Some(login) => (login.clone(), global.pam_socket()),
        };
        let nonce = Nonce::new(&SystemRandom)
            .map_err(|error| Failure::local(LocalKind::AgentProtocol, error.to_string()))?;
        let request = Request::Authenticate(ipc::Authenticate {
            login: login.clone(),
            service: self.service.clone(),
            tty: None,
            remote_host: None,
            remote_user: None,
            nonce,
        });
        match agent::ask_at(socket, global, &request)?.reply {
            Reply::Granted(grant) if grant.nonce == nonce => {
                Report::of(&Shown { login, service: self.service.clone(), grant })
            }
            Reply::Granted(_) => Err(Failure::local(
                LocalKind::GrantUntrusted,
                "the agent granted another request than this one",
            )
            .then("Restart the agent, and tell an administrator if it happens again.")),
            other => Err(agent::unexpected(&other)),
        }
    }
}

/// The login name of whoever runs this.
pub(crate) fn own_login() -> Result<LoginName, Failure> {
    let uid = Uid::current();
    let user = User::from_uid(uid).ok().flatten().and_then(|user| user.name.parse().ok());
    user.ok_or_else(|| {
        Failure::usage(format!("user number {uid} has no usable login name here"))
            .then("Name one: countersign login try LOGIN")
    })
}

#[derive(Serialize)]
struct Shown {
    login: LoginName,
    service: ServiceName,
    #[serde(flatten)]
    grant: Grant,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Granted: {} may log in through {}", self.login, self.service)?;
        match &self.grant.account {
            Some(account) => writeln!(f, ", as {account}.")?,
            None => writeln!(f, ".")?,
        }
        if let Some(index) = self.grant.ledger_index {
            writeln!(f, "  recorded    entry {index} of the ledger")?;
        }
        if let Some(index) = self.grant.journal_index {
            writeln!(
                f,
                "  recorded    entry {index} of this host's journal; the server could not be reached"
            )?;
        }
        writeln!(f, "  correlation {}", self.grant.correlation)
    }
}
