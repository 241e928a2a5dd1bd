//! `/etc/countersign/managed` with more rules in it. Lines that people wrote stay as they are.

use countersign_protocol::ids::{LoginName, ServiceName};
use countersign_protocol::managed::{self, Managed, Rule};

use crate::failure::Failure;

const HEAD: &str = "# Who needs a card on this host. `countersign pam enable` adds lines; any may be edited.\n\
    #   user NAME card               a card, always\n\
    #   user NAME card-or-password   a password while the agent cannot be reached\n\
    #   service NAME other-auth      it authenticates in another way: its account check needs no card\n";

/// The text with a rule for each of these.
pub(crate) fn extended(
    text: Option<&str>,
    users: &[LoginName],
    rule: &str,
    services: &[ServiceName],
) -> Result<String, Failure> {
    let mut lines: Vec<String> = text.unwrap_or(HEAD).lines().map(str::to_owned).collect();
    checked(&lines.join("\n"))?;
    for user in users {
        let wanted = ["user", user.as_str(), rule];
        match lines
            .iter_mut()
            .find(|line| matches!(words(line)[..], ["user", name, _] if name == user.as_str()))
        {
            Some(line) if words(line) == wanted => {}
            Some(line) => *line = wanted.join(" "),
            None => lines.push(wanted.join(" ")),
        }
    }
    for service in services {
        let wanted = ["service", service.as_str(), "other-auth"];
        if !lines.iter().any(|line| words(line) == wanted) {
            lines.push(wanted.join(" "));
        }
    }
    let text = lines.join("\n") + "\n";
    let managed = checked(&text)?;
    match managed.rule("root") {
        Ok(Rule::Unmanaged) => Ok(text),
        _ => Err(Failure::file(format!("{} names root, or somebody who resembles it", managed::PATH)).then(
            "This command leaves root's own login alone, so that somebody can always get in. Remove that line.",
        )),
    }
}

/// The logins that a text names.
pub(crate) fn logins(text: Option<&str>) -> Result<Vec<LoginName>, Failure> {
    Ok(checked(text.unwrap_or_default())?.logins().cloned().collect())
}

fn checked(text: &str) -> Result<Managed, Failure> {
    Managed::parse(text).map_err(|error| {
        Failure::file(format!("{}: {error}", managed::PATH)).then("Correct that line first.")
    })
}

fn words(line: &str) -> Vec<&str> {
    line.split('#').next().unwrap_or_default().split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(text: Option<&str>, users: &[&str], rule: &str, services: &[&str]) -> Result<String, Failure> {
        let users: Vec<LoginName> = users.iter().map(|name| name.parse().unwrap()).collect();
        let services: Vec<ServiceName> = services.iter().map(|name| name.parse().unwrap()).collect();
        extended(text, &users, rule, &services)
    }

    #[test]
    fn lines_are_added_once_and_what_people_wrote_stays() {
        let by_hand = "# ours\nuser bob card-or-password   # until Monday\n";
        let text = add(Some(by_hand), &["ana"], "card", &["cron"]).unwrap();
        assert_eq!(text, format!("{by_hand}user ana card\nservice cron other-auth\n"));
        assert_eq!(add(Some(&text), &["ana"], "card", &["cron"]).unwrap(), text);
        let changed = add(Some(&text), &["bob"], "card", &[]).unwrap();
        assert!(changed.contains("user bob card\n") && !changed.contains("Monday"), "{changed}");
        assert!(add(None, &["ana"], "card", &[]).unwrap().starts_with(HEAD));
    }

    #[test]
    fn root_is_never_managed_and_a_bad_line_stops_everything() {
        for text in ["user root card\n", "user Root card\n", "user ana\n"] {
            assert!(add(Some(text), &["ana"], "card", &[]).is_err(), "{text}");
        }
        assert!(add(None, &["root"], "card", &[]).is_err());
    }
}
