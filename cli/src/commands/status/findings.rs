//! What of a status needs somebody, the worst first, each with what to do.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use countersign_protocol::ipc::{CardReport, JournalReport, ServerReport, StatusReport};
use countersign_protocol::limits;
use countersign_protocol::rescue;
use serde::Serialize;

use crate::column::span;
use crate::commands::journal::BEGIN_ANEW;

/// One thing, and what to do about it.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) what: String,
    pub(super) next: String,
}

/// The rescue file, which is to be seen whatever the agent says, and without it too.
pub(super) fn rescued(path: &Path) -> Option<Finding> {
    let meta = std::fs::symlink_metadata(path).ok()?;
    let path = path.display();
    Some(match rescue::judge(meta.is_file(), meta.uid(), meta.mode()) {
        Ok(()) => Finding {
            what: format!("ALARM: the rescue file {path} is there: this host asks nobody for a card."),
            next: format!("When people can log in with their cards again, as root: rm {path}"),
        },
        Err(why) => Finding {
            what: format!("There is a {path}, and it rescues nobody: {why}. Cards are asked for as ever."),
            next: format!("Look at who made it, then as root: rm {path}"),
        },
    })
}

/// All of them; none means that all is well.
pub(super) fn findings(report: &StatusReport) -> Vec<Finding> {
    let mut found = Vec::new();
    host(report, &mut found);
    refused(report, &mut found);
    if let Some(server) = &report.server {
        self::server(report, server, &mut found);
    }
    roster(report, &mut found);
    cards(report, &mut found);
    records(report, &mut found);
    for weakness in &report.weaknesses {
        let next = "Countersign works without it. Start the agent by its systemd unit, which sees to this.";
        add(&mut found, sentence(weakness), next);
    }
    found
}

fn add(found: &mut Vec<Finding>, what: impl Into<String>, next: impl Into<String>) {
    found.push(Finding { what: what.into(), next: next.into() });
}

fn host(report: &StatusReport, found: &mut Vec<Finding>) {
    if report.forked {
        let instance = report.instance.as_ref().map_or_else(String::new, ToString::to_string);
        add(
            found,
            "ALARM: the server has seen two hosts with this host's key: it was set back to an older copy, or copied.",
            format!(
                "Logins go on while the server can be reached; logins without it and administration from here stopped. An administrator decides, at another host: countersign admin host show {instance}"
            ),
        );
    }
    if report.version_retired {
        let next = "Everything goes on. Install a newer version of countersign on this host.";
        add(found, "The version that runs here was retired by its developer.", next);
    }
    if let Some(trouble) = report.key_trouble.as_ref() {
        let next = "Logins go on until they end. Put the host's card back into its reader; if it is lost or broken, or its key cannot be read, as root: countersign host replace";
        add(found, sentence(trouble), next);
    }
    match report.state.as_str() {
        "active" => {}
        "not-enrolled" => {
            add(found, "This host is not enrolled.", "As root: countersign enroll");
        }
        "pending" => {
            let words = report.key_words.as_deref().unwrap_or("KEY-WORDS");
            let next =
                format!("An administrator compares its key words: countersign admin host approve {words}");
            add(found, "This host waits for an administrator's approval; nobody can log in here yet.", next);
        }
        "suspended" => add(
            found,
            "This host is suspended: an administrator has barred it.",
            "Ask an administrator why; they can lift it.",
        ),
        _ => add(
            found,
            "This host's key is revoked, for ever.",
            "Give the host a new one, as root: countersign host replace",
        ),
    }
}

fn refused(report: &StatusReport, found: &mut Vec<Finding>) {
    if !is_refused(report) {
        return;
    }
    let problem = report.server.as_ref().and_then(|server| server.problem.as_deref());
    let what = problem.unwrap_or("the server refused this host when it was last heard");
    let next =
        "This host lets nobody in by itself until it is heard again. The server's ledger has the reason.";
    add(found, sentence(what), next);
}

/// The network is not to blame.
fn is_refused(report: &StatusReport) -> bool {
    report.refused && report.state == "active"
}

fn server(report: &StatusReport, server: &ServerReport, found: &mut Vec<Finding>) {
    if let Some(alarm) = &server.alarm {
        add(
            found,
            format!("ALARM: the server's ledger is not the one this host knew: {alarm}."),
            "Somebody changed or rolled back the ledger, or stands in for the server. Tell your administrator before anybody logs in. If the server was restored from a backup: sudo countersign host accept-ledger",
        );
    }
    if let Some(problem) = server.problem.as_ref().filter(|_| !is_refused(report)) {
        let since = match server.last_answer {
            Some(at) => format!("It last answered {} ago", span(report.at.seconds_since(at))),
            None => "It has not answered since the agent started".to_owned(),
        };
        let meanwhile = if works_offline(report) { " Logins go on by the roster meanwhile." } else { "" };
        let check = "Check the network, and that the server runs: systemctl status countersign-server";
        add(found, sentence(problem), format!("{since}.{meanwhile} {check}"));
    }
    if let Some(offset) = server.clock_offset.filter(|offset| offset.abs() > limits::CLOCK_SKEW) {
        add(
            found,
            format!("This host's clock is {}.", against(offset)),
            "Countersign makes up for it, other programs do not. Set the clock: timedatectl set-ntp true",
        );
    }
    let is_over = report.session_keys_until.is_none_or(|until| until <= report.at);
    if is_over && report.state == "active" && server.problem.is_none() {
        add(
            found,
            "This host has no session keys that are valid now.",
            "The agent makes new ones at its next check-in; if it does not: systemctl restart countersignd",
        );
    }
}

/// Whether somebody could log in without the server; told to root alone.
fn works_offline(report: &StatusReport) -> bool {
    let Some(roster) = report.roster.as_ref().filter(|roster| roster.until > report.at) else { return false };
    roster.logins.iter().flat_map(|login| &login.accounts).any(|account| account.offline_left > 0)
}

fn roster(report: &StatusReport, found: &mut Vec<Finding>) {
    if report.state != "active" {
        return;
    }
    match &report.roster {
        Some(roster) if roster.until > report.at => {
            if let Some(logins) = roster.left_out {
                let some =
                    if logins == 1 { "1 login name".to_owned() } else { format!("{logins} login names") };
                add(
                    found,
                    format!("{some} of /etc/countersign/managed did not fit into the roster."),
                    format!(
                        "They can log in while the server can be reached, and are in the roster afterwards. It holds {} \
                         at most, fewer if keys are large: manage fewer names on this host.",
                        limits::ROSTER_LOGINS
                    ),
                );
            }
        }
        Some(roster) => add(
            found,
            format!("The roster ended {} ago.", span(report.at.seconds_since(roster.until))),
            "Nobody can log in without the server now. It comes anew as soon as the server can be reached.",
        ),
        None => {
            let next = "It comes with the first check-in. Until then nobody can log in.";
            add(found, "This host has no roster yet.", next);
        }
    }
}

fn cards(report: &StatusReport, found: &mut Vec<Finding>) {
    let Some(cards) = &report.cards else { return };
    if let Some(problem) = &cards.service_problem {
        add(found, sentence(problem), "systemctl status pcscd.socket pcscd");
    }
    for card in &cards.cards {
        let name = name(card);
        match (card.tries, &card.problem) {
            (Some(0), _) => add(
                found,
                format!("{name} is blocked: it accepts no PIN any more."),
                "Unblock it with its admin PIN or resetting code: countersign card unblock",
            ),
            (Some(1), _) => add(
                found,
                format!("{name} has one try left; the next wrong PIN blocks it."),
                "A right PIN gives all tries back.",
            ),
            (_, Some(problem)) => {
                add(found, format!("{name}: {}", sentence(problem)), "Take it out and put it in again.");
            }
            _ => {}
        }
    }
}

fn records(report: &StatusReport, found: &mut Vec<Finding>) {
    match report.unsettled.as_slice() {
        [] => {}
        [one] => {
            let what = format!(
                "1 request has no known outcome: {} by {} ({}).",
                one.what, one.account, one.correlation
            );
            add(found, what, settles(one.untold));
        }
        [first, ..] => {
            let what = format!(
                "{} requests have no known outcome, the first {} by {} ({}).",
                report.unsettled.len(),
                first.what,
                first.account,
                first.correlation
            );
            add(found, what, settles(report.unsettled.iter().all(|one| one.untold)));
        }
    }
    let reports = report.reports;
    if reports.refused > 0 {
        add(
            found,
            format!("The server refused {} of this host.", events(reports.refused)),
            "They stay in the local journal: countersign journal. The server's ledger has the reason.",
        );
    }
    if reports.disputed > 0 {
        add(
            found,
            format!("The server disputes {} of this host.", logins(reports.disputed)),
            "An administrator looks at them: countersign journal, and the alarms in the ledger.",
        );
    }
    let journal = &report.journal;
    if let Some(problem) = &journal.problem {
        let next = match journal {
            JournalReport { broken: true, .. } => BEGIN_ANEW,
            JournalReport { in_memory: true, .. } => {
                "Until then nobody is let in without the server, and what it holds ends with the agent."
            }
            _ => "Keep what was set aside for whoever looks into this. The new one is good.",
        };
        add(found, sentence(problem), next);
    }
}

const fn settles(untold: bool) -> &'static str {
    if untold {
        "The server does not tell. Its ledger has it, if it was decided; the agent asks again when it starts anew."
    } else {
        "The agent asks the server as soon as it can be reached, and the journal tells what became of it."
    }
}

fn events(number: u64) -> String {
    if number == 1 { "1 event".to_owned() } else { format!("{number} events") }
}

fn logins(number: u64) -> String {
    if number == 1 { "1 offline login".to_owned() } else { format!("{number} offline logins") }
}

/// The offset is the server's clock minus ours.
pub(super) fn against(offset: i64) -> String {
    let direction = if offset > 0 { "behind" } else { "ahead of" };
    format!("{} {direction} the server's", span(offset))
}

fn name(card: &CardReport) -> String {
    match &card.ident {
        Some(ident) => format!("The card {ident}"),
        None => format!("The card in {}", card.reader),
    }
}

/// The agent's words as a sentence of their own.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    let stop = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{}{}{stop}", first.to_uppercase(), chars.as_str())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_rescue_file_is_told_and_one_that_rescues_nobody_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rescue");
        assert!(rescued(&path).is_none());
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let told = rescued(&path).unwrap();
        assert!(told.what.starts_with("ALARM") && told.next.contains("rm "), "{told:?}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(rescued(&path).unwrap().what.contains("rescues nobody"));
    }
}
