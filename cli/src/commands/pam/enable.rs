//! `countersign pam enable`: cards for login, sudo and the rest, put back unless somebody confirms.

use std::fmt;
use std::path::Path;

use clap::Args;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{LoginName, ServiceName};
use countersign_protocol::{managed, rescue};
use nix::unistd::User;
use serde::Serialize;

use crate::args::Global;
use crate::commands::enroll::as_root;
use crate::failure::{Failure, LocalKind};
use crate::output::{Report, Tone};
use crate::pam_setup::apply::Plan;
use crate::pam_setup::store::{Attempt, Stage, Store};
use crate::pam_setup::system::{
    NO_ROOT_PASSWORD, System, is_rescued, module_is_installed, root_has_no_password,
};
use crate::pam_setup::{authselect, debian, managed_text, people, sudoers};

/// Have this host's programs ask for cards (as root).
///
/// Changes PAM's files, tries a login in a second process, and puts everything back by itself unless you confirm
/// within some minutes that you still get in: `countersign pam confirm`. Root's own login stays as it is.
#[derive(Debug, Args)]
pub(crate) struct Enable {
    /// Somebody who needs a card from now on. May be given more than once.
    #[arg(long = "user", value_name = "NAME")]
    users: Vec<LoginName>,

    /// These users may type their password while the agent cannot be reached.
    #[arg(long, requires = "users")]
    password_fallback: bool,

    /// A service that authenticates in another way, such as sshd with keys, or that asks nobody, such as cron: its
    /// account check needs no card. May be given more than once.
    #[arg(long, value_name = "SERVICE")]
    other_auth: Vec<ServiceName>,

    /// How long you may take to confirm, in minutes.
    #[arg(long, value_name = "MINUTES", default_value = "5", value_parser = seconds)]
    minutes: i64,

    /// Whose login is tried, with a card that is here; the first user with a card if not given.
    #[arg(long, value_name = "NAME")]
    test_as: Option<LoginName>,

    /// The service that it is tried through.
    #[arg(long, value_name = "SERVICE", default_value = "login")]
    test_service: ServiceName,
}

impl Enable {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        as_root("changes PAM's configuration")?;
        let _attempt = Attempt::begin()?;
        let store = Store::open()?;
        if let Some(pending) = store.pending()? {
            return Err(match pending.stage {
                Stage::Waiting => Failure::local(
                    LocalKind::Unconfirmed,
                    format!("an earlier change waits to be confirmed until {}", pending.until),
                )
                .then("Confirm it (countersign pam confirm) or put it back (countersign pam revert), then run this again."),
                Stage::Changing => {
                    Failure::local(LocalKind::Unconfirmed, "an earlier change was interrupted")
                        .then("Put it back: countersign pam revert. Then run this again.")
                }
                Stage::Confirmed => Failure::local(LocalKind::Unconfirmed, "a confirmation was interrupted")
                    .then("Finish it: countersign pam confirm. Then run this again."),
            });
        }
        let plan = self.plan()?;
        if store.enabled()?.is_some() && is_so_already(&plan) {
            return Report::of(&Shown {
                state: "enabled",
                until: None,
                users: plan.users,
                services: plan.services,
                root_has_no_password: root_has_no_password(),
            });
        }
        // Only one login is tried.
        let untried: Vec<_> = self.users.iter().filter(|user| **user != plan.trial).collect();
        let without = people::without_a_card(global, &untried, &self.test_service);
        if !without.is_empty() {
            crate::terminal::tell(&format!(
                "The agent knows of no card that opens the login of {}. Have them log in before you confirm.",
                without.join(", ")
            ));
        }
        let refused = people::refused_by(&plan.managed);
        if !refused.is_empty() {
            const MOST: usize = 10;
            let shown = refused.iter().take(MOST).map(|line| format!("\n  {line}")).collect::<String>();
            crate::terminal::tell(&format!(
                "{} people are not among those who need a card, and will be refused all the same:{shown}",
                refused.len()
            ));
        }
        let pending = plan.carry_out(store, global)?;
        let shown = Shown {
            state: "waiting",
            until: Some(pending.until),
            users: pending.users,
            services: pending.services,
            root_has_no_password: root_has_no_password(),
        };
        Ok(Report::of(&shown)?.ending(crate::exit::Exit::Done, Tone::Attention))
    }

    /// Everything that can be found wrong before anything is changed.
    fn plan(&self) -> Result<Plan, Failure> {
        let system = System::of_this_host()?;
        if system == System::Authselect {
            authselect::features()?;
        }
        if !module_is_installed() {
            return Err(Failure::local(
                LocalKind::NotFound,
                "pam_countersign.so is not among the PAM modules",
            )
            .then("Install it first. PAM refuses everybody where a module is missing."));
        }
        if is_rescued() {
            let message = format!("{} is there, and while it is no card is asked of anybody", rescue::PATH);
            return Err(Failure::file(message)
                .then("A trial login would show nothing. Remove it when all is well, and run this again."));
        }
        for user in &self.users {
            known_and_not_root(user)?;
        }
        // libpam would take the lines for services that have no file of their own.
        if !is_a_service(self.test_service.as_str()) {
            return Err(Failure::usage(format!("there is no PAM service {}", self.test_service))
                .then("Name a file of /etc/pam.d: --test-service NAME"));
        }
        let services = self.services()?;
        let text = managed_now()?;
        let rule = if self.password_fallback { "card-or-password" } else { "card" };
        let managed = managed_text::extended(text.as_deref(), &self.users, rule, &services)?;
        let users = managed_text::logins(Some(&managed))?;
        for user in &users {
            not_root(user)?;
        }
        let trial = match self.test_as.as_ref().or(self.users.first()).or(users.first()) {
            Some(trial) if users.contains(trial) => trial.clone(),
            Some(other) => {
                return Err(Failure::usage(format!(
                    "{other} needs no card, so a login of {other} would show nothing"
                ))
                .then("Name somebody who does: --test-as NAME"));
            }
            None => {
                return Err(
                    Failure::usage("nobody on this host needs a card yet").then("Name somebody: --user NAME")
                );
            }
        };
        let sudoers = sudoers::is_wanted().then(|| sudoers::text(&users));
        let service = self.test_service.clone();
        Ok(Plan { system, managed, sudoers, users, services, trial, service, seconds: self.minutes })
    }

    /// Those that were named, and the user's own systemd: it is started for whoever is in already, and asks nobody.
    fn services(&self) -> Result<Vec<ServiceName>, Failure> {
        const ALWAYS: &str = "systemd-user";
        for service in &self.other_auth {
            if !is_a_service(service.as_str()) {
                return Err(Failure::usage(format!("there is no PAM service {service} on this host"))
                    .then("Services are the files in /etc/pam.d."));
            }
        }
        let mut services = self.other_auth.clone();
        if is_a_service(ALWAYS) && !services.iter().any(|service| service.as_str() == ALWAYS) {
            services.extend(ALWAYS.parse());
        }
        Ok(services)
    }
}

/// `5`, or `0.5`; as whole seconds.
fn seconds(text: &str) -> Result<i64, String> {
    const MOST: f64 = 60.0;
    const LEAST: f64 = 0.02;
    let minutes: f64 = text.parse().map_err(|_| "not a number of minutes".to_owned())?;
    if !(LEAST..=MOST).contains(&minutes) {
        return Err("from one to sixty minutes".to_owned());
    }
    Ok((minutes * 60.0).ceil() as i64)
}

fn is_a_service(name: &str) -> bool {
    ["/etc/pam.d", "/usr/lib/pam.d"].iter().any(|folder| Path::new(folder).join(name).is_file())
}

fn known_and_not_root(login: &LoginName) -> Result<(), Failure> {
    match User::from_name(login.as_str()) {
        Ok(Some(_)) => not_root(login),
        _ => Err(Failure::usage(format!("there is no user {login} on this host"))
            .then("Give the login name, as in /etc/passwd or your directory.")),
    }
}

fn not_root(login: &LoginName) -> Result<(), Failure> {
    let is_root = matches!(User::from_name(login.as_str()), Ok(Some(user)) if user.uid.is_root());
    if login.as_str() == "root" || is_root {
        return Err(Failure::usage(format!("{login} is root, whose own login this command leaves alone"))
            .then("Root's console is the way in when nothing else works. Name the people who administer instead."));
    }
    Ok(())
}

fn managed_now() -> Result<Option<String>, Failure> {
    match std::fs::symlink_metadata(managed::PATH) {
        Ok(about) if about.is_file() => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        _ => {
            return Err(
                Failure::file(format!("{} is not a plain file", managed::PATH)).then("Make it one first.")
            );
        }
    }
    std::fs::read_to_string(managed::PATH)
        .map(Some)
        .map_err(|error| Failure::file(format!("{} cannot be read: {error}", managed::PATH)))
}

fn is_so_already(plan: &Plan) -> bool {
    let holds = |path: &str, text: &str| std::fs::read_to_string(path).is_ok_and(|now| now == text);
    let is_applied = match plan.system {
        System::Debian => debian::check(),
        System::Authselect => authselect::check(),
    };
    is_applied.is_ok()
        && holds(managed::PATH, &plan.managed)
        && plan.sudoers.as_deref().is_none_or(|text| holds(sudoers::PATH, text))
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Shown {
    state: &'static str,
    until: Option<Timestamp>,
    users: Vec<LoginName>,
    services: Vec<ServiceName>,
    root_has_no_password: bool,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Some(until) => {
                writeln!(
                    f,
                    "PAM asks for cards now, and everything is put back at {until} unless you confirm."
                )?;
            }
            None => writeln!(f, "PAM asks for cards already; there is nothing to change.")?,
        }
        for user in &self.users {
            writeln!(f, "  {user} needs a card")?;
        }
        for service in &self.services {
            writeln!(f, "  {service} may authenticate in another way")?;
        }
        if self.root_has_no_password {
            writeln!(f, "  {NO_ROOT_PASSWORD}.")?;
        }
        match self.until {
            Some(_) => writeln!(
                f,
                "Keep this terminal open. In another one log in, and use sudo; if all is well:\n  countersign pam confirm"
            ),
            None => Ok(()),
        }
    }
}
