//! How many other people must countersign a request, and who: what `@approvals("2:operators")` says.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{GroupName, InvalidId, Role};

/// Of whom approvals are asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Approvers {
    /// Everybody of a role.
    Role(Role),
    /// Everybody in a group.
    Group(GroupName),
}

/// So many approvals by such people: `2:operators`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Requirement {
    of: Approvers,
    number: u8,
}

/// Requirements that hold together. One person counts for each that they are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Vec<Requirement>", into = "Vec<Requirement>")]
pub struct Needs(Vec<Requirement>);

/// The text is no requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a number from 1 to {most}, a colon, and a group or role, such as 2:operators", most = Requirement::MOST)]
pub struct NoRequirement;

impl Approvers {
    /// The word in policies and resources.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Role(role) => role.as_str(),
            Self::Group(group) => group.as_str(),
        }
    }

    /// How `countersign admin user update` makes somebody one of them.
    #[must_use]
    pub const fn option(&self) -> &'static str {
        match self {
            Self::Role(_) => "--role",
            Self::Group(_) => "--group",
        }
    }
}

impl FromStr for Approvers {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text.parse() {
            Ok(role) => Ok(Self::Role(role)),
            Err(_) => text.parse().map(Self::Group),
        }
    }
}

/// For people: `operators`, `administrators`.
impl fmt::Display for Approvers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => write!(f, "{role}s"),
            Self::Group(group) => write!(f, "{group}"),
        }
    }
}

impl Requirement {
    /// Most approvals of one kind: more people than that are not found on one day.
    pub const MOST: u8 = 9;

    /// By whom.
    #[must_use]
    pub const fn of(&self) -> &Approvers {
        &self.of
    }

    /// How many.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.number
    }
}

impl FromStr for Requirement {
    type Err = NoRequirement;

    fn from_str(text: &str) -> Result<Self, NoRequirement> {
        let (number, of) = text.split_once(':').ok_or(NoRequirement)?;
        let number = match number.as_bytes() {
            // One digit: nothing is written in two ways.
            [digit @ b'1'..=b'9'] => digit - b'0',
            _ => return Err(NoRequirement),
        };
        Ok(Self { of: of.parse().map_err(|_| NoRequirement)?, number })
    }
}

impl TryFrom<String> for Requirement {
    type Error = NoRequirement;

    fn try_from(text: String) -> Result<Self, NoRequirement> {
        text.parse()
    }
}

impl From<Requirement> for String {
    fn from(requirement: Requirement) -> Self {
        format!("{}:{}", requirement.number, requirement.of.as_str())
    }
}

impl From<Vec<Requirement>> for Needs {
    fn from(requirements: Vec<Requirement>) -> Self {
        requirements.into_iter().collect()
    }
}

impl From<Needs> for Vec<Requirement> {
    fn from(needs: Needs) -> Self {
        needs.0
    }
}

/// Of each kind of people the highest number, in one order.
impl FromIterator<Requirement> for Needs {
    fn from_iter<I: IntoIterator<Item = Requirement>>(requirements: I) -> Self {
        let mut all: Vec<Requirement> = requirements.into_iter().collect();
        all.sort_by(|one, other| one.of.cmp(&other.of).then(other.number.cmp(&one.number)));
        all.dedup_by(|one, other| one.of == other.of);
        Self(all)
    }
}

impl Needs {
    /// Each of them.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.0
    }

    /// What fulfils both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        self.0.iter().chain(&other.0).cloned().collect()
    }

    /// Whether whatever fulfils this fulfils the other.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.and(other) == *self
    }

    /// So many people at least: one may be asked for several of them.
    #[must_use]
    pub fn people(&self) -> u32 {
        self.0.iter().map(|one| u32::from(one.number)).max().unwrap_or(0)
    }

    /// For the ledger: `2:operators 3:security`.
    #[must_use]
    pub fn spelled(&self) -> String {
        let words: Vec<String> = self.0.iter().cloned().map(String::from).collect();
        words.join(" ")
    }

    /// The same back.
    ///
    /// # Errors
    /// [`NoRequirement`].
    pub fn read(spelled: &str) -> Result<Self, NoRequirement> {
        spelled.split_whitespace().map(str::parse).collect()
    }
}

/// For people: `2 approvals by operators and 1 by auditors`.
impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Requirement { of, number }) in self.0.iter().enumerate() {
            match (at, number) {
                (0, 1) => write!(f, "1 approval by {of}")?,
                (0, _) => write!(f, "{number} approvals by {of}")?,
                _ => write!(f, " and {number} by {of}")?,
            }
        }
        Ok(())
    }
}

/// Any of these is enough, for people.
#[must_use]
pub fn any_of(alternatives: &[Needs]) -> String {
    let words: Vec<String> = alternatives.iter().map(ToString::to_string).collect();
    words.join(", or ")
}

/// Any of these is enough, for the ledger: `2:operators | 1:administrator`.
#[must_use]
pub fn spelled(alternatives: &[Needs]) -> String {
    let words: Vec<String> = alternatives.iter().map(Needs::spelled).collect();
    words.join(" | ")
}

/// The same back.
///
/// # Errors
/// [`NoRequirement`].
pub fn read(spelled: &str) -> Result<Vec<Needs>, NoRequirement> {
    spelled.split('|').filter(|needs| !needs.trim().is_empty()).map(Needs::read).collect()
}

/// Those that ask for the least: one that another asks less than is left out, and each is there once.
#[must_use]
pub fn least(mut alternatives: Vec<Needs>) -> Vec<Needs> {
    alternatives.sort();
    alternatives.dedup();
    let all = alternatives.clone();
    alternatives.retain(|one| !all.iter().any(|other| other != one && one.covers(other)));
    alternatives
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(text: &str) -> Needs {
        Needs::read(text).unwrap()
    }

    #[test]
    fn a_requirement_is_one_digit_a_colon_and_a_group_or_role() {
        for good in ["1:operators", "9:administrator", "2:on-call.night"] {
            assert_eq!(String::from(good.parse::<Requirement>().unwrap()), good);
        }
        for bad in [
            "",
            "operators",
            "0:operators",
            "10:operators",
            "+2:operators",
            "2: operators",
            "2:Operators",
            "2:",
            "2:a:b",
        ] {
            assert_eq!(bad.parse::<Requirement>(), Err(NoRequirement), "{bad:?}");
        }
        assert_eq!("2:auditor".parse::<Requirement>().unwrap().of(), &Approvers::Role(Role::Auditor));
    }

    #[test]
    fn what_fulfils_both_asks_the_higher_number_of_each() {
        let both = needs("2:operators 1:security").and(&needs("3:security 1:operators"));
        assert_eq!(both, needs("3:security 2:operators"));
        assert_eq!((both.people(), Needs::default().people()), (3, 0));
        assert_eq!(needs(&both.spelled()), both);
        assert_eq!(both.to_string(), "2 approvals by operators and 3 by security");
        assert!(both.covers(&needs("2:security")) && !needs("2:security").covers(&both));
        assert_eq!(
            any_of(&[needs("1:administrator"), both]),
            "1 approval by administrators, or 2 approvals by operators and 3 by security"
        );
    }

    #[test]
    fn of_several_ways_only_those_that_ask_the_least_are_left() {
        let ways =
            [needs("2:operators"), needs("1:operators"), needs("2:operators 1:security"), needs("1:auditor")];
        let left = least(ways.to_vec());
        assert_eq!(left, [needs("1:auditor"), needs("1:operators")]);
        assert_eq!(read(&spelled(&left)).unwrap(), left);
        assert_eq!(read("").unwrap(), []);
    }
}
