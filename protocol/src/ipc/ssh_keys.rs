//! The keys that open a login name through SSH: asked by whoever sshd runs as its `AuthorizedKeysCommand`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountName, InvalidId, LoginName};

/// Whose login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshKeys {
    /// The login name that somebody wants to open.
    pub login: LoginName,
}

/// The keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshKeysFound {
    /// None for a login that needs no card here, or that nobody may open this way.
    pub keys: Vec<SshKey>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshKey {
    /// Whose card holds it.
    pub account: AccountName,
    /// The key.
    pub key: SshPublicKey,
}

/// An SSH public key as it stands in `authorized_keys`: its algorithm, a space, and its wire form in base64. Nothing
/// else can be in it: no option, no comment, no second line (R22).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SshPublicKey(String);

/// What `sshd` knows them by, and a card can hold.
const ALGORITHMS: [&str; 5] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];

/// Longest: RSA-4096 takes 724 characters.
const LONGEST: usize = 2048;

impl SshPublicKey {
    /// The two words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SshPublicKey {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        let is_one = text.len() <= LONGEST
            && text.split_once(' ').is_some_and(|(algorithm, blob)| {
                ALGORITHMS.contains(&algorithm)
                    && STANDARD.decode(blob).is_ok_and(|blob| begins_with(&blob, algorithm))
            });
        if is_one {
            Ok(Self(text))
        } else {
            Err(InvalidId { expected: "an SSH public key (ssh-ed25519 AAAA…)" })
        }
    }
}

/// The wire form names the algorithm again (RFC 4253, 6.6), behind its length in four bytes.
fn begins_with(blob: &[u8], algorithm: &str) -> bool {
    let length = u32::try_from(algorithm.len()).unwrap_or_default().to_be_bytes();
    blob.strip_prefix(&length)
        .and_then(|rest| rest.strip_prefix(algorithm.as_bytes()))
        .is_some_and(|key| !key.is_empty())
}

impl std::str::FromStr for SshPublicKey {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::try_from(text.to_owned())
    }
}

impl From<SshPublicKey> for String {
    fn from(key: SshPublicKey) -> Self {
        key.0
    }
}

impl fmt::Debug for SshPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SshPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ssh_key_holds_no_option_comment_or_second_line() {
        let good = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
        assert_eq!(good.parse::<SshPublicKey>().unwrap().as_str(), good);
        for bad in [
            String::new(),
            format!("command=\"sh\" {good}"),
            format!("{good} ana"),
            format!("{good}\n"),
            format!("{good}\n{good}"),
            format!(" {good}"),
            good.replace(' ', "  "),
            good.replace(' ', "\t"),
            // Another algorithm outside than inside.
            good.replace("ssh-ed25519", "ssh-rsa"),
            "ssh-dss AAAAB3NzaC1kc3MAAAA=".to_owned(),
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5".to_owned(),
            "ssh-ed25519 !".to_owned(),
            format!("ssh-ed25519 {}", "A".repeat(4096)),
        ] {
            assert!(bad.parse::<SshPublicKey>().is_err(), "{bad:?}");
        }
    }
}
