//! New keys: their certificate, saved or shown.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use countersign_protocol::certificate;
use countersign_protocol::ipc::{CardMade, Reply, Request};
use sequoia_openpgp::serialize::SerializeInto as _;
use serde::Serialize;

use crate::agent;
use crate::args::Global;
use crate::failure::{Failure, LocalKind};
use crate::files::Reserved;
use crate::output::Report;

/// Where the certificate goes.
#[derive(Debug, Args)]
pub(super) struct CertificateOut {
    /// Save the certificate here; it is shown otherwise.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    certificate_out: Option<PathBuf>,
}

/// Has keys made.
pub(super) fn make(global: &Global, request: &Request, out: &CertificateOut) -> Result<Report, Failure> {
    let path = out.certificate_out.as_deref();
    // Before anybody types a PIN.
    let file = path.map(|path| Reserved::public(path, "the certificate")).transpose()?;
    let made = match agent::ask(global, request)?.reply {
        Reply::CardMade(made) => made,
        other => return Err(agent::unexpected(&other)),
    };
    let armoured = armoured(&made)?;
    if let Some(file) = file {
        file.fill(armoured.as_bytes())?;
    }
    Report::of(&Shown { made, saved: path.map(Path::to_owned), armoured })
}

fn armoured(made: &CardMade) -> Result<String, Failure> {
    let unreadable = |error: String| {
        Failure::local(LocalKind::AgentProtocol, format!("the keys are made, but their certificate cannot be read: {error}"))
            .then("Install agent and command line of one release; the agent keeps the certificate for countersign register.")
    };
    let cert = certificate::parse(&made.certificate.0).map_err(|error| unreadable(error.to_string()))?;
    let bytes = cert.armored().to_vec().map_err(|error| unreadable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| unreadable(error.to_string()))
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    made: CardMade,
    #[serde(skip_serializing_if = "Option::is_none")]
    saved: Option<PathBuf>,
    #[serde(skip)]
    armoured: String,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { made, saved, armoured } = self;
        writeln!(f, "Card {} has new keys.", made.card)?;
        writeln!(f, "  certificate {}", made.fingerprint.spaced())?;
        writeln!(f, "  key words   {}", made.key_words)?;
        if let Some(path) = saved {
            writeln!(f, "  saved in    {}", path.display())?;
        }
        writeln!(f, "Next: make them the key of an account\n  countersign register ACCOUNT")?;
        match saved {
            Some(path) => {
                writeln!(f, "On another host: countersign register ACCOUNT --adopt {}", path.display())
            }
            None => {
                writeln!(f, "Keep the certificate: on another host, and for gpg, it is needed.\n{armoured}")
            }
        }
    }
}
