//! `pam_sm_setcred`: Countersign hands out no credentials. The hook exists because libpam fails a login whose
//! every auth module says IGNORE here. It asks nobody and says nothing to the person.

use crate::args::Args;
use crate::hook::{Managed, Scene};
use crate::outcome::Outcome;
use crate::permit::{Memory, Permit};

/// The hook.
pub(crate) fn run(scene: &mut Scene<'_, '_>, args: &Args) -> Outcome {
    let Managed { who, password_allowed, .. } = match scene.managed(args) {
        Ok(managed) => managed,
        Err(outcome) => return outcome,
    };
    match scene.handle.memory() {
        None => Outcome::NotAsked,
        Some(Memory::Granted(marker)) => {
            Permit::from_marker(marker, &who).map_or(Outcome::Broken, Outcome::Allowed)
        }
        Some(Memory::PasswordInstead(asked)) if *asked == who => Outcome::AgentDown { password_allowed },
        Some(Memory::PasswordInstead(_) | Memory::Refused) => Outcome::Broken,
    }
}
