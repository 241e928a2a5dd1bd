//! `pam_sm_chauthtok`: for a login that needs a card, `passwd` changes the card's PIN.

use countersign_protocol::ids::Nonce;
use countersign_protocol::ipc::{LoginRequest, PinChange};
use pam::constants::{PAM_CHANGE_EXPIRED_AUTHTOK, PamFlag};

use crate::args::Args;
use crate::hook::{Managed, Scene};
use crate::outcome::Outcome;
use crate::permit::{Permit, Who};

/// `_pam_types.h`; libpam sets one of them, and calls twice.
const PRELIM_CHECK: PamFlag = 0x4000;
const UPDATE_AUTHTOK: PamFlag = 0x2000;

/// Proof that a change of something else than a card's PIN is wanted. Minted only in this file; with it the hook
/// answers `PAM_IGNORE`, which grants nothing: the modules below decide about the password that they keep.
#[must_use]
pub(crate) struct StandAside(());

impl StandAside {
    fn of(flags: PamFlag, real_user_is_root: bool, login: &str) -> Option<Self> {
        // A card's PIN does not expire; a password may.
        let of_expiry = flags & PAM_CHANGE_EXPIRED_AUTHTOK != 0;
        // Root cannot know another's PIN, and changes their password.
        let of_another = real_user_is_root && login != "root";
        (of_expiry || of_another).then_some(Self(()))
    }

    #[cfg(test)]
    pub(crate) const fn for_tests() -> Self {
        Self(())
    }
}

/// The hook.
pub(crate) fn run(scene: &mut Scene<'_, '_>, args: &Args) -> Outcome {
    let Managed { who, .. } = match scene.managed(args) {
        Ok(managed) => managed,
        Err(outcome) => return outcome,
    };
    if let Some(proof) = StandAside::of(scene.flags, nix::unistd::getuid().is_root(), who.login.as_str()) {
        return Outcome::StandsAside(proof);
    }
    if !scene.can_ask() {
        return scene.nobody_to_ask(&who);
    }
    let Ok(nonce) = Nonce::new(scene.random) else {
        return scene.broken("the kernel gave no random bytes");
    };
    let ask = PinChange {
        login: who.login.clone(),
        service: who.service.clone(),
        tty: scene.handle.tty(),
        remote_host: scene.handle.remote_host(),
        remote_user: scene.handle.remote_user(),
        nonce,
    };
    let request = match (scene.flags & PRELIM_CHECK != 0, scene.flags & UPDATE_AUTHTOK != 0) {
        (true, false) => LoginRequest::PinCheck(ask),
        (false, true) => LoginRequest::PinChange(ask),
        _ => return scene.broken("libpam calls for a change and does not say for which step of it"),
    };
    answer(scene, args, &who, &nonce, &request)
}

fn answer(scene: &Scene<'_, '_>, args: &Args, who: &Who, nonce: &Nonce, request: &LoginRequest) -> Outcome {
    // While the agent is down there is nobody to change a PIN, whatever else is allowed.
    let grant = match scene.ask(args, who, false, "the change of a PIN", request) {
        Ok(grant) => grant,
        Err(outcome) => return outcome,
    };
    match Permit::from_bare_grant(&grant, nonce) {
        Ok(permit) => {
            if matches!(request, LoginRequest::PinChange(_)) {
                scene.log.info(&format!("{} has a new PIN [{}]", who.login, grant.correlation));
            }
            Outcome::Allowed(permit)
        }
        Err(error) => scene.broken(&format!("{}: {error}", who.login)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_aside_for_a_password_that_expired_and_for_root_with_another_s_and_for_nothing_else() {
        for (flags, root, login, aside) in [
            (PRELIM_CHECK, false, "ana", false),
            (UPDATE_AUTHTOK, false, "ana", false),
            (UPDATE_AUTHTOK, true, "root", false),
            (UPDATE_AUTHTOK, false, "root", false),
            (UPDATE_AUTHTOK, true, "ana", true),
            (UPDATE_AUTHTOK | PAM_CHANGE_EXPIRED_AUTHTOK, false, "ana", true),
            (PRELIM_CHECK | PAM_CHANGE_EXPIRED_AUTHTOK, true, "root", true),
            (0, false, "ana", false),
        ] {
            assert_eq!(StandAside::of(flags, root, login).is_some(), aside, "{flags:x} {root} {login}");
        }
    }
}
