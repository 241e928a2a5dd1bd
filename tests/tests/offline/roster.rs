//! The roster as it lies on the host's disk, unproven.

use countersign_protocol::roster::{Roster, SignedRoster};
use countersign_tests::site::{SOON, Scene};
use countersign_tests::wait_until;

pub(crate) const PATH: &str = "/var/lib/countersign/roster.json";

pub(crate) fn held(scene: &Scene<'_>) -> Option<Roster> {
    let bytes = std::fs::read(scene.site.machine.path(PATH)).ok()?;
    let signed: SignedRoster = serde_json::from_slice(&bytes).ok()?;
    Roster::from_bytes(&signed.roster.0).ok()
}

pub(crate) fn wait_for(scene: &Scene<'_>, like: impl Fn(&Roster) -> bool) -> Roster {
    wait_until("the roster", SOON, || Ok(held(scene).filter(&like))).unwrap()
}
