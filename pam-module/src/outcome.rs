//! What may come of a hook, and the frozen table that turns it into a PAM code.

use countersign_protocol::ipc::DenyReason;
use pam::constants::PamResultCode;

use crate::managed_file::Unmanaged;
use crate::permit::Permit;

/// Which entry libpam called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// `pam_sm_authenticate`
    Authenticate,
    /// `pam_sm_acct_mgmt`
    Account,
    /// `pam_sm_setcred`
    Setcred,
}

/// What came of it.
#[must_use]
pub(crate) enum Outcome {
    /// The managed file, read in full, does not name this login.
    Unmanaged(Unmanaged),
    /// The agent said yes to this very transaction.
    Allowed(Permit),
    /// The agent said no.
    Denied(DenyReason),
    /// Nobody takes calls on the agent's socket.
    AgentDown {
        /// The managed file says `card-or-password`.
        password_allowed: bool,
    },
    /// This transaction never passed through our `authenticate`.
    NotAsked,
    /// Anything else: malformed, unreadable, out of place, a panic.
    Broken,
}

/// The frozen table (DESIGN §6). `PAM_IGNORE` stands in it once, behind a proof: an error that answers IGNORE
/// lets the next module decide alone, which was the hole in CVE-2025-23013 and CVE-2025-24531.
pub(crate) const fn code(hook: Hook, outcome: &Outcome) -> PamResultCode {
    use PamResultCode::{
        PAM_AUTH_ERR, PAM_AUTHINFO_UNAVAIL, PAM_CRED_UNAVAIL, PAM_IGNORE, PAM_MAXTRIES, PAM_PERM_DENIED,
        PAM_SUCCESS,
    };
    match (hook, outcome) {
        (_, Outcome::Unmanaged(_)) => PAM_IGNORE,
        (_, Outcome::Allowed(_)) => PAM_SUCCESS,

        (Hook::Authenticate, Outcome::Denied(reason)) => match reason {
            DenyReason::Policy => PAM_PERM_DENIED,
            DenyReason::CardBlocked | DenyReason::LastTryRefused => PAM_MAXTRIES,
            DenyReason::WrongPin
            | DenyReason::NoCard
            | DenyReason::CardGone
            | DenyReason::TouchTimeout
            | DenyReason::CardFailed
            | DenyReason::RemoteSession
            | DenyReason::ServerUnavailable
            | DenyReason::NotEnrolled
            | DenyReason::Cancelled
            | DenyReason::TimedOut
            | DenyReason::Busy
            | DenyReason::Internal => PAM_AUTH_ERR,
        },
        (Hook::Authenticate, Outcome::AgentDown { password_allowed: true }) => PAM_AUTHINFO_UNAVAIL,
        (Hook::Authenticate, Outcome::AgentDown { password_allowed: false }) => PAM_AUTH_ERR,
        (Hook::Authenticate, Outcome::NotAsked | Outcome::Broken) => PAM_AUTH_ERR,

        (Hook::Account, Outcome::AgentDown { password_allowed: true }) => PAM_SUCCESS,
        (Hook::Account, Outcome::AgentDown { password_allowed: false }) => PAM_PERM_DENIED,
        (Hook::Account, Outcome::Denied(_) | Outcome::NotAsked | Outcome::Broken) => PAM_PERM_DENIED,

        // Decides nothing, and must not break what others decided: sshd sets credentials in another process
        // than it authenticates in, cron and ssh keys never authenticate, and after a password that was
        // allowed because the agent is down the login has to go on.
        (Hook::Setcred, Outcome::NotAsked | Outcome::AgentDown { password_allowed: true }) => PAM_SUCCESS,
        (
            Hook::Setcred,
            Outcome::AgentDown { password_allowed: false } | Outcome::Denied(_) | Outcome::Broken,
        ) => PAM_CRED_UNAVAIL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASONS: [DenyReason; 15] = [
        DenyReason::Policy,
        DenyReason::WrongPin,
        DenyReason::CardBlocked,
        DenyReason::LastTryRefused,
        DenyReason::NoCard,
        DenyReason::CardGone,
        DenyReason::TouchTimeout,
        DenyReason::CardFailed,
        DenyReason::RemoteSession,
        DenyReason::ServerUnavailable,
        DenyReason::NotEnrolled,
        DenyReason::Cancelled,
        DenyReason::TimedOut,
        DenyReason::Busy,
        DenyReason::Internal,
    ];

    const FROZEN: &str = "\
Unmanaged                PAM_IGNORE           PAM_IGNORE      PAM_IGNORE
Allowed                  PAM_SUCCESS          PAM_SUCCESS     PAM_SUCCESS
AgentDown, password      PAM_AUTHINFO_UNAVAIL PAM_SUCCESS     PAM_SUCCESS
AgentDown, card          PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL
NotAsked                 PAM_AUTH_ERR         PAM_PERM_DENIED PAM_SUCCESS
Broken                   PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL
Denied Policy            PAM_PERM_DENIED      PAM_PERM_DENIED PAM_CRED_UNAVAIL
Denied WrongPin          PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL
Denied CardBlocked       PAM_MAXTRIES         PAM_PERM_DENIED PAM_CRED_UNAVAIL
Denied LastTryRefused    PAM_MAXTRIES         PAM_PERM_DENIED PAM_CRED_UNAVAIL
Denied NoCard            PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL
Denied CardGone          PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL
Denied TouchTimeout      PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL
Denied CardFailed        PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL
Denied RemoteSession     PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL
Denied ServerUnavailable PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL
Denied NotEnrolled       PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL
Denied Cancelled         PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL
Denied TimedOut          PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL
Denied Busy              PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL
Denied Internal          PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL
";

    #[test]
    fn the_table_of_pam_codes_is_frozen() {
        let mut rows = vec![
            ("Unmanaged".to_owned(), Outcome::Unmanaged(Unmanaged::for_tests())),
            ("Allowed".to_owned(), Outcome::Allowed(Permit::for_tests())),
            ("AgentDown, password".to_owned(), Outcome::AgentDown { password_allowed: true }),
            ("AgentDown, card".to_owned(), Outcome::AgentDown { password_allowed: false }),
            ("NotAsked".to_owned(), Outcome::NotAsked),
            ("Broken".to_owned(), Outcome::Broken),
        ];
        rows.extend(REASONS.map(|reason| (format!("Denied {reason:?}"), Outcome::Denied(reason))));
        let table: String = rows
            .iter()
            .map(|(name, outcome)| {
                let [authenticate, account, setcred] = [Hook::Authenticate, Hook::Account, Hook::Setcred]
                    .map(|hook| format!("{:?}", code(hook, outcome)));
                format!("{name:24} {authenticate:20} {account:15} {setcred}\n")
            })
            .collect();
        assert_eq!(table, FROZEN);
    }
}
