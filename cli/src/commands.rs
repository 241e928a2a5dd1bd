//! One file per subcommand: arguments → request → conversation → report.

pub(crate) mod admin;
pub(crate) mod algorithm;
pub(crate) mod app;
pub(crate) mod card;
pub(crate) mod collection;
pub(crate) mod contact;
pub(crate) mod emergency_code;
pub(crate) mod enroll;
pub(crate) mod host;
pub(crate) mod journal;
pub(crate) mod ledger;
pub(crate) mod login_try;
pub(crate) mod pam;
pub(crate) mod policy;
pub(crate) mod register;
pub(crate) mod ssh_keys;
pub(crate) mod status;

use crate::args::{Arguments, Command, Login};
use crate::failure::Failure;
use crate::output::Report;

/// Does what the command line says.
pub(crate) fn run(arguments: &Arguments) -> Result<Report, Failure> {
    let global = &arguments.global;
    match &arguments.command {
        Command::Enroll(enroll) => enroll.run(global),
        Command::Host(host) => host.run(global),
        Command::Register(register) => register.run(global),
        Command::EmergencyCode(code) => code.run(global),
        Command::Login(Login::Try(login)) => login.run(global),
        Command::Pam(pam) => pam.run(global),
        Command::Status => status::run(global),
        Command::Journal(journal) => journal.run(global),
        Command::SshKeys(ssh_keys) => ssh_keys.run(global),
        Command::Card(card) => card.run(global),
        Command::Contact(contact) => contact.run(global),
        Command::Ledger(ledger) => ledger.run(global),
        Command::App(app) => app.run(global),
        Command::Collection(collection) => collection.run(global),
        Command::Policy(policy) => policy.run(global),
        Command::Admin(admin) => admin.run(global),
    }
}
