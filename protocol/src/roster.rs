//! What the server signs for one host: whose cards may open which login name there, and what of it holds while the
//! server cannot be reached.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::clock::Timestamp;
use crate::ids::{AccountName, Digest, Fingerprint, LoginName, ServiceName};
use crate::limits;

/// Whose cards may open which login name on one host.
///
/// Online it only tells the host which cards to ask: the server decides about each statement anew. Offline it is all
/// there is, so it holds no permit that needs anything the host could not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// Always [`RosterPurpose::Roster`]: nothing else that the server signs can be mistaken for a roster.
    pub countersign: RosterPurpose,
    /// The host that it is for.
    pub instance: Fingerprint,
    /// The server that made it.
    pub server: Fingerprint,
    /// When it was made.
    pub issued: Timestamp,
    /// When it is worth nothing any more; at most [`limits::ROSTER_LIFE`] after `issued`.
    pub expires: Timestamp,
    /// Of the policy that it was made from.
    pub policy_epoch: u64,
    /// The PAM services that the host asked about: [`OfflineServices::All`] means these.
    pub services: Vec<ServiceName>,
    /// How many logins one account may make offline with this roster; 0 where the server allows none.
    pub offline_uses: u32,
    /// The login names that the host asked about.
    pub entries: Vec<RosterEntry>,
}

/// The mark by which a roster is told from anything else the server signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RosterPurpose {
    /// Version 1 of a roster.
    #[serde(rename = "roster-1")]
    Roster,
}

/// One login name of this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterEntry {
    /// The login name.
    pub login: LoginName,
    /// The accounts that are bound to it.
    pub accounts: Vec<RosterAccount>,
}

/// One account that may open a login name, with one of its cards. An account with two cards is there twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterAccount {
    /// Its name.
    pub account: AccountName,
    /// Its certificate: the host takes the public key from here, and believes no card about it.
    pub certificate: Binary,
    /// The signing keys it may use, as the card's fingerprint slot of the signature key holds them.
    pub keys: Vec<Fingerprint>,
    /// The key in its certificate, and in its card, that opens the login name through SSH. None where it has none, or
    /// policy does not let the account in by `sshd` unless the server is asked, which it is not then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Fingerprint>,
    /// By which services it may open the login name while the server cannot be reached.
    pub offline: OfflineServices,
    /// By which services policy lets it open the login name whatever the time, so that a host that is in touch may go by
    /// what was decided a moment ago.
    #[serde(default, skip_serializing_if = "OfflineServices::is_none")]
    pub unasked: OfflineServices,
    /// How its emergency code is known again; none if it has none that could be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<EmergencyVerifier>,
}

/// What is kept of an emergency code (`envelope::verifier_of`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmergencyVerifier {
    /// 8 random bytes, which also name the code.
    pub salt: Binary,
    /// SHA-256 of the key that OpenPGP's iterated and salted S2K makes of the code.
    pub digest: Digest,
}

/// By which services an account may open a login name offline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum OfflineServices {
    /// By none.
    #[default]
    None,
    /// By each that the roster names in `services`.
    All,
    /// By these, of those that the roster names.
    These(Vec<ServiceName>),
}

/// A roster and the server's detached OpenPGP signature over exactly these bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedRoster {
    /// The bytes that were signed: the JSON of a [`Roster`].
    pub roster: Binary,
    /// A binary detached signature (RFC 9580, 10.4) by the server, with the instance as the one intended recipient.
    pub signature: Binary,
}

/// A roster breaks its own rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterFormError {
    /// Over [`limits::ROSTER`].
    #[error(
        "the roster is {0} bytes; at most {max} are carried. Fewer login names on this host would help",
        max = limits::ROSTER
    )]
    TooLarge(usize),
    /// Not the JSON of a roster.
    #[error("not a roster: {0}")]
    Malformed(String),
    /// Its life is longer than allowed, or ends before it begins.
    #[error("the roster claims to live {0} s; at most {max} s are allowed", max = limits::ROSTER_LIFE)]
    BadLife(i64),
    /// Something is named twice, or a service that the host did not ask about.
    #[error("the roster contradicts itself: {0}")]
    Contradiction(String),
}

impl Roster {
    /// The bytes to sign.
    ///
    /// # Errors
    /// [`RosterFormError`] if the roster breaks its own rules.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RosterFormError> {
        let bytes =
            serde_json::to_vec(self).map_err(|error| RosterFormError::Malformed(error.to_string()))?;
        if bytes.len() > limits::ROSTER {
            return Err(RosterFormError::TooLarge(bytes.len()));
        }
        self.check()?;
        Ok(bytes)
    }

    /// Reads signed bytes back.
    ///
    /// # Errors
    /// [`RosterFormError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RosterFormError> {
        if bytes.len() > limits::ROSTER {
            return Err(RosterFormError::TooLarge(bytes.len()));
        }
        let roster: Self =
            serde_json::from_slice(bytes).map_err(|error| RosterFormError::Malformed(error.to_string()))?;
        roster.check()?;
        Ok(roster)
    }

    /// The entry of a login name.
    #[must_use]
    pub fn entry(&self, login: &LoginName) -> Option<&RosterEntry> {
        self.entries.iter().find(|entry| entry.login == *login)
    }

    fn check(&self) -> Result<(), RosterFormError> {
        let life = self.expires.seconds_since(self.issued);
        if !(1..=limits::ROSTER_LIFE).contains(&life) {
            return Err(RosterFormError::BadLife(life));
        }
        let contradiction = |what: String| Err(RosterFormError::Contradiction(what));
        let services: BTreeSet<_> = self.services.iter().collect();
        if services.len() != self.services.len() {
            return contradiction("a service is there twice".into());
        }
        let logins: BTreeSet<_> = self.entries.iter().map(|entry| &entry.login).collect();
        if logins.len() != self.entries.len() {
            return contradiction("a login name is there twice".into());
        }
        for entry in &self.entries {
            let cards: BTreeSet<_> =
                entry.accounts.iter().map(|one| (&one.account, &one.certificate.0)).collect();
            if cards.len() != entry.accounts.len() {
                return contradiction(format!("a card of an account is there twice for {}", entry.login));
            }
            let all = entry.accounts.iter().flat_map(|one| [&one.offline, &one.unasked]);
            let mut named = all.flat_map(|one| match one {
                OfflineServices::These(named) => named.as_slice(),
                OfflineServices::None | OfflineServices::All => &[],
            });
            if let Some(stranger) = named.find(|service| !services.contains(service)) {
                return contradiction(format!("it permits the service {stranger}, which it does not name"));
            }
        }
        Ok(())
    }
}

impl OfflineServices {
    /// From those of the `asked` services that are permitted: the shortest way to say it.
    #[must_use]
    pub fn of(permitted: Vec<ServiceName>, asked: &[ServiceName]) -> Self {
        match permitted.len() {
            0 => Self::None,
            all if all == asked.len() => Self::All,
            _ => Self::These(permitted),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// Whether `service`, one of the `asked`, is among them.
    #[must_use]
    pub fn contains(&self, service: &ServiceName, asked: &[ServiceName]) -> bool {
        asked.contains(service)
            && match self {
                Self::None => false,
                Self::All => true,
                Self::These(these) => these.contains(service),
            }
    }
}
