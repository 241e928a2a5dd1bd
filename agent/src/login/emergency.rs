//! Logins by emergency code: where one may be typed, and what is said of those that were used.

use countersign_protocol::emergency::is_console_service;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::SessionOpened;

use super::Login;
use crate::answer::Answer;
use crate::permit::Door;

impl Login<'_> {
    /// Whose emergency code would open this login here: at the console alone. That the caller sits at the card's seat
    /// was decided before anything was asked; programs that run as a user come through the other door.
    pub(super) fn codes(&self) -> Vec<AccountName> {
        if self.door != Door::Pam || !is_console_service(self.service) {
            return Vec::new();
        }
        let accounts = self.entry().map_or_else(|_| Vec::new(), |entry| entry.accounts);
        let mut codes: Vec<AccountName> =
            accounts.into_iter().filter(|one| one.emergency.is_some()).map(|one| one.account).collect();
        // Once for all of their cards.
        codes.dedup();
        codes
    }

    /// The server used this account's code up: until the next roster says so, this host's own count does. A disk that
    /// takes nothing keeps nobody out whom the server let in.
    pub(super) fn spend_code(&self, account: &AccountName) {
        let accounts = self.entry().map_or_else(|_| Vec::new(), |entry| entry.accounts);
        let now = self.agent.wire.time.now();
        for verifier in
            accounts.into_iter().filter(|one| one.account == *account).filter_map(|one| one.emergency)
        {
            if let Err(error) = self.agent.journal.spend_emergency_code(&verifier.salt, now) {
                self.agent.log.warn("journal-failed", &[("why", &error.to_string())]);
            }
        }
    }

    /// In the log as what it is, beside the line that every decision has.
    pub(super) fn warn_of_code(&self, event: &str, told: &str) {
        self.agent.log.warn(
            event,
            &[
                ("correlation", self.correlation.as_str()),
                ("login", self.login.as_str()),
                ("service", self.service.as_str()),
                ("told", told),
            ],
        );
    }
}

/// What whoever was let in is told.
pub(super) fn notes(answer: &Answer, by_code: bool) -> Vec<String> {
    if by_code {
        return vec![
            "You were let in by your emergency code, which is worth nothing any more. Make another as soon as you have a \
             card: countersign emergency-code ACCOUNT"
                .to_owned(),
        ];
    }
    // A server that says something else of a session is one of another release: its yes is proven all the same.
    let opened =
        answer.result().and_then(|result| serde_json::from_value::<SessionOpened>(result.clone()).ok());
    let Some(SessionOpened { emergency_uses, emergency_code_ended, recovery }) = opened else {
        return Vec::new();
    };
    let ended = emergency_code_ended.then(|| {
        "Your emergency code has ended: it was tried too often, or ended with a key or a suspension. Make another: \
         countersign emergency-code ACCOUNT"
            .to_owned()
    });
    emergency_uses
        .iter()
        .map(|used| {
            format!(
                "Your emergency code was used on {} at {}, for the login {}. If that was not you, tell an administrator \
                 now. For a new code: countersign emergency-code ACCOUNT",
                used.claimed_hostname, used.at, used.login
            )
        })
        .chain(ended)
        .chain(recovery.map(|told| {
            format!(
                "Somebody asked on {}, at {}, that another card become the only one of your account. If that was not you, \
                 end it now: countersign recover withdraw {}",
                told.begun, told.claimed_hostname, told.id
            )
        }))
        .collect()
}
