//! The decision itself: what the server would check, with the roster in its place. Reads no clock and no disk.

use countersign_protocol::certificate;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::VerifiedRoster;
use countersign_protocol::envelope::statement::{self, StatementRules, VerifiedStatement};
use countersign_protocol::ids::{AccountName, Digest, Fingerprint, LoginName, ServiceName};
use countersign_protocol::limits;
use countersign_protocol::roster::{RosterAccount, RosterEntry};
use countersign_protocol::statement::{SignedStatement, Statement, StatementError};

use super::Denial;

/// The operation of a login.
const OPEN_SESSION: &str = "open-session";

/// One statement, and all that is known here.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The roster that is held.
    pub roster: Option<&'a VerifiedRoster>,
    /// The server refused this host when it was last heard.
    pub refused: bool,
    /// What the card signed.
    pub signed: &'a SignedStatement,
    /// The pinned server.
    pub server: &'a Fingerprint,
    /// This host.
    pub instance: &'a Fingerprint,
    /// Which login name is to be opened.
    pub login: &'a LoginName,
    /// By which PAM service.
    pub service: &'a ServiceName,
    /// The server's time, never below the last that it signed.
    pub now: Timestamp,
}

/// What the roster permits, if a use is left.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Permitted {
    /// Whose card it is.
    pub account: AccountName,
    /// SHA-256 of the statement.
    pub statement: Digest,
    /// When the roster ends.
    pub until: Timestamp,
    /// How many uses it gives each account.
    pub uses: u32,
}

/// Decides.
///
/// # Errors
/// [`Denial`], the first check that failed.
pub fn judge(case: Case<'_>) -> Result<Permitted, Denial> {
    let verified = usable(case.roster, case.now)?;
    let roster = verified.roster();
    if case.refused {
        return Err(Denial::HostRefused);
    }

    // Who says it is: not believed before the signature is checked with that account's certificate.
    let claimed = Statement::from_bytes(&case.signed.statement.0).map_err(unreadable)?.account;
    let entry = verified.entry(case.login).ok_or(Denial::NotInRoster)?;
    let (account, proof) = signatory(entry, &claimed, case)?;
    let statement = proof.statement();
    for (same, what) in [
        (statement.operation.as_str() == OPEN_SESSION, "operation"),
        (
            statement.resource.collection() == "session"
                && statement.resource.name() == case.instance.to_string(),
            "resource",
        ),
        (statement.account == account.account, "account"),
        (statement.login.as_ref() == Some(case.login), "login name"),
        (statement.service.as_ref() == Some(case.service), "service"),
        (statement.body.is_none() && statement.transcript.is_none() && !statement.dry_run, "request"),
    ] {
        if !same {
            return Err(Denial::Another(what));
        }
    }
    if !account.keys.contains(proof.key()) {
        return Err(Denial::NotInRoster);
    }
    if !verified.permits(case.login, &account.account, proof.key(), case.service, case.now) {
        return Err(Denial::OnlyOnline(case.service.clone()));
    }
    Ok(Permitted {
        account: account.account.clone(),
        statement: proof.digest(),
        until: roster.expires,
        uses: roster.offline_uses,
    })
}

/// With which of the account's cards it was signed: with none, what is wrong with the first of them.
fn signatory<'a>(
    entry: &'a RosterEntry,
    claimed: &AccountName,
    case: Case<'_>,
) -> Result<(&'a RosterAccount, VerifiedStatement), Denial> {
    let rules = StatementRules { server: case.server, instance: case.instance, now: case.now };
    let mut first = None;
    for account in entry.accounts.iter().filter(|one| one.account == *claimed) {
        let certificate = certificate::parse(&account.certificate.0);
        let proof = certificate
            .map_err(|error| Denial::Certificate(error.to_string()))
            .and_then(|certificate| Ok(statement::verify(case.signed, &certificate, rules)?));
        match proof {
            Ok(proof) => return Ok((account, proof)),
            Err(denial) => first = first.or(Some(denial)),
        }
    }
    Err(first.unwrap_or(Denial::NotInRoster))
}

/// A roster that is worth something now.
///
/// # Errors
/// [`Denial::NoRoster`], [`Denial::FromTheFuture`] or [`Denial::Expired`].
pub fn usable(roster: Option<&VerifiedRoster>, now: Timestamp) -> Result<&VerifiedRoster, Denial> {
    let verified = roster.ok_or(Denial::NoRoster)?;
    let (issued, expires) = (verified.roster().issued, verified.roster().expires);
    if issued.seconds_since(now) > limits::CLOCK_SKEW {
        return Err(Denial::FromTheFuture(issued));
    }
    if verified.is_expired(now) {
        return Err(Denial::Expired(expires));
    }
    Ok(verified)
}

fn unreadable(error: StatementError) -> Denial {
    Denial::Statement(error.into())
}

#[cfg(test)]
mod tests;
