//! The programs people use, while the server is away.

use countersign_tests::site::{SILENT_REST, SOON, Weather, stack, talk};
use countersign_tests::{Machine, wait_until};

use super::{BY_ITSELF, PIN, scene, weather};

#[test]
fn sudo_and_su_work_without_the_server() {
    let machine = Machine::start().unwrap();
    for service in ["sudo", "su"] {
        machine.pam_service(service, &stack(SILENT_REST).unwrap()).unwrap();
    }
    let scene = scene(&machine, 20);
    machine.sudoers("Defaults timestamp_timeout=0\nDefaults !lecture\nana ALL=(root) ALL\n").unwrap();
    weather(&scene, Weather::Refused);

    let mut sudo = scene.ana.seat.command_as(&scene.ana.user, "sudo");
    sudo.args(["id", "-u"]);
    let ending = talk(&sudo, &PIN, SOON).unwrap().success().unwrap();
    assert!(ending.shown.lines().any(|line| line == "0"), "{}", ending.shown);

    let mut su = scene.olga.seat.command_as(&scene.olga.user, "su");
    su.args(["ana", "-c", "id -un"]);
    let ending = talk(&su, &PIN, SOON).unwrap().success().unwrap();
    assert!(ending.shown.lines().any(|line| line == "ana"), "{}", ending.shown);
    assert!(ending.shown.contains(BY_ITSELF), "{}", ending.shown);

    // A thread of its own writes the log.
    wait_until("both in the agent's log", SOON, || {
        let log = scene.site.agent_log();
        Ok((log.matches("event=login-allowed-offline").count() == 2).then_some(()))
    })
    .unwrap();
}
