//! A yes of the agent, bound to our request; and what one hook leaves for the next.

use countersign_protocol::ids::{CorrelationId, LoginName, Nonce, ServiceName};
use countersign_protocol::ipc::Grant;

/// Proof that the agent allowed this transaction. Minted only in this file.
#[must_use]
pub(crate) struct Permit(());

/// For whom and through what: a yes for one is not a yes for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    /// `PAM_USER`
    pub(crate) login: LoginName,
    /// `PAM_SERVICE`
    pub(crate) service: ServiceName,
}

/// A grant that is not one for our request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotOurs {
    /// Another request's nonce.
    #[error("the agent's grant carries another request's nonce")]
    Nonce,
    /// A login without account or statement, or without one place where it is written: not a login's grant.
    #[error("the agent's grant lacks account, statement or one place in ledger or journal, as a login's has")]
    NoReceipt,
}

impl Permit {
    /// From the answer to a login; with it the marker that lets `account` know later.
    pub(crate) fn from_login_grant(
        grant: &Grant,
        nonce: &Nonce,
        who: Who,
    ) -> Result<(Self, Marker), NotOurs> {
        if grant.nonce != *nonce {
            return Err(NotOurs::Nonce);
        }
        // The server decided, or this host did: never nobody, never both.
        let is_written_once = grant.ledger_index.is_some() != grant.journal_index.is_some();
        if grant.account.is_none() || grant.statement.is_none() || !is_written_once {
            return Err(NotOurs::NoReceipt);
        }
        Ok((Self(()), Marker { who, nonce: *nonce, correlation: grant.correlation.clone() }))
    }

    /// From the answer to an account check, or to the change of a PIN.
    pub(crate) fn from_bare_grant(grant: &Grant, nonce: &Nonce) -> Result<Self, NotOurs> {
        if grant.nonce == *nonce { Ok(Self(())) } else { Err(NotOurs::Nonce) }
    }

    /// From what our `authenticate` left in this handle.
    pub(crate) fn from_marker(marker: &Marker, who: &Who) -> Option<Self> {
        (marker.who == *who).then_some(Self(()))
    }

    #[cfg(test)]
    pub(crate) const fn for_tests() -> Self {
        Self(())
    }
}

/// A login that the agent granted in this PAM handle. It lives in the handle and dies with it.
#[derive(Debug)]
pub(crate) struct Marker {
    who: Who,
    nonce: Nonce,
    correlation: CorrelationId,
}

impl Marker {
    /// The request that was granted, for the log.
    pub(crate) const fn request(&self) -> &Nonce {
        &self.nonce
    }

    /// What the person may quote; the session's beginning and end are told with it too.
    pub(crate) const fn correlation(&self) -> &CorrelationId {
        &self.correlation
    }
}

/// A session that the agent wrote down. It lives in the handle, for the session's end.
#[derive(Debug)]
pub(crate) struct SessionMark {
    /// Whose.
    pub(crate) who: Who,
    /// The id that its end is told with.
    pub(crate) correlation: CorrelationId,
}

/// What `authenticate` leaves in the handle for `account` and `setcred`.
#[derive(Debug)]
pub(crate) enum Memory {
    /// It began, and did not end in a yes.
    Refused,
    /// Nobody took the call, and this login may use its password meanwhile.
    PasswordInstead(Who),
    /// It ended in a yes.
    Granted(Marker),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(login: &str, service: &str) -> Who {
        Who { login: login.parse().unwrap(), service: service.parse().unwrap() }
    }

    fn grant(nonce: Nonce) -> Grant {
        Grant {
            nonce,
            account: Some("ana".parse().unwrap()),
            ledger_index: Some(7),
            journal_index: None,
            statement: Some(countersign_protocol::ids::Digest::of(b"statement")),
            correlation: "7K3M-Q2ZD".parse().unwrap(),
        }
    }

    #[test]
    fn a_marker_counts_only_for_the_same_login_and_service() {
        let nonce = Nonce::from_bytes([1; 32]);
        let (_, marker) = Permit::from_login_grant(&grant(nonce), &nonce, who("ana", "sudo")).unwrap();
        assert!(Permit::from_marker(&marker, &who("ana", "sudo")).is_some());
        assert!(Permit::from_marker(&marker, &who("root", "sudo")).is_none());
        assert!(Permit::from_marker(&marker, &who("ana", "su")).is_none());
    }

    #[test]
    fn a_grant_for_another_nonce_makes_no_marker() {
        let (ours, other) = (Nonce::from_bytes([1; 32]), Nonce::from_bytes([2; 32]));
        let refused = Permit::from_login_grant(&grant(other), &ours, who("ana", "sudo")).err();
        assert_eq!(refused, Some(NotOurs::Nonce));
        assert!(Permit::from_bare_grant(&grant(other), &ours).is_err());
    }

    #[test]
    fn an_account_check_s_grant_is_not_a_login() {
        let nonce = Nonce::from_bytes([1; 32]);
        let bare = Grant { account: None, ledger_index: None, statement: None, ..grant(nonce) };
        let refused = Permit::from_login_grant(&bare, &nonce, who("ana", "sudo")).err();
        assert_eq!(refused, Some(NotOurs::NoReceipt));
    }

    #[test]
    fn a_login_is_written_in_the_ledger_or_in_the_journal_and_not_in_both() {
        let nonce = Nonce::from_bytes([1; 32]);
        for (ledger_index, journal_index, good) in
            [(Some(7), None, true), (None, Some(3), true), (Some(7), Some(3), false), (None, None, false)]
        {
            let grant = Grant { ledger_index, journal_index, ..grant(nonce) };
            let taken = Permit::from_login_grant(&grant, &nonce, who("ana", "sudo"));
            assert_eq!(taken.is_ok(), good, "{ledger_index:?} {journal_index:?}");
            for lacking in [Grant { account: None, ..grant.clone() }, Grant { statement: None, ..grant }] {
                let refused = Permit::from_login_grant(&lacking, &nonce, who("ana", "sudo")).err();
                assert_eq!(refused, Some(NotOurs::NoReceipt));
            }
        }
    }
}
