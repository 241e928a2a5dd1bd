//! The command line as types. Each subcommand's own arguments live in its file.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use countersign_protocol::ids::{CardIdent, Role};
use countersign_protocol::ipc;
use countersign_protocol::message::result::Access;

use crate::commands::{
    admin, app, card, collection, contact, document, emergency_code, enroll, host, job, journal, key, ledger,
    login_try, pam, policy, recover, register, ssh_keys,
};
use crate::failure::Failure;

/// Log in, sign requests and administer with an OpenPGP card.
///
/// Everything goes through the agent (countersignd) on this machine. It asks for PINs where one is needed;
/// questions and notes go to the terminal, results to standard output.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, after_long_help = crate::exit::help(), after_help = SHORT_HELP,
          propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const SHORT_HELP: &str = "Exit codes: see --help.";

/// Understood by every subcommand.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Where the agent listens, if not at the usual place.
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,

    /// Print one JSON value instead of text; errors too, on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Only try what your card signs: the server says what would come of it, records that, and changes nothing.
    ///
    /// For every command that asks the server to do something; ends with 3 if it would be denied.
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,

    /// Answer each question with the next line of standard input, for scripts and tests.
    #[arg(long, global = true)]
    pub(crate) answers_from_stdin: bool,
}

impl Global {
    /// Where everybody reaches the agent for themselves.
    pub(crate) fn user_socket(&self) -> &Path {
        self.socket.as_deref().unwrap_or(Path::new(ipc::USER_SOCKET))
    }

    /// Where root reaches the agent for others.
    pub(crate) fn pam_socket(&self) -> &Path {
        self.socket.as_deref().unwrap_or(Path::new(ipc::PAM_SOCKET))
    }
}

/// For commands that sign with a person's card.
#[derive(Debug, Args)]
pub(crate) struct CardChoice {
    /// Which card, where more than one is in, as `countersign card list` shows it.
    #[arg(long, value_name = "IDENT")]
    pub(crate) card: Option<CardIdent>,
}

/// One of the roles there are.
pub(crate) fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str)).try_map(|word| word.parse::<Role>())
}

/// What may be done with documents.
pub(crate) fn access() -> impl TypedValueParser<Value = Access> {
    PossibleValuesParser::new(Access::ALL.map(Access::as_str)).try_map(|word| word.parse::<Access>())
}

/// For commands that make a certificate.
#[derive(Debug, Args)]
pub(crate) struct UserId {
    /// Whose name the certificate bears; your login name, or the name on the card, if not given.
    #[arg(long, value_name = "TEXT")]
    user_id: Option<String>,
}

impl UserId {
    /// What was given, or `name`, or the login name of whoever runs this.
    pub(crate) fn or(&self, name: Option<&str>) -> Result<String, Failure> {
        match self.user_id.as_deref().or(name) {
            Some(text) => Ok(text.to_owned()),
            None => login_try::own_login().map(|login| login.as_str().to_owned()),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Enroll(enroll::Enroll),
    /// The key that names this host.
    #[command(subcommand)]
    Host(host::Host),
    Register(register::Register),
    EmergencyCode(emergency_code::New),
    /// Logins on this host.
    #[command(subcommand)]
    Login(Login),
    /// Cards for the programs of this host: login, sudo, sshd.
    #[command(subcommand)]
    Pam(pam::Pam),
    /// Show whether all is well, and how this host, its server and its cards stand.
    ///
    /// Ends with 0 if all is well, and with 10 if something needs attention.
    Status,
    Journal(journal::Journal),
    SshKeys(ssh_keys::SshKeys),
    Contact(contact::Contact),
    /// Cards in this host's readers: look at them and look after them.
    #[command(subcommand)]
    Card(card::Card),
    /// The server's record of everything that was decided.
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    /// The keys on your own card.
    #[command(subcommand)]
    Key(key::Key),
    /// Another card for an account whose cards are all lost.
    #[command(subcommand)]
    Recover(recover::Recover),
    /// Your applications, for developers.
    #[command(subcommand)]
    App(app::App),
    /// Collections of documents: whose they are, and who may do what with them.
    #[command(subcommand)]
    Collection(collection::Collection),
    Get(document::Get),
    Put(document::Put),
    Patch(document::Patch),
    Rm(document::Rm),
    Ls(document::Ls),
    /// Your requests and what came of them; requests that take other people's approvals, from both sides.
    #[command(subcommand)]
    Job(job::Job),
    /// Who may do what: documents of policies, tried and kept.
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Administer the server; every change is a request signed by your card.
    #[command(subcommand)]
    Admin(admin::Admin),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Login {
    Try(login_try::Try),
}
