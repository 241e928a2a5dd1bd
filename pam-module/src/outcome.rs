//! What may come of a hook, and the frozen table that turns it into a PAM code.

use countersign_protocol::ipc::DenyReason;
use pam::constants::PamResultCode;

use crate::chauthtok::StandAside;
use crate::managed_file::Unmanaged;
use crate::permit::Permit;
use crate::rescue_file::Rescue;

/// Which entry libpam called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// `pam_sm_authenticate`
    Authenticate,
    /// `pam_sm_acct_mgmt`
    Account,
    /// `pam_sm_setcred`
    Setcred,
    /// `pam_sm_open_session`
    OpenSession,
    /// `pam_sm_close_session`
    CloseSession,
    /// `pam_sm_chauthtok`
    Chauthtok,
}

/// What came of it.
#[must_use]
pub(crate) enum Outcome {
    /// The managed file, read in full, does not name this login.
    Unmanaged(Unmanaged),
    /// Root put the rescue file in place.
    Rescued(Rescue),
    /// A password is to be changed, and no card's PIN.
    StandsAside(StandAside),
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
    /// The agent wrote a session down.
    Noted,
    /// A session could not be written down.
    NotNoted,
    /// Anything else: malformed, unreadable, out of place, a panic.
    Broken,
}

/// The frozen table (DESIGN §6). `PAM_IGNORE` stands in it only behind a proof: an error that answers IGNORE
/// lets the next module decide alone, which was the hole in CVE-2025-23013 and CVE-2025-24531.
pub(crate) const fn code(hook: Hook, outcome: &Outcome) -> PamResultCode {
    use PamResultCode::{
        PAM_AUTH_ERR, PAM_AUTHINFO_UNAVAIL, PAM_AUTHTOK_ERR, PAM_AUTHTOK_LOCK_BUSY, PAM_AUTHTOK_RECOVERY_ERR,
        PAM_CRED_UNAVAIL, PAM_IGNORE, PAM_MAXTRIES, PAM_PERM_DENIED, PAM_SESSION_ERR, PAM_SUCCESS,
    };
    match (hook, outcome) {
        (_, Outcome::Unmanaged(_) | Outcome::Rescued(_)) => PAM_IGNORE,
        (Hook::Chauthtok, Outcome::StandsAside(_)) => PAM_IGNORE,
        (Hook::Authenticate | Hook::Account | Hook::Setcred | Hook::Chauthtok, Outcome::Allowed(_)) => {
            PAM_SUCCESS
        }

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
        (
            Hook::Authenticate,
            Outcome::NotAsked
            | Outcome::StandsAside(_)
            | Outcome::Noted
            | Outcome::NotNoted
            | Outcome::Broken,
        ) => PAM_AUTH_ERR,

        (Hook::Account, Outcome::AgentDown { password_allowed: true }) => PAM_SUCCESS,
        (Hook::Account, Outcome::AgentDown { password_allowed: false }) => PAM_PERM_DENIED,
        (
            Hook::Account,
            Outcome::Denied(_)
            | Outcome::NotAsked
            | Outcome::StandsAside(_)
            | Outcome::Noted
            | Outcome::NotNoted
            | Outcome::Broken,
        ) => PAM_PERM_DENIED,

        // Decides nothing, and must not break what others decided: sshd sets credentials in another process
        // than it authenticates in, cron and ssh keys never authenticate, and after a password that was
        // allowed because the agent is down the login has to go on.
        (Hook::Setcred, Outcome::NotAsked | Outcome::AgentDown { password_allowed: true }) => PAM_SUCCESS,
        (
            Hook::Setcred,
            Outcome::AgentDown { password_allowed: false }
            | Outcome::Denied(_)
            | Outcome::StandsAside(_)
            | Outcome::Noted
            | Outcome::NotNoted
            | Outcome::Broken,
        ) => PAM_CRED_UNAVAIL,

        // Decided on before: a note that is lost must lock nobody out.
        (
            Hook::OpenSession | Hook::CloseSession,
            Outcome::Noted | Outcome::NotNoted | Outcome::AgentDown { .. },
        ) => PAM_SUCCESS,
        (
            Hook::OpenSession | Hook::CloseSession,
            Outcome::Allowed(_)
            | Outcome::StandsAside(_)
            | Outcome::Denied(_)
            | Outcome::NotAsked
            | Outcome::Broken,
        ) => PAM_SESSION_ERR,

        (Hook::Chauthtok, Outcome::Denied(reason)) => match reason {
            DenyReason::Policy | DenyReason::RemoteSession => PAM_PERM_DENIED,
            DenyReason::WrongPin | DenyReason::CardBlocked | DenyReason::LastTryRefused => {
                PAM_AUTHTOK_RECOVERY_ERR
            }
            DenyReason::Busy => PAM_AUTHTOK_LOCK_BUSY,
            DenyReason::NoCard
            | DenyReason::CardGone
            | DenyReason::TouchTimeout
            | DenyReason::CardFailed
            | DenyReason::ServerUnavailable
            | DenyReason::NotEnrolled
            | DenyReason::Cancelled
            | DenyReason::TimedOut
            | DenyReason::Internal => PAM_AUTHTOK_ERR,
        },
        (
            Hook::Chauthtok,
            Outcome::AgentDown { .. }
            | Outcome::NotAsked
            | Outcome::Noted
            | Outcome::NotNoted
            | Outcome::Broken,
        ) => PAM_AUTHTOK_ERR,
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
Unmanaged                PAM_IGNORE           PAM_IGNORE      PAM_IGNORE       PAM_IGNORE      PAM_IGNORE
Rescued                  PAM_IGNORE           PAM_IGNORE      PAM_IGNORE       PAM_IGNORE      PAM_IGNORE
StandsAside              PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_IGNORE
Allowed                  PAM_SUCCESS          PAM_SUCCESS     PAM_SUCCESS      PAM_SESSION_ERR PAM_SUCCESS
AgentDown, password      PAM_AUTHINFO_UNAVAIL PAM_SUCCESS     PAM_SUCCESS      PAM_SUCCESS     PAM_AUTHTOK_ERR
AgentDown, card          PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SUCCESS     PAM_AUTHTOK_ERR
NotAsked                 PAM_AUTH_ERR         PAM_PERM_DENIED PAM_SUCCESS      PAM_SESSION_ERR PAM_AUTHTOK_ERR
Noted                    PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SUCCESS     PAM_AUTHTOK_ERR
NotNoted                 PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SUCCESS     PAM_AUTHTOK_ERR
Broken                   PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_AUTHTOK_ERR
Denied Policy            PAM_PERM_DENIED      PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_PERM_DENIED
Denied WrongPin          PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_AUTHTOK_RECOVERY_ERR
Denied CardBlocked       PAM_MAXTRIES         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_AUTHTOK_RECOVERY_ERR
Denied LastTryRefused    PAM_MAXTRIES         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_AUTHTOK_RECOVERY_ERR
Denied NoCard            PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_AUTHTOK_ERR
Denied CardGone          PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_AUTHTOK_ERR
Denied TouchTimeout      PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_AUTHTOK_ERR
Denied CardFailed        PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_AUTHTOK_ERR
Denied RemoteSession     PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_PERM_DENIED
Denied ServerUnavailable PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_AUTHTOK_ERR
Denied NotEnrolled       PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_AUTHTOK_ERR
Denied Cancelled         PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_AUTHTOK_ERR
Denied TimedOut          PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_AUTHTOK_ERR
Denied Busy              PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_AUTHTOK_LOCK_BUSY
Denied Internal          PAM_AUTH_ERR         PAM_PERM_DENIED PAM_CRED_UNAVAIL PAM_SESSION_ERR PAM_AUTHTOK_ERR
";

    #[test]
    fn the_table_of_pam_codes_is_frozen() {
        let mut rows = vec![
            ("Unmanaged".to_owned(), Outcome::Unmanaged(Unmanaged::for_tests())),
            ("Rescued".to_owned(), Outcome::Rescued(Rescue::for_tests())),
            ("StandsAside".to_owned(), Outcome::StandsAside(StandAside::for_tests())),
            ("Allowed".to_owned(), Outcome::Allowed(Permit::for_tests())),
            ("AgentDown, password".to_owned(), Outcome::AgentDown { password_allowed: true }),
            ("AgentDown, card".to_owned(), Outcome::AgentDown { password_allowed: false }),
            ("NotAsked".to_owned(), Outcome::NotAsked),
            ("Noted".to_owned(), Outcome::Noted),
            ("NotNoted".to_owned(), Outcome::NotNoted),
            ("Broken".to_owned(), Outcome::Broken),
        ];
        rows.extend(REASONS.map(|reason| (format!("Denied {reason:?}"), Outcome::Denied(reason))));
        let table: String = rows
            .iter()
            .map(|(name, outcome)| {
                let of = |hook| format!("{:?}", code(hook, outcome));
                let [authenticate, account, setcred] =
                    [Hook::Authenticate, Hook::Account, Hook::Setcred].map(of);
                let [open, close, chauthtok] =
                    [Hook::OpenSession, Hook::CloseSession, Hook::Chauthtok].map(of);
                assert_eq!(open, close);
                format!("{name:24} {authenticate:20} {account:15} {setcred:16} {open:15} {chauthtok}\n")
            })
            .collect();
        assert_eq!(table, FROZEN);
    }
}
