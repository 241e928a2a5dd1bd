//! `countersign status`: how host, server and cards stand.

use std::fmt;

use countersign_protocol::ipc::{Reply, Request, ServerReport, StatusReport};
use serde::Serialize;

use super::card_list::write_cards;
use crate::agent;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

pub(crate) fn run(global: &Global) -> Result<Report, Failure> {
    match agent::ask(global, &Request::Status)?.reply {
        Reply::Status(status) => Report::of(&Shown(status)),
        other => Err(agent::unexpected(&other)),
    }
}

#[derive(Serialize)]
struct Shown(StatusReport);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(status) = self;
        writeln!(f, "Host")?;
        writeln!(f, "  agent       countersignd {}", status.version)?;
        writeln!(f, "  state       {}{}", status.state, what_next(&status.state))?;
        if let Some(instance) = &status.instance {
            writeln!(f, "  instance    {}", instance.spaced())?;
        }
        if let Some(words) = &status.key_words {
            writeln!(f, "  key words   {words}")?;
        }
        if let Some(store) = &status.key_store {
            writeln!(f, "  key kept in {store}")?;
        }
        if let Some(until) = status.session_keys_until {
            writeln!(f, "  session key until {until}")?;
        }
        if status.unsent_events > 0 {
            writeln!(f, "  unsent      {} events wait for the server", status.unsent_events)?;
        }
        if !status.roster.is_empty() {
            let names: Vec<&str> = status.roster.iter().map(|login| login.as_str()).collect();
            writeln!(f, "  logins      {}", names.join(", "))?;
        }
        if let Some(server) = &status.server {
            write_server(f, server)?;
        }
        writeln!(f, "Cards")?;
        write_cards(f, &status.cards)
    }
}

fn write_server(f: &mut fmt::Formatter<'_>, server: &ServerReport) -> fmt::Result {
    writeln!(f, "Server")?;
    writeln!(f, "  address     {}", server.url)?;
    writeln!(f, "  fingerprint {}", server.fingerprint.spaced())?;
    match server.last_answer {
        Some(time) => writeln!(f, "  last answer {time}")?,
        None => writeln!(f, "  last answer none yet")?,
    }
    if let Some(offset) = server.clock_offset.filter(|offset| *offset != 0) {
        let direction = if offset > 0 { "ahead of" } else { "behind" };
        writeln!(f, "  its clock   {} s {direction} ours", offset.unsigned_abs())?;
    }
    match &server.problem {
        Some(problem) => writeln!(f, "  problem     {problem}"),
        None => Ok(()),
    }
}

fn what_next(state: &str) -> &'static str {
    match state {
        "not-enrolled" => ": `countersign enroll` makes this host an instance of a server",
        "pending" => ": an administrator approves it by its key words",
        "suspended" => ": an administrator has barred it, or its counter forked",
        "revoked" => ": enrol again with a new key",
        _ => "",
    }
}
