//! One entry as one message of RFC 5424.

use std::fmt::Write as _;

use countersign_protocol::ledger::{Check, Entry, EntryKind, Outcome};

/// "log audit", RFC 5424 section 6.2.1.
const FACILITY: u8 = 13;

/// The number that RFC 5612 keeps for whoever has none.
const ENTERPRISE: &str = "countersign@32473";

/// The entry at `index` as syslog takes it. One that cannot be read is told as that.
#[must_use]
pub fn line(index: u64, entry: &[u8]) -> String {
    match Entry::from_bytes(entry) {
        Ok(entry) => message(index, &entry),
        Err(error) => {
            let priority = FACILITY * 8 + 1;
            let index = index.to_string();
            let mut data = format!("[{ENTERPRISE}");
            put(&mut data, "index", &index);
            format!("<{priority}>1 - {host} countersign-server - - {data}] {error}", host = hostname())
        }
    }
}

fn message(index: u64, entry: &Entry) -> String {
    let severity = match (entry.kind, entry.decision) {
        (EntryKind::Alarm, _) => 1,
        (_, Outcome::Denied) => 4,
        (_, Outcome::Allowed) => 5,
        (_, Outcome::Noted) => 6,
    };
    let priority = FACILITY * 8 + severity;
    let mut data = format!("[{ENTERPRISE}");
    put(&mut data, "index", &index.to_string());
    put(&mut data, "correlation", entry.correlation.as_str());
    put(&mut data, "decision", entry.decision.as_str());
    let mut some = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            put(&mut data, name, &value);
        }
    };
    some("account", entry.account.as_ref().map(ToString::to_string));
    some("host", entry.instance.as_ref().map(ToString::to_string));
    some("application", entry.application.as_ref().map(ToString::to_string));
    some("operation", entry.operation.as_ref().map(ToString::to_string));
    some("resource", entry.resource.as_ref().map(ToString::to_string));
    some("login", entry.login.as_ref().map(ToString::to_string));
    some("service", entry.service.as_ref().map(ToString::to_string));
    some("key", entry.key.as_ref().map(ToString::to_string));
    some("message", entry.message.as_ref().map(ToString::to_string));
    some("statement", entry.statement.as_ref().map(ToString::to_string));
    some("checks", listed(entry.checks.iter().map(check)));
    some("policies", listed(entry.policies.iter().cloned()));
    some("policyEpoch", (entry.policy_epoch > 0).then(|| entry.policy_epoch.to_string()));
    let detail = (!entry.detail.is_empty()).then(|| serde_json::to_string(&entry.detail).ok()).flatten();
    some("detail", detail);
    let (time, kind, host) = (entry.time, entry.kind.as_str(), hostname());
    let words = one_line(&entry.reason);
    // The mark says that what follows is UTF-8, section 6.4.
    format!("<{priority}>1 {time} {host} countersign-server - {kind} {data}] \u{feff}{words}")
}

fn check(check: &Check) -> String {
    format!("{}={}", check.name, if check.passed { "passed" } else { "failed" })
}

fn listed(words: impl Iterator<Item = String>) -> Option<String> {
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Section 6.3.3: three characters are escaped.
fn put(data: &mut String, name: &str, value: &str) {
    let _infallible = write!(data, " {name}=\"");
    for c in one_line(value).chars() {
        if matches!(c, '"' | '\\' | ']') {
            data.push('\\');
        }
        data.push(c);
    }
    data.push('"');
}

/// Nobody begins a line of their own in somebody's log.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn hostname() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let plain =
        |name: &String| !name.is_empty() && name.len() <= 255 && name.chars().all(|c| c.is_ascii_graphic());
    name.filter(plain).unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use countersign_protocol::clock::Timestamp;

    use super::*;

    #[test]
    fn an_entry_is_one_line_with_its_fields_escaped() {
        let time = Timestamp::from_seconds(1_795_348_800);
        let mut entry = Entry::new(
            EntryKind::Job,
            time,
            "7K3M-Q2ZD".parse().unwrap(),
            Outcome::Denied,
            "No [policy]\nlets \"ana\" in.",
        );
        entry.account = Some("ana".parse().unwrap());
        entry.checks = vec![Check::passed("statement-signature"), Check::failed("policy")];
        entry.detail.insert("told".into(), "a ] and a \" and a \\".into());
        let line = line(7, &entry.to_bytes().unwrap());
        assert!(line.starts_with("<108>1 2026-11-22T16:00:00Z ") || line.starts_with("<108>1 "), "{line}");
        assert!(line.contains(&format!(" countersign-server - job [{ENTERPRISE} index=\"7\"")), "{line}");
        assert!(line.contains("checks=\"statement-signature=passed policy=failed\""), "{line}");
        assert!(line.contains(r#"detail="{\"told\":\"a \] and a \\\" and a \\\\\"}""#), "{line}");
        assert!(line.ends_with("] \u{feff}No [policy] lets \"ana\" in.") && !line.contains('\n'), "{line}");
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_told_all_the_same() {
        let line = line(3, b"not an entry");
        assert!(line.starts_with("<105>1 - ") && line.contains("index=\"3\""), "{line}");
    }
}
