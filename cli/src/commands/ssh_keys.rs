//! `countersign ssh-keys`: what sshd runs as its `AuthorizedKeysCommand`.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::LoginName;
use countersign_protocol::ipc::{self, Reply, Request, SshKeysFound};
use serde::Serialize;

use crate::agent;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

/// Print the SSH keys in the cards that may open a login here, for sshd.
///
/// One line of authorized_keys for each live card of each account that is bound to the login, as the server's signed
/// roster has them now. Nothing for a login that needs no card here. For /etc/ssh/sshd_config:
/// `AuthorizedKeysCommand /usr/bin/countersign ssh-keys %u` and `AuthorizedKeysCommandUser countersign-ssh`.
/// Without a roster in force it prints nothing and fails.
#[derive(Debug, Args)]
pub(crate) struct SshKeys {
    /// The login name that is to be opened (sshd's %u).
    login: LoginName,
}

impl SshKeys {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let request = Request::SshKeys(ipc::SshKeys { login: self.login.clone() });
        match agent::ask(global, &request)?.reply {
            Reply::SshKeys(found) => Report::of(&Shown(found)),
            other => Err(agent::unexpected(&other)),
        }
    }
}

#[derive(Serialize)]
struct Shown(SshKeysFound);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Key and name are of types that hold no space, quote or line break.
        self.0.keys.iter().try_for_each(|found| writeln!(f, "{} {}", found.key, found.account))
    }
}
