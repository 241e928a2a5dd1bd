//! Persons and services known to the server, and the key each of them signs with; or two, on two cards.

use countersign_protocol::approval::Approvers;
use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{
    AccountName, CardIdent, CorrelationId, Fingerprint, GroupName, LoginName, Role,
};
use countersign_protocol::message::result::AccountUpdate;
use countersign_protocol::roster::EmergencyVerifier;

use crate::policy::AccountFacts;
use crate::refusal::Reason;
use crate::store::StoreError;

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: AccountName,
    /// Where it stands, with its key.
    pub state: AccountState,
    /// The key on its second card. Only an account with a key has one.
    pub second: Option<AccountKey>,
    /// The login names it may open, on any host whose policy lets it.
    pub logins: Vec<LoginName>,
    /// Its roles, in the words of the policy.
    pub roles: Vec<Role>,
    /// The groups that it is in.
    pub groups: Vec<GroupName>,
    /// When a request of it was last taken, to the hour.
    pub seen: Option<Timestamp>,
    /// The recovery that was begun last, if any was.
    pub recovery: Option<CorrelationId>,
    /// What is kept of its emergency code, if it has one that can be used.
    pub emergency: Option<EmergencyVerifier>,
    /// Whether there may be something that its person has not heard of: an emergency code that was used, or that ended.
    pub emergency_news: bool,
}

/// An account is heard of in every login; written down once an hour.
pub const SEEN_STEP: i64 = 3600;

/// Where an account stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountState {
    /// Made by an administrator; its person has registered no key yet.
    Pending,
    /// May ask.
    Active(AccountKey),
    /// Barred until an administrator lifts it; with its key, if it has one.
    Suspended(Option<AccountKey>),
    /// Gone for good.
    Retired,
}

/// The certificate of an account, as it was when it was registered (W26: never merged, only replaced).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountKey {
    /// Binary form.
    pub certificate: Vec<u8>,
    /// The part of it that rosters hold.
    pub short: Vec<u8>,
    /// Fingerprint of the primary key.
    pub primary: Fingerprint,
    /// The component keys that may sign for this account.
    pub signing: Vec<Fingerprint>,
    /// The component key in the card's authentication slot, as the host said that saw it.
    pub authentication: Option<Fingerprint>,
    /// The card it was registered from, as the host said that saw it.
    pub card: Option<CardIdent>,
    /// When it was registered.
    pub registered: Timestamp,
}

/// A key that is worth nothing any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedKey {
    /// As it was.
    pub key: AccountKey,
    /// When it ended.
    pub at: Timestamp,
}

impl Account {
    /// What policies see of it.
    #[must_use]
    pub fn facts(&self) -> AccountFacts<'_> {
        AccountFacts {
            name: &self.name,
            roles: &self.roles,
            groups: &self.groups,
            logins: &self.logins,
            state: self.state.as_str(),
        }
    }

    /// An account that waits for its key.
    #[must_use]
    pub const fn pending(name: AccountName, logins: Vec<LoginName>, roles: Vec<Role>) -> Self {
        Self {
            name,
            state: AccountState::Pending,
            logins,
            roles,
            groups: Vec::new(),
            second: None,
            seen: None,
            recovery: None,
            emergency: None,
            emergency_news: false,
        }
    }

    /// The same with other logins, roles or groups, each once and in order; what is not given stays.
    #[must_use]
    pub fn with(self, changed: AccountUpdate) -> Self {
        let mut account = Self {
            logins: changed.logins.unwrap_or(self.logins),
            roles: changed.roles.unwrap_or(self.roles),
            groups: changed.groups.unwrap_or(self.groups),
            ..self
        };
        account.logins.sort();
        account.logins.dedup();
        account.roles.sort();
        account.roles.dedup();
        account.groups.sort();
        account.groups.dedup();
        account
    }

    /// The key arrived: the account may ask from now on.
    ///
    /// # Errors
    /// It has a key already, or will never have one.
    pub fn bind(self, key: AccountKey) -> Result<Self, Reason> {
        match self.state {
            AccountState::Pending => Ok(Self { state: AccountState::Active(key), ..self }),
            AccountState::Active(_) | AccountState::Suspended(_) | AccountState::Retired => {
                Err(Reason::AccountNotInvited)
            }
        }
    }

    /// Its key, whether or not it may use it now.
    #[must_use]
    pub const fn key(&self) -> Option<&AccountKey> {
        match &self.state {
            AccountState::Active(key) => Some(key),
            AccountState::Suspended(key) => key.as_ref(),
            AccountState::Pending | AccountState::Retired => None,
        }
    }

    /// Its keys, whether or not it may use them now: none, one, or one on each of two cards.
    pub fn keys(&self) -> impl Iterator<Item = &AccountKey> {
        self.key().into_iter().chain(self.key().and(self.second.as_ref()))
    }

    /// The keys it may use now.
    pub fn active_keys(&self) -> impl Iterator<Item = &AccountKey> {
        self.active_key().into_iter().chain(self.active_key().and(self.second.as_ref()))
    }

    /// Whether any key of `cert`, the primary one or a subkey, is in a certificate that it has now.
    #[must_use]
    pub fn has_any_of(&self, cert: &Cert) -> bool {
        let named: Vec<_> = cert.keys().map(|one| one.key().fingerprint()).collect();
        self.keys().any(|key| {
            certificate::parse(&key.certificate)
                .map_or(true, |has| has.keys().any(|one| named.contains(&one.key().fingerprint())))
        })
    }

    /// Its key, if it may use it now.
    #[must_use]
    pub const fn active_key(&self) -> Option<&AccountKey> {
        match &self.state {
            AccountState::Active(key) => Some(key),
            AccountState::Pending | AccountState::Suspended(_) | AccountState::Retired => None,
        }
    }
}

impl AccountState {
    /// The word for people and policies.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active(_) => "active",
            Self::Suspended(_) => "suspended",
            Self::Retired => "retired",
        }
    }
}

impl AccountKey {
    /// Whether `key` is any of the certificate's.
    #[must_use]
    pub fn contains(&self, key: &Fingerprint) -> bool {
        let cert = certificate::parse(&self.certificate);
        cert.is_ok_and(|cert| cert.keys().any(|one| one.key().fingerprint().as_bytes() == key.as_bytes()))
    }

    /// Whether `key` is its primary key, or one that signs for the account.
    #[must_use]
    pub fn holds(&self, key: &Fingerprint) -> bool {
        self.primary == *key || self.signing.contains(key)
    }

    /// Pins `cert` with the one key that proved to be on the person's card, and the one that the host saw beside it.
    /// What else the certificate could sign with may lie anywhere.
    ///
    /// # Errors
    /// It cannot be written, or cannot authenticate with `authentication`.
    pub fn pin(
        cert: &Cert,
        proven: Fingerprint,
        authentication: Option<Fingerprint>,
        card: Option<CardIdent>,
        registered: Timestamp,
    ) -> Result<Self, Reason> {
        let certificate = certificate::to_bytes(cert).map_err(Reason::certificate)?;
        let primary = certificate::fingerprint(cert).map_err(Reason::certificate)?;
        let may_be_used = |key| certificate::authentication_keys(cert, registered).contains(key);
        if !authentication.iter().all(may_be_used) {
            return Err(Reason::BadCertificate("its authentication key is none that is valid now".into()));
        }
        let kept: Vec<Fingerprint> = [&proven].into_iter().chain(&authentication).cloned().collect();
        let short =
            certificate::signing_part(cert, &kept, registered).unwrap_or_else(|_| certificate.clone());
        Ok(Self { certificate, short, primary, signing: vec![proven], authentication, card, registered })
    }
}

/// Looking accounts up.
pub trait AccountRead {
    /// The account of this name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn account(&self, name: &AccountName) -> Result<Option<Account>, StoreError>;

    /// The keys that the account of this name may use now; none where there is no such account. Nothing of its codes is read:
    /// the API may not.
    ///
    /// # Errors
    /// [`StoreError`].
    fn active_keys(&self, name: &AccountName) -> Result<Vec<AccountKey>, StoreError>;

    /// Whether there is one of this name. One statement that reads one row or none.
    ///
    /// # Errors
    /// [`StoreError`].
    fn has_account(&self, name: &AccountName) -> Result<bool, StoreError>;

    /// Its revoked keys, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn revoked_keys(&self, name: &AccountName) -> Result<Vec<RevokedKey>, StoreError>;

    /// Active accounts that may open `login`, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn accounts_of_login(&self, login: &LoginName) -> Result<Vec<Account>, StoreError>;
}

/// Accounts in a store.
pub trait AccountStore: AccountRead {
    /// Adds an account, if its name is free.
    ///
    /// # Errors
    /// [`StoreError`].
    fn add_account(&self, account: &Account, at: Timestamp) -> Result<bool, StoreError>;

    /// Gives a pending account its key, if it is still pending and not barred.
    ///
    /// # Errors
    /// [`StoreError`].
    fn bind_account(&self, name: &AccountName, key: &AccountKey) -> Result<bool, StoreError>;

    /// Gives an active account a second key, if it has none.
    ///
    /// # Errors
    /// [`StoreError`].
    fn bind_second_key(&self, name: &AccountName, key: &AccountKey) -> Result<bool, StoreError>;

    /// Takes `key` away from an account for ever, if it has it, and unless nobody who is active would have the role
    /// `keep` afterwards. An account with another key goes on with that one; any other is pending again. A bar on it
    /// stays. Codes of the account end: whoever has the card may have had some made with it.
    ///
    /// # Errors
    /// [`StoreError`].
    fn revoke_key(
        &self,
        name: &AccountName,
        key: &AccountKey,
        keep: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Puts a key in the place of another one of an active account, if it has that; the other ends for ever.
    ///
    /// # Errors
    /// [`StoreError`].
    fn replace_key(
        &self,
        name: &AccountName,
        old: &AccountKey,
        new: &AccountKey,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Keeps the certificate by which a key ended.
    ///
    /// # Errors
    /// [`StoreError`].
    fn keep_revocation(&self, key: &Fingerprint, certificate: &[u8]) -> Result<(), StoreError>;

    /// Bars an account that is not barred, unless nobody who is active would have the role `keep` afterwards.
    ///
    /// # Errors
    /// [`StoreError`].
    fn suspend_account(&self, name: &AccountName, keep: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// Lifts the bar on an account, if there is one, and remembers from when to when it was.
    ///
    /// # Errors
    /// [`StoreError`].
    fn resume_account(&self, name: &AccountName, at: Timestamp) -> Result<bool, StoreError>;

    /// Puts an account's logins, roles and groups in force, if it is not retired, and unless nobody who is active would have the
    /// role `keep` afterwards.
    ///
    /// # Errors
    /// [`StoreError`].
    fn update_account(&self, account: &Account, keep: &str) -> Result<bool, StoreError>;

    /// Ends an account for good, with its keys and codes, unless nobody who is active would have the role `keep`
    /// afterwards.
    ///
    /// # Errors
    /// [`StoreError`].
    fn retire_account(&self, account: &Account, keep: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// Remembers that the account was heard of, to the hour.
    ///
    /// # Errors
    /// [`StoreError`].
    fn saw_account(&self, name: &AccountName, at: Timestamp) -> Result<(), StoreError>;

    /// Up to `most` accounts after this name, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn accounts_after(&self, after: &str, most: u64) -> Result<Vec<Account>, StoreError>;

    /// Active accounts that are in this group, or have this role, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn active_accounts_of(&self, approvers: &Approvers) -> Result<Vec<Account>, StoreError>;

    /// The certificate of this primary fingerprint that is or was an account's.
    ///
    /// # Errors
    /// [`StoreError`].
    fn account_certificate(&self, primary: &Fingerprint) -> Result<Option<Vec<u8>>, StoreError>;
}
