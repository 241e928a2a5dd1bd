//! Names that people read and type.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{InvalidId, Role};
use crate::random::{self, NoRandomness, Random};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err(InvalidId { expected: $expected }) }
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

name!(
    /// A person or service known to the server.
    AccountName,
    "an account name (1 to 32 of a-z 0-9 . _ -, beginning with a letter)",
    |text| (1..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c))
);

name!(
    /// A login name of this host, as `getpwnam(3)` knows it.
    ///
    /// Wider than what `useradd` makes, because directories hand out more; never a separator, a control
    /// character or a leading dash (R12, R20: names end up in file lines and messages).
    LoginName,
    "a login name (1 to 255 printable characters without space, colon, slash, comma or a leading dash)",
    |text| (1..=255).contains(&text.len())
        && !text.starts_with('-')
        && (text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'@'))
            || !text.chars().any(|c| c.is_control() || c.is_whitespace() || ":/,\\\"'#".contains(c)))
);

name!(
    /// A PAM service: the name of a file in `/etc/pam.d`.
    ServiceName,
    "a PAM service name (1 to 64 of A-Z a-z 0-9 . _ @ -)",
    |text| (1..=64).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-@".contains(c))
);

name!(
    /// A seat, in logind's words: a screen, a keyboard and card readers that belong together.
    SeatName,
    "a seat's name (1 to 64 of A-Z a-z 0-9 - _, beginning with seat)",
    |text| (5..=64).contains(&text.len())
        && text.starts_with("seat")
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
);

name!(
    /// A terminal, as people name it: `tty1`, `pts/3`.
    TerminalName,
    "a terminal's name (1 to 32 of A-Z a-z 0-9 /)",
    |text| (1..=32).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '/')
);

name!(
    /// People whom policies speak of together: `operators`. Never a role's word, so that none is taken for the other.
    GroupName,
    "a group's name (1 to 64 of a-z 0-9 . _ -, beginning with a letter, and no role's word)",
    |text| (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c))
        && text.parse::<Role>().is_err()
);

name!(
    /// Registered software, owned by a developer.
    ApplicationName,
    "an application name (1 to 64 of a-z 0-9 . _ -, beginning with a letter)",
    |text| (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c))
);

name!(
    /// A document of policies, in the resource `policy/NAME`.
    PolicyName,
    "a policy document's name (1 to 64 of a-z 0-9 . _ -, beginning with a letter)",
    |text| (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c))
);

name!(
    /// A version of an application, as its developer calls it.
    VersionName,
    "a version (1 to 64 of A-Z a-z 0-9 . _ + -, beginning with a letter or digit)",
    |text| (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
);

name!(
    /// A collection of documents.
    CollectionName,
    "a collection's name (1 to 64 of a-z 0-9 . _ -, beginning with a letter)",
    |text| (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c))
);

name!(
    /// A document of a collection.
    DocumentName,
    "a document's name (1 to 128 of A-Z a-z 0-9 . _ -, not beginning with a dot)",
    |text| (1..=128).contains(&text.len())
        && !text.starts_with('.')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
);

name!(
    /// What a statement asks to do: `open-session`, `create`, `read`, `update`, `delete`, `approve`, `bind-key`.
    Operation,
    "an operation (1 to 32 of a-z and -)",
    |text| (1..=32).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && !text.starts_with('-')
);

name!(
    /// What a statement asks to do it to: a collection and a name, `account/ana`.
    ResourceName,
    "a resource (collection/name, at most 200 of A-Z a-z 0-9 . _ - after one slash)",
    |text| text.len() <= 200
        && text.split_once('/').is_some_and(|(collection, name)| {
            let plain = |part: &str| {
                !part.is_empty()
                    && !part.starts_with('.')
                    && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            };
            plain(collection) && plain(name)
        })
);

impl ResourceName {
    /// The part before the slash.
    #[must_use]
    pub fn collection(&self) -> &str {
        self.0.split_once('/').map_or("", |(collection, _)| collection)
    }

    /// The part after the slash.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }
}

name!(
    /// What a person quotes to find a failure in the logs: eight Crockford characters, `7K3M-Q2ZD`.
    CorrelationId,
    "a correlation id (like 7K3M-Q2ZD)",
    |text| text.len() == 9
        && text.char_indices().all(|(at, c)| if at == 4 { c == '-' } else { CROCKFORD.contains(c) })
);

/// Digits and letters without I, L, O, U, which people confuse.
pub(crate) const CROCKFORD: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl CorrelationId {
    /// A fresh one.
    ///
    /// # Errors
    /// The kernel gave no randomness.
    pub fn new(random: &dyn Random) -> Result<Self, NoRandomness> {
        let bytes: [u8; 8] = random::array(random)?;
        let mut text: String =
            bytes.iter().filter_map(|byte| CROCKFORD.chars().nth(usize::from(byte % 32))).collect();
        text.insert(4, '-');
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn names_that_could_break_a_file_line_are_refused() {
        for bad in ["", "-x", "a b", "a:b", "a/b", "ana\n", "a\0", "#ana", &"x".repeat(256)] {
            assert!(bad.parse::<LoginName>().is_err(), "{bad:?}");
        }
        for good in ["ana", "root", "svc$", "ana@corp.example", "Ünal"] {
            assert!(good.parse::<LoginName>().is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_resource_has_one_slash_and_no_path_tricks() {
        for bad in ["account", "account/", "/ana", "account/../x", "account/a/b", "a/.."] {
            assert!(bad.parse::<ResourceName>().is_err(), "{bad}");
        }
        let good: ResourceName = "session/0123ABCD".parse().unwrap();
        assert_eq!((good.collection(), good.name()), ("session", "0123ABCD"));
    }

    #[test]
    fn a_group_is_never_taken_for_a_role() {
        for bad in ["", "Operators", "9lives", "two words", "a/b", "administrator", "user", &"x".repeat(65)] {
            assert!(bad.parse::<GroupName>().is_err(), "{bad:?}");
        }
        for good in ["operators", "on-call.night_2", "users", &"x".repeat(64)] {
            assert!(good.parse::<GroupName>().is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_correlation_id_reads_back() {
        let id = CorrelationId::new(&SystemRandom).unwrap();
        assert_eq!(id.as_str().parse::<CorrelationId>().unwrap(), id);
    }
}
