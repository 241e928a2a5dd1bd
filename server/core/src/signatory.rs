//! Whose card signed a statement: looked up and checked before the transaction, so that nobody waits for it.

use std::sync::Arc;

use countersign_protocol::certificate::{self, CertificateError, Pinned};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::statement::{self, StatementRules, VerifiedStatement};
use countersign_protocol::ids::{AccountName, Fingerprint};
use countersign_protocol::statement::{SignedStatement, Statement};

use crate::accounts::{Account, AccountKey, RevokedKey};
use crate::core::Core;
use crate::stop::Failure;
use crate::store::View;

/// Of an account's revoked keys, this many are tried, the newest first.
const REVOKED_TRIED: usize = 2;

/// Whose card signed a statement.
pub(crate) enum Signatory {
    /// The account's key, as it is now.
    Account(Box<(VerifiedStatement, AccountKey)>),
    /// A key that was the account's.
    Revoked(Box<(VerifiedStatement, RevokedKey)>),
    /// Nobody whose signature counts, and why.
    Nobody(String),
}

impl Signatory {
    /// Of a statement that must have been made on `instance` for us, and be valid at `when`.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn of(
        core: &Core,
        view: &dyn View,
        signed: &SignedStatement,
        instance: &Fingerprint,
        when: Timestamp,
    ) -> Result<Self, Failure> {
        let claimed = match Statement::from_bytes(&signed.statement.0) {
            Ok(statement) => statement,
            Err(error) => return Ok(Self::Nobody(error.to_string())),
        };
        let account = view.account(&claimed.account)?;
        let keys = account.iter().flat_map(Account::keys).collect::<Vec<_>>();
        let identity = core.identity();
        let rules = StatementRules { server: identity.fingerprint(), instance, now: when };
        let pins = core.pins();
        // Of two cards it is the second one's, if the first one's says no.
        if let [_, second] = keys.as_slice()
            && let Ok(statement) = verified(signed, pins.person(&second.short, rules.now), rules)
            && second.signing.contains(statement.key())
        {
            return Ok(Self::Account(Box::new((statement, (*second).clone()))));
        }
        let key = keys.first().copied();
        // For nobody, the same work with a certificate that nobody signs with: time does not tell who has an account.
        let short = match key {
            Some(key) => pins.person(&key.short, rules.now),
            None => pins.nobody(claimed.account.as_str(), identity.nobodys(), rules.now),
        };
        // Exactly the keys that were enrolled, whatever the certificate says (W26).
        if let (Ok(statement), Some(key)) = (verified(signed, short, rules), key)
            && key.signing.contains(statement.key())
        {
            return Ok(Self::Account(Box::new((statement, key.clone()))));
        }
        // The part that signs is the whole one's in short, and that is what counts; most often it is only asked why it was not.
        let whole = match key {
            Some(key) => pins.person(&key.certificate, rules.now),
            None => pins.nobody(claimed.account.as_str(), identity.certificate_bytes(), rules.now),
        };
        let why = match (key, verified(signed, whole, rules)) {
            (Some(key), Ok(statement)) if key.signing.contains(statement.key()) => {
                return Ok(Self::Account(Box::new((statement, key.clone()))));
            }
            (Some(_), Ok(statement)) => format!("signed by {}, which was never registered", statement.key()),
            (Some(_), Err(error)) => error,
            (None, _) => format!("the account {} has no key", claimed.account),
        };
        let revoked = Self::revoked(view, signed, &claimed.account, rules)?;
        Ok(revoked.unwrap_or(Self::Nobody(why)))
    }

    /// Somebody with a lost card and its PIN is told from one with no card at all.
    fn revoked(
        view: &dyn View,
        signed: &SignedStatement,
        account: &AccountName,
        rules: StatementRules<'_>,
    ) -> Result<Option<Self>, Failure> {
        for gone in view.revoked_keys(account)?.into_iter().take(REVOKED_TRIED) {
            let Ok(cert) = certificate::parse(&gone.key.certificate) else { continue };
            if let Ok(statement) = statement::verify(signed, &cert, rules) {
                return Ok(Some(Self::Revoked(Box::new((statement, gone)))));
            }
        }
        Ok(None)
    }
}

fn verified(
    signed: &SignedStatement,
    by: Result<Arc<Pinned>, CertificateError>,
    rules: StatementRules<'_>,
) -> Result<VerifiedStatement, String> {
    let by = by.map_err(|error| error.to_string())?;
    statement::verify_pinned(signed, &by, rules).map_err(|error| error.to_string())
}
