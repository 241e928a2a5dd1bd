//! `countersign key revoke-certificate`: end a key by its own word.

use std::fmt;

use clap::{Args, ValueHint};
use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::read_revocations;
use countersign_protocol::ipc::{self, DenyReason, Reply, Request};
use countersign_protocol::limits;
use serde::Serialize;

use crate::agent;
use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::given::Given;
use crate::output::Report;

/// End a key for good with its revocation certificate, the one made beside it (`gpg --gen-revoke`). No card is needed.
#[derive(Debug, Args)]
pub(crate) struct RevokeCertificate {
    /// The revocation certificate, by itself or in a certificate; - is standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Given,
}

impl RevokeCertificate {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let bytes = self.file.read(global, "the revocation certificate", limits::FRAME_BODY / 2)?;
        // A wrong file is found before anybody is asked.
        read_revocations(&bytes).map_err(|error| Failure::usage(error.to_string()))?;
        let request = Request::RevokeKey(ipc::RevokeKey { certificate: Binary(bytes.to_vec()) });
        let revoked = match agent::ask(global, &request)?.reply {
            Reply::KeyRevoked(revoked) => revoked,
            other => return Err(agent::unexpected(&other)),
        };
        if revoked.account.is_none() {
            return Err(Failure {
                kind: Kind::Denied(DenyReason::Policy),
                message: format!("no key was ended: {}", revoked.reason),
                next: Some(format!("The decision is entry {} of the ledger.", revoked.ledger_index)),
                correlation: None,
            });
        }
        Report::of(&Shown(revoked))
    }
}

#[derive(Serialize)]
struct Shown(ipc::KeyRevoked);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(revoked) = self;
        if let (Some(account), Some(key)) = (&revoked.account, &revoked.key) {
            writeln!(f, "The key of account {account} is over, for good and on all hosts.")?;
            writeln!(f, "  key         {}", key.spaced())?;
        }
        writeln!(f, "  recorded    entry {} of the ledger", revoked.ledger_index)?;
        writeln!(
            f,
            "Next: a code for another card, from an administrator: countersign admin user add ACCOUNT …"
        )
    }
}
