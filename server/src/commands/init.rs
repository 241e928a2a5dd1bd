//! `countersign-server init`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use countersign_protocol::clock::SystemClock;
use countersign_protocol::ids::{AccountName, ApplicationName, LoginName};
use countersign_protocol::random::SystemRandom;

use super::{CommandError, print};
use crate::config::{ServerUrl, Store};
use crate::data::DataFolder;
use crate::init::{InitError, Made, Wishes, init};
use crate::store::postgres::Address;

#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// The folder to make: keys, database, configuration. It must not exist or be empty.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where hosts will reach the server: http://HOST:PORT or https://HOST.
    #[arg(long, value_name = "URL")]
    url: ServerUrl,
    /// Address and port to listen on, if not the URL's port.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// A PostgreSQL database in place of a file in the folder, for more than one server:
    /// "host=/var/run/postgresql user=NAME dbname=NAME". No server may have been made in it.
    #[arg(long, value_name = "ADDRESS")]
    postgres: Option<Address>,
    /// A file with the password for it.
    #[arg(long, value_name = "FILE", requires = "postgres")]
    password_file: Option<PathBuf>,
    /// The first application.
    #[arg(long, value_name = "NAME", default_value = "countersign")]
    application: ApplicationName,
    /// The first administrator's account.
    #[arg(long, value_name = "NAME", default_value = "admin")]
    administrator: AccountName,
    /// A login name that the first administrator may open; may be given more than once.
    #[arg(long = "login", value_name = "LOGIN")]
    logins: Vec<LoginName>,
}

pub(super) fn run(arguments: InitArguments) -> Result<(), CommandError> {
    let InitArguments { data, url, listen, postgres, password_file, application, administrator, logins } =
        arguments;
    let store = Store { postgres, password_file };
    let wishes = Wishes { url, listen, application, administrator, logins, store };
    let made =
        init(&DataFolder::at(data), &wishes, &SystemClock, &SystemRandom).map_err(|error| match error {
            InitError::Data(_) | InitError::Store(_) => CommandError::Data(error.to_string()),
            InitError::Ledger(_) | InitError::Certificate(_) | InitError::Random(_) | InitError::First(_) => {
                CommandError::Failed(error.to_string())
            }
        })?;
    print(&told(&made));
    Ok(())
}

fn told(made: &Made) -> String {
    let Made { fingerprint, ledger_key, administrator, bundle, token, config } = made;
    format!(
        "\
Server fingerprint:   {fingerprint}
Ledger key:           {ledger_key}
Administrator:        {account}
Registration code:    {code}   (until {code_expires})
Application bundle:   {bundle}
Enrolment token:      {token}   (for one host, until {token_expires})
Configuration:        {config}

The code and the token are shown this once.
Next: countersign-server serve --config {config}
Then, on a host: countersign enroll, with the bundle, the token and the server fingerprint above.
",
        fingerprint = fingerprint.spaced(),
        ledger_key = ledger_key.as_str(),
        account = administrator.account,
        code = administrator.code,
        code_expires = administrator.expires,
        bundle = bundle.display(),
        token = token.token,
        token_expires = token.expires,
        config = config.display(),
    )
}
