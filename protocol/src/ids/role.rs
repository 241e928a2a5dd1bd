//! What an account is there for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::InvalidId;

/// A role of an account. An account may have several; what each may do is policy's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Makes, bars and ends accounts, hosts and applications.
    Administrator,
    /// Registers applications, and publishes and retires their versions.
    Developer,
    /// Owns collections: a department, a service.
    Resource,
    /// Grants what the owners of collections let it grant.
    ResourceAdministrator,
    /// Makes and reads documents as far as it is granted.
    User,
    /// Reads who and what there is, and the ledger. Changes nothing.
    Auditor,
}

impl Role {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::Administrator,
        Self::Developer,
        Self::Resource,
        Self::ResourceAdministrator,
        Self::User,
        Self::Auditor,
    ];

    /// The word in messages, policies and the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Developer => "developer",
            Self::Resource => "resource",
            Self::ResourceAdministrator => "resource-administrator",
            Self::User => "user",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(InvalidId {
            expected: "a role (administrator, developer, resource, resource-administrator, user, auditor)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_one_of_six_words_and_nothing_else() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
            assert_eq!(serde_json::to_string(&role).unwrap(), format!("\"{role}\""));
        }
        for none in ["", "god", "Administrator", "resource_administrator", "user "] {
            assert!(none.parse::<Role>().is_err(), "{none}");
            assert!(serde_json::from_str::<Role>(&format!("\"{none}\"")).is_err(), "{none}");
        }
    }
}
