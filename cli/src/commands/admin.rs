//! `countersign admin`: changes to the server, each a request signed by the administrator's card.

mod application_approve;
mod application_resume;
pub(crate) mod change;
mod host_approve;
mod host_change;
mod host_list;
mod host_resume;
mod host_revoke;
mod host_show;
mod host_suspend;
mod key_revoke;
mod recovery;
mod token_add;
mod user_add;
mod user_erase;
mod user_list;
mod user_resume;
mod user_retire;
mod user_show;
mod user_suspend;
mod user_update;

use clap::Subcommand;

use crate::args::Global;
use crate::commands::app;
use crate::failure::Failure;
use crate::output::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// People and services that the server knows.
    #[command(subcommand)]
    User(User),
    /// The keys on people's cards.
    #[command(subcommand)]
    Key(Key),
    /// Registered software, under whose key hosts enrol.
    #[command(subcommand)]
    Application(Application),
    /// Enrolled machines.
    #[command(subcommand)]
    Host(Host),
    /// Accounts whose cards are all lost.
    #[command(subcommand)]
    Recovery(recovery::Recovery),
    /// Single-use enrolment tokens.
    #[command(subcommand)]
    Token(Token),
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    Add(user_add::Add),
    List(user_list::List),
    Resume(user_resume::Resume),
    Erase(user_erase::Erase),
    Retire(user_retire::Retire),
    Show(user_show::Show),
    Suspend(user_suspend::Suspend),
    Update(user_update::Update),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    Revoke(key_revoke::Revoke),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Application {
    Add(app::create::Create),
    Approve(application_approve::Approve),
    List(app::list::All),
    Resume(application_resume::Resume),
    Retire(app::retire::Retire),
    RetireVersion(app::retire_version::RetireVersion),
    Show(app::show::Show),
    Suspend(app::suspend::Suspend),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Host {
    Approve(host_approve::Approve),
    List(host_list::List),
    Resume(host_resume::Resume),
    Revoke(host_revoke::Revoke),
    Show(host_show::Show),
    Suspend(host_suspend::Suspend),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    Add(token_add::Add),
}

impl Admin {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        match self {
            Self::User(User::Add(add)) => add.run(global),
            Self::User(User::List(list)) => list.run(global),
            Self::User(User::Resume(resume)) => resume.run(global),
            Self::User(User::Show(show)) => show.run(global),
            Self::User(User::Suspend(suspend)) => suspend.run(global),
            Self::User(User::Erase(erase)) => erase.run(global),
            Self::User(User::Retire(retire)) => retire.run(global),
            Self::User(User::Update(update)) => update.run(global),
            Self::Key(Key::Revoke(revoke)) => revoke.run(global),
            Self::Application(Application::Add(add)) => add.run(global),
            Self::Application(Application::Approve(approve)) => approve.run(global),
            Self::Application(Application::List(list)) => list.run(global),
            Self::Application(Application::Resume(resume)) => resume.run(global),
            Self::Application(Application::Retire(retire)) => retire.run(global),
            Self::Application(Application::RetireVersion(retire)) => retire.run(global),
            Self::Application(Application::Show(show)) => show.run(global),
            Self::Application(Application::Suspend(suspend)) => suspend.run(global),
            Self::Host(Host::Approve(approve)) => approve.run(global),
            Self::Host(Host::List(list)) => list.run(global),
            Self::Host(Host::Resume(resume)) => resume.run(global),
            Self::Host(Host::Revoke(revoke)) => revoke.run(global),
            Self::Host(Host::Show(show)) => show.run(global),
            Self::Host(Host::Suspend(suspend)) => suspend.run(global),
            Self::Recovery(recovery) => recovery.run(global),
            Self::Token(Token::Add(add)) => add.run(global),
        }
    }
}
