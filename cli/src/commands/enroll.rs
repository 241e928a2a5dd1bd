//! `countersign enroll`: make this host an instance of a server.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use countersign_protocol::certificate;
use countersign_protocol::ids::{CardIdent, Fingerprint};
use countersign_protocol::ipc::{self, EnrollKeyStore, ProblemKind, Reply, Request};
use countersign_protocol::limits;
use countersign_protocol::message::result::ApplicationBundle;
use nix::unistd::Uid;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::agent;
use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::files;
use crate::output::Report;

/// Make this host an instance of a server (as root).
///
/// The server's fingerprint is what `countersign-server init` printed. Take it from there or from a person,
/// never from the bundle: it is what proves the bundle.
#[derive(Debug, Args)]
pub(crate) struct Enroll {
    /// The server's fingerprint.
    #[arg(long, value_name = "FINGERPRINT")]
    server_fingerprint: Fingerprint,

    /// The application bundle: the application's key, the server's certificate and address.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    bundle: PathBuf,

    /// A single-use enrolment token; without one an administrator must approve this host.
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    token: Option<String>,

    /// The same from a file, out of sight of `ps`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    token_file: Option<PathBuf>,

    /// Another address than the bundle's.
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    #[command(flatten)]
    key_store: KeyStore,
}

/// Where this host's key shall live.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct KeyStore {
    /// Keep this host's key on this card. Keys of other owners that are on it are replaced.
    #[arg(long, value_name = "IDENT")]
    card: Option<CardIdent>,

    /// Keep this host's key in a sealed file, for hosts without a card of their own.
    #[arg(long)]
    sealed: bool,
}

impl KeyStore {
    pub(crate) fn wanted(&self) -> EnrollKeyStore {
        self.card.map_or(EnrollKeyStore::Sealed, EnrollKeyStore::Card)
    }
}

/// Largest token file: a token is a line.
const TOKEN_FILE: usize = 4096;

impl Enroll {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let bundle = self.bundle()?;
        as_root("enrols a host")?;
        let request = Request::Enroll(ipc::Enroll {
            bundle,
            server: self.server_fingerprint.clone(),
            url: self.url.clone(),
            token: read_token(self.token.as_ref(), self.token_file.as_deref())?,
            key_store: self.key_store.wanted(),
        });
        match agent::ask(global, &request)?.reply {
            Reply::Enrolled(enrolled) => Report::of(&Shown(enrolled)),
            other => Err(agent::unexpected(&other)),
        }
    }

    /// Reads the bundle, and compares its server with the one that was named. The agent does so again.
    fn bundle(&self) -> Result<ApplicationBundle, Failure> {
        let bundle = read_bundle(&self.bundle)?;
        let path = self.bundle.display();
        let found = certificate::parse(&bundle.server_certificate.0)
            .and_then(|server| certificate::fingerprint(&server))
            .map_err(|error| {
                Failure::file(format!("the server's certificate in {path} cannot be used: {error}"))
            })?;
        if found == self.server_fingerprint {
            return Ok(bundle);
        }
        let message = format!(
            "{path} is for another server.\n  named:     {}\n  in bundle: {}",
            self.server_fingerprint.spaced(),
            found.spaced()
        );
        Err(Failure { kind: Kind::Problem(ProblemKind::Untrusted), ..Failure::usage(message) }
            .then("Compare with what `countersign-server init` printed. If that is what you gave, get the bundle anew."))
    }
}

/// The agent says nothing to others.
pub(crate) fn as_root(what: &str) -> Result<(), Failure> {
    if Uid::effective().is_root() {
        return Ok(());
    }
    let kind = Kind::Problem(ProblemKind::NotPermitted);
    Err(Failure { kind, ..Failure::usage(format!("only root {what}")) }
        .then("Run the same command with sudo."))
}

pub(crate) fn read_bundle(path: &Path) -> Result<ApplicationBundle, Failure> {
    let bytes = files::read(path, "the bundle", limits::FRAME_BODY)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::file(format!("{} is not an application bundle: {error}", path.display()))
            .then("Bundles come from `countersign-server init` or `countersign admin application add`.")
    })
}

/// A token that was given, or the one in a file.
pub(crate) fn read_token(given: Option<&String>, file: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(path) = file else { return Ok(given.cloned()) };
    let bytes = files::read(path, "the token file", TOKEN_FILE)?;
    let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
    match text.split_whitespace().collect::<Vec<_>>().as_slice() {
        [token] => Ok(Some((*token).to_owned())),
        _ => Err(Failure::file(format!("{} does not hold one token and nothing else", path.display())).then(
            "Write the token that `countersign-server init` or `admin token add` printed on one line.",
        )),
    }
}

#[derive(Serialize)]
struct Shown(ipc::Enrolled);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(enrolled) = self;
        writeln!(f, "This host is enrolled and {}.", enrolled.state)?;
        writeln!(f, "  instance    {}", enrolled.instance.spaced())?;
        writeln!(f, "  key words   {}", enrolled.key_words)?;
        writeln!(f, "  key kept in {}", enrolled.key_store)?;
        writeln!(f, "  recorded    entry {} of the ledger", enrolled.ledger_index)?;
        if enrolled.state == "pending" {
            writeln!(
                f,
                "Next: an administrator who has heard these key words from you runs\n  \
                 countersign admin host approve {}",
                enrolled.key_words
            )
        } else {
            writeln!(f, "Next: register a card with\n  countersign register ACCOUNT")
        }
    }
}
