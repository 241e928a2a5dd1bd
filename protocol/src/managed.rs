//! The root-owned file that says who needs a card on this host: `/etc/countersign/managed`.
//!
//! One rule a line, `#` begins a comment:
//!
//! ```text
//! user ana card                 # ana needs her card
//! user bob card-or-password     # bob may use his password while the agent is down
//! service cron other-auth       # cron never authenticates: its account check needs no card
//! ```
//!
//! The PAM module reads this before any other I/O. A missing file manages nobody; a line that cannot be
//! understood refuses everybody, because it may have been the line that mattered. A name that is spelt otherwise than
//! one in the file, but resembles it, is refused: the directory behind the login may take the two for one.

use std::collections::BinaryHeap;

use crate::ids::{LoginName, ServiceName};

/// Where the file lies.
pub const PATH: &str = "/etc/countersign/managed";

/// Largest file that is read, in bytes.
pub const SIZE: u64 = 1024 * 1024;

/// What the file says of one login name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[must_use]
pub enum Rule {
    /// Not managed here: the module stands aside.
    Unmanaged,
    /// A card, always.
    Card,
    /// A card; a password only while the agent cannot be reached.
    CardOrPassword,
}

/// A name of which it cannot be said that the file does not mean it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnclearName<'a> {
    /// No line can name it.
    #[error("the user name is not a login name")]
    NotALogin,
    /// A directory may take the two for one: they differ in case, in letters outside ASCII or in the domain.
    #[error(
        "it resembles `{0}`, which needs a card. Log in as exactly that, or give this spelling its own line"
    )]
    Resembles(&'a LoginName),
}

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Managed {
    /// In order, which is that of the lines in most files: a map would be slower to make, and to look into once.
    users: Vec<(LoginName, Rule)>,
    /// In the order of the lines: there are never many.
    other_auth: Vec<ServiceName>,
}

/// A line that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line}: {what}. Lines are `user NAME card`, `user NAME card-or-password` or `service NAME other-auth`"
)]
pub struct ManagedError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl Managed {
    /// Reads the file's text.
    ///
    /// # Errors
    /// The first line that is not a rule; if all are, one that contradicts an earlier one.
    pub fn parse(text: &str) -> Result<Self, ManagedError> {
        let mut managed = Self::default();
        // In the order of the file, each behind its line: sorted once, however long the file is.
        let mut users = BinaryHeap::new();
        for (at, line) in text.lines().enumerate() {
            let wrong = |what| ManagedError { line: at + 1, what };
            let rule = line.split_once('#').map_or(line, |(rule, _)| rule);
            let mut words = rule.split_ascii_whitespace();
            // Of each line of a long file, at every login: without memory of its own.
            match [(); 4].map(|()| words.next()) {
                [None, ..] => {}
                [Some("user"), Some(name), Some(kind), None] => {
                    let name = name.parse().map_err(|_| wrong("that is not a login name"))?;
                    let rule = match kind {
                        "card" => Rule::Card,
                        "card-or-password" => Rule::CardOrPassword,
                        _ => return Err(wrong("unknown kind of rule for a user")),
                    };
                    users.push((name, at, rule));
                }
                [Some("service"), Some(name), Some("other-auth"), None] => {
                    let name = name.parse().map_err(|_| wrong("that is not a service name"))?;
                    managed.other_auth.push(name);
                }
                _ => return Err(wrong("not a rule")),
            }
        }
        for (name, at, rule) in users.into_sorted_vec() {
            if managed.users.last().is_some_and(|(last, _)| *last == name) {
                return Err(ManagedError { line: at + 1, what: "this user has a rule already" });
            }
            managed.users.push((name, rule));
        }
        Ok(managed)
    }

    /// Where this name stands, or should.
    fn place(&self, name: &LoginName) -> Result<usize, usize> {
        self.users.binary_search_by(|(user, _)| user.cmp(name))
    }

    /// What is asked of this login name.
    ///
    /// # Errors
    /// It is no name, or resembles one that is managed and is not managed itself.
    pub fn rule(&self, login: &str) -> Result<Rule, UnclearName<'_>> {
        let login: LoginName = login.parse().map_err(|_| UnclearName::NotALogin)?;
        if let Some((_, rule)) = self.place(&login).ok().and_then(|at| self.users.get(at)) {
            return Ok(*rule);
        }
        match self.logins().find(|managed| resemble(managed.as_str(), login.as_str())) {
            Some(managed) => Err(UnclearName::Resembles(managed)),
            None => Ok(Rule::Unmanaged),
        }
    }

    /// Whether this service's account check may pass without our authentication.
    #[must_use]
    pub fn is_other_auth(&self, service: &str) -> bool {
        service.parse::<ServiceName>().is_ok_and(|service| self.other_auth.contains(&service))
    }

    /// The login names that need a card, in order.
    pub fn logins(&self) -> impl Iterator<Item = &LoginName> {
        self.users.iter().map(|(login, _)| login)
    }
}

/// Whether a directory could take one for the other: the parts before `@` are alike but for case. Letters
/// outside ASCII are like any other, because directories fold `ö` and `o`, the Kelvin sign and `k`.
fn resemble(a: &str, b: &str) -> bool {
    let person = |name| str::split(name, '@').next().unwrap_or(name);
    let (a, b) = (person(a), person(b));
    // Nearly all names; this is asked of every name in the file.
    if a.is_ascii() && b.is_ascii() {
        return a.eq_ignore_ascii_case(b);
    }
    // Accents that are characters of their own (U+0300 to U+036F) are left out.
    let letters = |name| str::chars(name).filter(|c| !('\u{300}'..='\u{36f}').contains(c));
    let (mut a, mut b) = (letters(a), letters(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if !a.is_ascii() || !b.is_ascii() || a.eq_ignore_ascii_case(&b) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let text = "# who\nuser ana card\n  user bob card-or-password # for now\n\nservice cron other-auth\n";
        let managed = Managed::parse(text).unwrap();
        assert_eq!(managed.rule("ana"), Ok(Rule::Card));
        assert_eq!(managed.rule("bob"), Ok(Rule::CardOrPassword));
        assert_eq!(managed.rule("root"), Ok(Rule::Unmanaged));
        assert!(managed.is_other_auth("cron"));
        assert!(!managed.is_other_auth("sudo"));
    }

    #[test]
    fn a_line_that_is_not_understood_refuses_the_whole_file() {
        for (text, line) in [
            ("user ana", 1),
            ("user ana card extra", 1),
            ("user ana card\nusr bob card", 2),
            ("user ana card\nuser ana card-or-password", 2),
            ("user bob card\nuser ana card\nuser bob card", 3),
            ("user\u{a0}ana card", 1),
            ("service cron", 1),
            ("user a:b card", 1),
            ("user ana cards", 1),
        ] {
            assert_eq!(Managed::parse(text).unwrap_err().line, line, "{text}");
        }
    }

    #[test]
    fn the_order_of_the_lines_does_not_matter() {
        let managed = Managed::parse("user carl card\nuser ana card\nuser dora card\nuser bob card").unwrap();
        let logins: Vec<&str> = managed.logins().map(|login| login.as_str()).collect();
        assert_eq!(logins, ["ana", "bob", "carl", "dora"]);
        for login in logins {
            assert_eq!(managed.rule(login), Ok(Rule::Card), "{login}");
        }
    }

    #[test]
    fn an_empty_file_manages_nobody() {
        assert_eq!(Managed::parse("").unwrap().rule("root"), Ok(Rule::Unmanaged));
    }

    #[test]
    fn another_spelling_of_a_managed_login_is_not_taken_for_unmanaged() {
        let text = "user ana card\nuser ida@corp.example card\nuser kjös card\nuser Ana card-or-password\n";
        let managed = Managed::parse(text).unwrap();
        let resembles = |login: &str| matches!(managed.rule(login), Err(UnclearName::Resembles(_)));
        for login in [
            "ANA",
            "ana@corp.example",
            "Ana@x",
            "ida",
            "IDA@corp.example",
            "KJÖS",
            "kjos",
            "\u{212a}jös",
            "anä",
            "ana\u{308}",
        ] {
            assert!(resembles(login), "{login}");
        }
        for login in ["CORP\\ana", "CORP/ana", "", "an a", "ana\n", "-ana"] {
            assert_eq!(managed.rule(login), Err(UnclearName::NotALogin), "{login:?}");
        }
        for login in ["anna", "an", "root", "jens", "idas@corp.example", "ana.b"] {
            assert_eq!(managed.rule(login), Ok(Rule::Unmanaged), "{login}");
        }
        assert_eq!(managed.rule("Ana"), Ok(Rule::CardOrPassword), "a spelling with a line of its own");
        let told = managed.rule("ANA").unwrap_err().to_string();
        assert!(told.contains("`Ana`") && told.contains("its own line"), "{told}");
    }
}
