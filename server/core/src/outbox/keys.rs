//! Word of keys: an account's person hears of every key that ends or becomes theirs after their first, whoever did it.

use countersign_protocol::ids::{AccountName, Fingerprint};

use super::{Post, Purpose};
use crate::accounts::{Account, AccountKey};
use crate::stop::Stop;

/// Who ended a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy<'a> {
    /// An administrator's request.
    Administrator(&'a AccountName),
    /// Somebody on the server's own machine.
    Console,
    /// The key itself, by its revocation certificate, and what that says.
    Itself(&'a str),
}

/// What becomes of a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound<'a> {
    /// It stands beside the account's other one.
    Beside,
    /// It takes this one's place.
    InPlaceOf(&'a Fingerprint),
    /// The account had none.
    Alone,
}

impl Post<'_> {
    /// A key of this account ended; at how many addresses that is told.
    ///
    /// # Errors
    /// The store's, or no randomness.
    pub fn key_ended(
        &self,
        account: &AccountName,
        key: &Fingerprint,
        by: EndedBy<'_>,
    ) -> Result<usize, Stop> {
        let how = match by {
            EndedBy::Administrator(name) => format!("It was revoked by the administrator {name}."),
            EndedBy::Console => "It was revoked on the server's own machine.".to_owned(),
            EndedBy::Itself(why) => format!("It ended by its own revocation certificate: {why}."),
        };
        let text = format!(
            "A key of your account {account} ended on {}: {key}. {how} If you know nothing of it, ask an administrator, and \
             another one than that.\n",
            self.now
        );
        self.notify(account, Purpose::Key, &text)
    }

    /// The account is over, and all its keys; at how many addresses that is told.
    ///
    /// # Errors
    /// The store's, or no randomness.
    pub(crate) fn account_ended(&self, account: &AccountName, by: &AccountName) -> Result<usize, Stop> {
        let text = format!(
            "Your account {account} was retired on {} by the administrator {by}: its keys are worth nothing any more, and this \
             address is forgotten. If you know nothing of it, ask an administrator, and another one than that.\n",
            self.now
        );
        self.notify(account, Purpose::Key, &text)
    }

    /// A key became one of an account that had one before; at how many addresses that is told. An account's first key is
    /// its person's own doing.
    ///
    /// # Errors
    /// The store's, or no randomness.
    pub(crate) fn key_bound(
        &self,
        account: &Account,
        key: &AccountKey,
        bound: Bound<'_>,
    ) -> Result<usize, Stop> {
        let name = &account.name;
        if bound == Bound::Alone && self.tx.revoked_keys(name)?.is_empty() {
            return Ok(0);
        }
        let (how, whose) = match bound {
            Bound::Beside => (
                "It stands beside the one that the account has, whose card had its code made.".to_owned(),
                "somebody has your card and its PIN",
            ),
            Bound::InPlaceOf(old) => (
                format!(
                    "It took the place of {old}, whose card had its code made and which is worth nothing any more."
                ),
                "somebody has your card and its PIN",
            ),
            Bound::Alone => (
                "The account had none, and an administrator made a code for one.".to_owned(),
                "somebody else may log in as you",
            ),
        };
        let text = format!(
            "Your account {name} has a new key since {}: {}. {how} If that was not you, tell an administrator at once, and not \
             the same one: {whose}.\n",
            self.now, key.primary
        );
        self.notify(name, Purpose::Key, &text)
    }
}
