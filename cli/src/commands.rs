//! One file per subcommand: arguments → request → conversation → report.

pub(crate) mod admin;
pub(crate) mod algorithm;
pub(crate) mod app;
pub(crate) mod card;
pub(crate) mod collection;
pub(crate) mod contact;
pub(crate) mod document;
pub(crate) mod emergency_code;
pub(crate) mod enroll;
pub(crate) mod host;
pub(crate) mod job;
pub(crate) mod journal;
pub(crate) mod key;
pub(crate) mod ledger;
pub(crate) mod login_try;
pub(crate) mod pam;
pub(crate) mod policy;
pub(crate) mod recover;
pub(crate) mod register;
pub(crate) mod ssh_keys;
pub(crate) mod status;
mod tried;
mod waits;

use crate::args::{Arguments, Command, Login};
use crate::failure::{Failure, Kind};
use crate::output::Report;

/// Does what the command line says.
pub(crate) fn run(arguments: &Arguments) -> Result<Report, Failure> {
    if arguments.global.dry_run && !may_be_tried(&arguments.command) {
        return Err(Failure::usage(
            "this command asks the server for nothing that a card signs: it has no --dry-run",
        ));
    }
    match dispatch(arguments) {
        Err(Failure { kind: Kind::Tried(decision), message, next, correlation }) => {
            tried::report(decision, message, next, correlation)
        }
        Err(Failure { kind: Kind::Waits, message, next, correlation }) => {
            waits::report(message, next, correlation)
        }
        done => done,
    }
}

/// Those that sign requests, or only read. Whatever else they send the agent with it, [`crate::agent`] refuses.
const fn may_be_tried(command: &Command) -> bool {
    match command {
        Command::Register(_)
        | Command::EmergencyCode(_)
        | Command::Contact(_)
        | Command::Ledger(_)
        | Command::Key(_)
        | Command::Recover(_)
        | Command::App(_)
        | Command::Collection(_)
        | Command::Get(_)
        | Command::Put(_)
        | Command::Patch(_)
        | Command::Rm(_)
        | Command::Ls(_)
        | Command::Job(_)
        | Command::Policy(_)
        | Command::Admin(_) => true,
        Command::Enroll(_)
        | Command::Host(_)
        | Command::Login(_)
        | Command::Pam(_)
        | Command::Status
        | Command::Journal(_)
        | Command::SshKeys(_)
        | Command::Card(_) => false,
    }
}

fn dispatch(arguments: &Arguments) -> Result<Report, Failure> {
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
        Command::Key(key) => key.run(global),
        Command::Recover(recover) => recover.run(global),
        Command::App(app) => app.run(global),
        Command::Collection(collection) => collection.run(global),
        Command::Get(get) => get.run(global),
        Command::Put(put) => put.run(global),
        Command::Patch(patch) => patch.run(global),
        Command::Rm(rm) => rm.run(global),
        Command::Ls(ls) => ls.run(global),
        Command::Job(job) => job.run(global),
        Command::Policy(policy) => policy.run(global),
        Command::Admin(admin) => admin.run(global),
    }
}
