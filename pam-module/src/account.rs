//! `pam_sm_acct_mgmt`: may this login be used? Yes after our own `authenticate` in this very handle; otherwise
//! only for services that root marked `other-auth`, and only if the agent says so.

use countersign_protocol::ids::{Nonce, ServiceName};
use countersign_protocol::ipc::{Account, LoginRequest};
use countersign_protocol::managed;

use crate::args::Args;
use crate::hook::{Managed, Scene};
use crate::outcome::Outcome;
use crate::permit::{Memory, Permit, Who};

/// The hook.
pub(crate) fn run(scene: &mut Scene<'_, '_>, args: &Args) -> Outcome {
    let Managed { who, password_allowed, other_auth } = match scene.managed(args) {
        Ok(managed) => managed,
        Err(outcome) => return outcome,
    };
    match scene.handle.memory() {
        Some(Memory::Granted(marker)) => match Permit::from_marker(marker, &who) {
            Some(permit) => {
                scene.log.debug(&format!("{} granted by request {}", who.login, marker.request()));
                Outcome::Allowed(permit)
            }
            None => scene.broken(&format!(
                "the card was asked for another login or service than {} in {}",
                who.login, who.service
            )),
        },
        Some(Memory::PasswordInstead(asked)) if *asked == who && password_allowed => {
            Outcome::AgentDown { password_allowed }
        }
        Some(Memory::PasswordInstead(_) | Memory::Refused) => {
            scene.broken(&format!("{}: the card login in this transaction was refused", who.login))
        }
        None if other_auth => ask(scene, args, &who, password_allowed),
        None => scene.turned_away(
            &format!(
                "{} denied: no card was asked for. If {} authenticates in another way and shall be allowed to, \
                 add `service {} other-auth` to {}",
                who.login,
                who.service,
                who.service,
                managed::PATH
            ),
            &without_card(&who.service),
        ),
    }
}

/// What to do, in the words of the program that asked for no card.
fn without_card(service: &ServiceName) -> String {
    match service.as_str() {
        "sudo" | "sudo-i" => {
            "This needs your card. sudo remembers that it asked before, which does not count here. \
                              Run: sudo -k, and then the command again."
                .to_owned()
        }
        service => format!(
            "This login needs a card, and {service} asked for none. Log in with your card at the machine itself, or \
             ask an administrator whether {service} may let you in without."
        ),
    }
}

fn ask(scene: &mut Scene<'_, '_>, args: &Args, who: &Who, password_allowed: bool) -> Outcome {
    let Ok(nonce) = Nonce::new(scene.random) else {
        return scene.broken("the kernel gave no random bytes");
    };
    let request =
        LoginRequest::Account(Account { login: who.login.clone(), service: who.service.clone(), nonce });
    let grant = match scene.ask(args, who, password_allowed, "an account check", &request) {
        Ok(grant) => grant,
        Err(outcome) => return outcome,
    };
    match Permit::from_bare_grant(&grant, &nonce) {
        Ok(permit) => {
            scene.log.info(&format!("{} may use {} [{}]", who.login, who.service, grant.correlation));
            Outcome::Allowed(permit)
        }
        Err(error) => scene.broken(&format!("{}: {error}", who.login)),
    }
}
