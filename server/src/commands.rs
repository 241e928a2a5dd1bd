//! The command line.

mod backup;
mod check;
mod config_check;
mod config_show;
mod grants;
mod init;
mod invite;
mod key;
mod migrate;
mod own_files;
mod policy;
mod restore;
mod serve;
mod serve_api;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or stopped by SIGTERM or SIGINT
  1  failed
  2  wrong arguments
  3  the configuration file is missing or wrong
  4  the data folder, a key or the database is missing, wrong or readable by others
  5  the address cannot be listened on
  6  the database is not what the ledger says";

/// The Countersign server: checks two signatures, decides, records, and answers once.
#[derive(Debug, Parser)]
#[command(name = "countersign-server", version, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new server in an empty folder, and print what its first administrator needs.
    Init(init::InitArguments),
    /// Serve until SIGTERM or SIGINT.
    Serve(serve::ServeArguments),
    /// Make a new code for the first administrator, while that account has no key.
    Invite(invite::InviteArguments),
    /// Make a token with which one host enrols, or gets a new key, where no host is left to administer from.
    Token(token::TokenArguments),
    /// Move the database to another kind of store, or bring its tables up to this version's.
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Print the SQL that grants the auth server and the API what each of them needs of a PostgreSQL database, and no more.
    Grants(grants::GrantsArguments),
    /// Copy the database while the server runs, and check the copy.
    Backup(backup::BackupArguments),
    /// Put a backup into an empty data folder, after checking all of it.
    Restore(restore::RestoreArguments),
    /// Compare the database with the ledger: an edit is found, and is an alarm.
    Check(check::CheckArguments),
    /// Check and try policy documents, and put them into the database.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Look after the server's own OpenPGP keys.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Work with the configuration file.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Read the file and every file that it names, and say what is wrong with them.
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// What is to be served with it; with api, no file with a secret is looked for.
        #[arg(long, value_enum, default_value = "all")]
        role: serve::Role,
    },
    /// Print what is in force: the file, with the default of every key that it does not have.
    Show {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// What went wrong, and how the process ends.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Exit code 1.
    #[error("{0}")]
    Failed(String),
    /// Exit code 3.
    #[error("{0}")]
    Configuration(String),
    /// Exit code 4.
    #[error("{0}")]
    Data(String),
    /// Exit code 5.
    #[error("{0}")]
    Listen(String),
    /// Exit code 6.
    #[error("{0}")]
    Edited(String),
}

impl CommandError {
    /// The process's exit code.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Configuration(_) => 3,
            Self::Data(_) => 4,
            Self::Listen(_) => 5,
            Self::Edited(_) => 6,
        })
    }
}

impl Arguments {
    /// Does what they say.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn run(self) -> Result<(), CommandError> {
        match self.command {
            Command::Init(arguments) => init::run(arguments),
            Command::Serve(arguments) => serve::run(arguments),
            Command::Invite(arguments) => invite::run(&arguments),
            Command::Token(arguments) => token::run(&arguments),
            Command::Migrate(command) => migrate::run(&command),
            Command::Grants(arguments) => grants::run(arguments),
            Command::Backup(arguments) => backup::run(&arguments),
            Command::Restore(arguments) => restore::run(&arguments),
            Command::Check(arguments) => check::run(&arguments),
            Command::Policy(command) => policy::run(&command),
            Command::Key(command) => key::run(command),
            Command::Config(ConfigCommand::Check { config, role }) => config_check::run(&config, role),
            Command::Config(ConfigCommand::Show { config }) => config_show::run(&config),
        }
    }
}

/// Prints for a person. A stdout that is gone stops nothing.
fn print(text: &str) {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    let _gone = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
