//! `countersign admin`: changes to the server, each a request signed by the administrator's card.

mod application_add;
mod host_approve;
mod token_add;
mod user_add;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// People and services that the server knows.
    #[command(subcommand)]
    User(User),
    /// Registered software, under whose key hosts enrol.
    #[command(subcommand)]
    Application(Application),
    /// Enrolled machines.
    #[command(subcommand)]
    Host(Host),
    /// Single-use enrolment tokens.
    #[command(subcommand)]
    Token(Token),
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    Add(user_add::Add),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Application {
    Add(application_add::Add),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Host {
    Approve(host_approve::Approve),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    Add(token_add::Add),
}

impl Admin {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        match self {
            Self::User(User::Add(add)) => add.run(global),
            Self::Application(Application::Add(add)) => add.run(global),
            Self::Host(Host::Approve(approve)) => approve.run(global),
            Self::Token(Token::Add(add)) => add.run(global),
        }
    }
}
