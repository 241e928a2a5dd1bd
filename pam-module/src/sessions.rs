//! `pam_sm_open_session` and `pam_sm_close_session`: the agent is told that a session of a managed login began or
//! ended.
//!
//! The login was decided before: whatever comes of telling, the session goes on. A note that cannot be written must
//! lock nobody out.

use countersign_protocol::ids::CorrelationId;
use countersign_protocol::ipc::{LoginReply, LoginRequest, Noted, SessionClosed, SessionOpened};

use crate::args::Args;
use crate::hook::{Managed, Scene};
use crate::outcome::Outcome;
use crate::permit::{Memory, Permit, SessionMark, Who};

/// The hook at its beginning.
pub(crate) fn opened(scene: &mut Scene<'_, '_>, args: &Args) -> Outcome {
    let Managed { who, .. } = match scene.managed(args) {
        Ok(managed) => managed,
        Err(outcome) => return outcome,
    };
    let request = LoginRequest::SessionOpened(SessionOpened {
        login: who.login.clone(),
        service: who.service.clone(),
        tty: scene.handle.tty(),
        remote_host: scene.handle.remote_host(),
        remote_user: scene.handle.remote_user(),
        correlation: granted_here(scene, &who),
    });
    let Some(correlation) = tell(scene, args, &who, "began", &request) else { return Outcome::NotNoted };
    if scene.handle.remember_session(SessionMark { who, correlation }).is_err() {
        scene.log.error(
            "libpam keeps no data for the module: the session's end will be told without its beginning",
        );
    }
    Outcome::Noted
}

/// The hook at its end.
pub(crate) fn closed(scene: &mut Scene<'_, '_>, args: &Args) -> Outcome {
    let Managed { who, .. } = match scene.managed(args) {
        Ok(managed) => managed,
        Err(outcome) => return outcome,
    };
    // Without word of its beginning the login's id is what else may end with it.
    let opened = scene.handle.session().filter(|mark| mark.who == who).map(|mark| mark.correlation.clone());
    let request = LoginRequest::SessionClosed(SessionClosed {
        login: who.login.clone(),
        service: who.service.clone(),
        correlation: opened.or_else(|| granted_here(scene, &who)),
    });
    match tell(scene, args, &who, "ended", &request) {
        Some(_) => Outcome::Noted,
        None => Outcome::NotNoted,
    }
}

/// The login that was granted in this very handle, for this login and service.
fn granted_here(scene: &Scene<'_, '_>, who: &Who) -> Option<CorrelationId> {
    match scene.handle.memory() {
        Some(Memory::Granted(marker)) => {
            Permit::from_marker(marker, who).map(|_| marker.correlation().clone())
        }
        _ => None,
    }
}

fn tell(
    scene: &Scene<'_, '_>,
    args: &Args,
    who: &Who,
    what: &str,
    request: &LoginRequest,
) -> Option<CorrelationId> {
    let why = match scene.call(args, request) {
        Ok(LoginReply::Noted(Noted { correlation })) => {
            scene.log.info(&format!("a session of {} {what} [{correlation}]", who.login));
            return Some(correlation);
        }
        Ok(LoginReply::Failed { kind, message, correlation }) => format!("{kind}: {message} [{correlation}]"),
        Ok(_) => "the agent answered with something else".to_owned(),
        // An agent of the release before hangs up on a request that it does not know.
        Err(error) => error.to_string(),
    };
    scene.log.error(&format!("a session of {} {what}, and that is not written down: {why}", who.login));
    None
}
