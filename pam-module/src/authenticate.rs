//! `pam_sm_authenticate`: one login, decided by the agent.

use countersign_protocol::ids::Nonce;
use countersign_protocol::ipc::{Authenticate, Grant, LoginRequest};

use crate::args::Args;
use crate::hook::{Managed, Scene};
use crate::outcome::Outcome;
use crate::permit::{Memory, Permit, Who};

/// The hook.
pub(crate) fn run(scene: &mut Scene<'_, '_>, args: &Args) -> Outcome {
    let Managed { who, password_allowed, .. } = match scene.managed(args) {
        Ok(managed) => managed,
        Err(outcome) => return outcome,
    };
    // Until the end says otherwise; an earlier yes in this handle is over.
    if scene.handle.remember(Memory::Refused).is_err() {
        return scene.broken("libpam keeps no data for the module");
    }
    if !scene.can_ask() {
        return scene.nobody_to_ask(&who);
    }
    let Ok(nonce) = Nonce::new(scene.random) else {
        return scene.broken("the kernel gave no random bytes");
    };
    let request = LoginRequest::Authenticate(Authenticate {
        login: who.login.clone(),
        service: who.service.clone(),
        tty: scene.handle.tty(),
        remote_host: scene.handle.remote_host(),
        remote_user: scene.handle.remote_user(),
        nonce,
    });
    match scene.ask(args, &who, password_allowed, "a login", &request) {
        Ok(grant) => granted(scene, who, &grant, &nonce),
        Err(Outcome::AgentDown { password_allowed: true }) => password_instead(scene, who),
        Err(outcome) => outcome,
    }
}

fn granted(scene: &mut Scene<'_, '_>, who: Who, grant: &Grant, nonce: &Nonce) -> Outcome {
    // The conversation is the program's: it may have put another name in (CVE-2024-9313).
    if scene.handle.user().as_deref() != Some(who.login.as_str()) {
        return scene.broken(&format!("PAM_USER is no longer {}, for whom the card was asked", who.login));
    }
    let login = who.login.clone();
    match Permit::from_login_grant(grant, nonce, who) {
        Ok((permit, marker)) => {
            if scene.handle.remember(Memory::Granted(marker)).is_err() {
                return scene.broken("libpam keeps no data for the module");
            }
            let account = grant.account.as_ref().map_or("-", |account| account.as_str());
            let (book, entry) = match grant.journal_index {
                Some(entry) => ("without the server, journal", entry),
                None => ("ledger", grant.ledger_index.unwrap_or_default()),
            };
            scene.log.info(&format!(
                "{login} allowed as account {account}, {book} entry {entry} [{}]",
                grant.correlation
            ));
            Outcome::Allowed(permit)
        }
        Err(error) => scene.broken(&format!("{login}: {error}")),
    }
}

fn password_instead(scene: &mut Scene<'_, '_>, who: Who) -> Outcome {
    if scene.handle.remember(Memory::PasswordInstead(who)).is_err() {
        return scene.broken("libpam keeps no data for the module");
    }
    Outcome::AgentDown { password_allowed: true }
}
