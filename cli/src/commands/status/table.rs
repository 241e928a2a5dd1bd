//! How everything stands, a few lines each.

use std::fmt;

use countersign_protocol::ipc::{CardReport, CardsReport, RosterReport, ServerReport, StatusReport};

use super::findings::against;
use crate::column::{row, span};
use crate::commands::journal::line;

pub(super) fn write(f: &mut fmt::Formatter<'_>, report: &StatusReport) -> fmt::Result {
    row(f, "host", &format!("{}, countersignd {}", report.state.replace('-', " "), report.version))?;
    if let Some(instance) = &report.instance {
        row(f, "", &instance.spaced())?;
    }
    if let Some(words) = &report.key_words {
        row(f, "key words", words)?;
    }
    if let Some(store) = &report.key_store {
        let until = match report.session_keys_until {
            Some(until) if until > report.at => {
                format!("session keys for {} more", span(until.seconds_since(report.at)))
            }
            Some(_) => "session keys ended".to_owned(),
            None => "no session keys yet".to_owned(),
        };
        row(f, "key", &format!("{store}; {until}"))?;
    }
    if let Some(server) = &report.server {
        self::server(f, report, server)?;
    }
    if let Some(roster) = &report.roster {
        self::roster(f, report, roster)?;
    }
    cards(f, report.cards.as_ref())?;
    records(f, report)?;
    if report.decisions.is_empty() {
        return Ok(());
    }
    writeln!(f, "\nLast decisions")?;
    report.decisions.iter().try_for_each(|entry| writeln!(f, "  {}", line::short(entry)))
}

fn server(f: &mut fmt::Formatter<'_>, report: &StatusReport, server: &ServerReport) -> fmt::Result {
    row(f, "server", &server.url)?;
    row(f, "", &server.fingerprint.spaced())?;
    let answered = match server.last_answer {
        Some(at) => format!("answered {} ago", span(report.at.seconds_since(at))),
        None => "no answer since the agent started".to_owned(),
    };
    let clock = match server.clock_offset {
        None => "its clock is not known".to_owned(),
        Some(0) => "the clocks agree".to_owned(),
        Some(offset) => format!("our clock is {}", against(offset)),
    };
    row(f, "", &format!("{answered}; {clock}"))
}

fn roster(f: &mut fmt::Formatter<'_>, report: &StatusReport, roster: &RosterReport) -> fmt::Result {
    let age = span(report.at.seconds_since(roster.from));
    let left = roster.until.seconds_since(report.at);
    let valid = if left > 0 { format!("valid for {} more", span(left)) } else { "ended".to_owned() };
    row(f, "roster", &format!("{age} old, {valid}"))?;
    let mut names: Vec<String> = roster
        .logins
        .iter()
        .map(|entry| {
            let accounts: Vec<String> = entry
                .accounts
                .iter()
                .map(|one| match one.offline_left {
                    0 => one.account.to_string(),
                    left => format!("{}, {left}× offline", one.account),
                })
                .collect();
            match accounts.as_slice() {
                [] => entry.login.to_string(),
                _ => format!("{} ({})", entry.login, accounts.join("; ")),
            }
        })
        .collect();
    let shown = u64::try_from(names.len()).unwrap_or(u64::MAX);
    if roster.count > shown {
        names.push(format!("and {} more", roster.count - shown));
    }
    row(f, "logins", &if names.is_empty() { "nobody".to_owned() } else { names.join(", ") })
}

fn cards(f: &mut fmt::Formatter<'_>, cards: Option<&CardsReport>) -> fmt::Result {
    let Some(cards) = cards else {
        return row(f, "cards", "shown only to the person at their seat, and to root");
    };
    if cards.cards.is_empty() {
        row(f, "cards", "none in a reader")?;
    }
    for (at, card) in cards.cards.iter().enumerate() {
        row(f, if at == 0 { "cards" } else { "" }, &self::card(card))?;
    }
    for (at, turn) in cards.turns.iter().enumerate() {
        let waiting = match turn.waiting {
            0 => String::new(),
            1 => "; 1 request waits".to_owned(),
            more => format!("; {more} requests wait"),
        };
        let seconds = i64::try_from(turn.seconds).unwrap_or(i64::MAX);
        let text = format!("{} by {} for {}{waiting}", turn.card, turn.holder, span(seconds));
        row(f, if at == 0 { "in use" } else { "" }, &text)?;
    }
    Ok(())
}

fn card(card: &CardReport) -> String {
    let name = card.ident.map_or_else(|| "not an OpenPGP card".to_owned(), |ident| ident.to_string());
    let tries = match card.tries {
        Some(0) => ", blocked".to_owned(),
        Some(1) => ", 1 try left".to_owned(),
        Some(tries) => format!(", {tries} tries left"),
        None => String::new(),
    };
    let accounts: Vec<&str> = card.accounts.iter().map(|account| account.as_str()).collect();
    let whose = match (card.role.as_str(), accounts.as_slice()) {
        ("host", _) => ", this host's own".to_owned(),
        (_, []) if card.ident.is_some() => ", nobody's here".to_owned(),
        (_, []) => String::new(),
        (_, accounts) => format!(", {}'s", accounts.join(", ")),
    };
    format!("{name}{tries}{whose}, in {}", card.reader)
}

fn records(f: &mut fmt::Formatter<'_>, report: &StatusReport) -> fmt::Result {
    let reports = report.reports;
    let mut parts = Vec::new();
    for (number, word) in
        [(reports.unsent, "not sent yet"), (reports.refused, "refused"), (reports.disputed, "disputed")]
    {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    }
    row(f, "events", &if parts.is_empty() { "all in the ledger".to_owned() } else { parts.join(", ") })?;
    for (at, one) in report.unsettled.iter().enumerate() {
        let age = span(report.at.seconds_since(one.sent));
        let text = format!("{} by {}, {age} ago ({})", one.what, one.account, one.correlation);
        row(f, if at == 0 { "open" } else { "" }, &text)?;
    }
    let journal = match (report.journal.in_memory, &report.journal.problem) {
        (true, _) => "in memory only",
        (false, Some(_)) => "needs a look",
        (false, None) => "on the disk",
    };
    row(f, "journal", journal)
}
