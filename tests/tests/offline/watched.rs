//! What changes at the server is known here at once.

use std::time::{Duration, Instant};

use countersign_tests::Machine;
use countersign_tests::site::Weather;

use super::attacks::{log_in_or_refused, revoke_ana};
use super::{log_in_online, roster, scene, weather};

#[test]
fn a_revoked_key_is_gone_from_a_host_within_five_seconds() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine, 20);
    log_in_online(&scene);
    revoke_ana(&scene);
    let revoked = Instant::now();
    roster::wait_for(&scene, |roster| roster.entries.iter().all(|entry| entry.accounts.is_empty()));
    let took = revoked.elapsed();
    println!("gone from the host {:.2} s after the revocation was acknowledged", took.as_secs_f64());
    assert!(took < Duration::from_secs(5), "{took:?}");
    weather(&scene, Weather::Refused);
    assert!(!log_in_or_refused(&scene));
}
