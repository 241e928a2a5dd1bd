//! What becomes of a session when its card is taken out. logind's program is a script here, that writes down what it is
//! asked; the real one is asked in a booted Debian.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::time::Duration;

use countersign_tests::booted::{Booted, Key};
use countersign_tests::site::{HostKey, Person, SILENT_REST, SOON, Scene, module_path, stack};
use countersign_tests::{Dialogue, Machine, wait_until};

const HEARD: &str = "/run/loginctl.heard";

/// Longer than a card may be away.
const LONG: Duration = Duration::from_millis(3600);

/// `login` is set to end a session, `su` to lock it.
fn scene(machine: &Machine) -> Scene<'_> {
    let mut scene = Scene::on(machine, HostKey::Sealed).unwrap();
    machine.write("/run/loginctl", &format!("#!/bin/sh\necho \"$@\" >> {HEARD}\n"), 0o755).unwrap();
    machine.write(HEARD, "", 0o600).unwrap();
    let path = machine.path("/etc/countersign/agent.toml");
    let settings = std::fs::read_to_string(&path).unwrap();
    let section =
        "[card_removal]\nloginctl = \"/run/loginctl\"\nservices = { login = \"end\", su = \"lock\" }\n";
    machine.write("/etc/countersign/agent.toml", &format!("{settings}\n{section}"), 0o644).unwrap();
    scene.site.stop_agent().unwrap();
    scene.site.start_agent().unwrap();
    for service in ["login", "su"] {
        let session = format!("session optional {}\n", module_path().unwrap().display());
        machine.pam_service(service, &(stack(SILENT_REST).unwrap() + &session)).unwrap();
    }
    scene
}

fn heard(machine: &Machine) -> String {
    std::fs::read_to_string(machine.path(HEARD)).unwrap()
}

/// `login` for Ana, in her session.
fn logs_in(scene: &Scene<'_>) -> Dialogue {
    let mut command = scene.ana.seat.command("login");
    command.arg("ana");
    let mut login = Dialogue::start(&command).unwrap();
    login.expect("PIN for", SOON).unwrap();
    login.send_line(Person::PIN).unwrap();
    login.expect("$ ", SOON).unwrap();
    login
}

/// What logind writes down when a program opens a session: that it is its leader.
fn leads(machine: &Machine, login: &Dialogue) {
    let path = machine.path("/run/systemd/sessions/c4201");
    let session = std::fs::read_to_string(&path).unwrap();
    let lines = session.lines().map(|line| match line.starts_with("LEADER=") {
        true => format!("LEADER={}\n", login.pid()),
        false => format!("{line}\n"),
    });
    std::fs::write(path, lines.collect::<String>()).unwrap();
}

#[test]
fn a_session_ends_without_its_card_also_when_the_agent_was_started_anew_meanwhile() {
    let machine = Machine::start().unwrap();
    let mut scene = scene(&machine);
    let login = logs_in(&scene);
    leads(&machine, &login);

    // Put in again at once.
    let card = &scene.ana.card;
    for _ in 0..3 {
        card.pull().unwrap();
        card.wait_until_seen().unwrap();
        card.insert().unwrap();
        card.wait_until_seen().unwrap();
    }
    std::thread::sleep(LONG);
    assert_eq!(heard(&machine), "");

    scene.site.stop_agent().unwrap();
    scene.site.start_agent().unwrap();
    scene.ana.card.pull().unwrap();
    wait_until("the session's end", SOON, || {
        Ok((heard(&machine) == "terminate-session c4201\n").then_some(()))
    })
    .unwrap();
    scene.ana.card.insert().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
    let ledger = scene.ledger("removed.jsonl").unwrap();
    assert!(ledger.contains("The card of ana was taken out: its session c4201 was ended."), "{ledger}");
    std::thread::sleep(LONG);
    assert_eq!(heard(&machine).lines().count(), 1);
    drop(login);
}

#[test]
fn a_session_that_the_card_did_not_open_goes_on_without_it() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine);
    // Another program opened the session in which this one was called: with a password, perhaps.
    let login = logs_in(&scene);
    scene.ana.card.pull().unwrap();
    wait_until("the agent's word", SOON, || {
        let log = scene.site.agent_log();
        Ok(log.contains("the program did not open the session that it is in").then_some(()))
    })
    .unwrap();
    assert_eq!(heard(&machine), "");
    drop(login);
}

/// As the agent runs it, root by number and in the agent's sandbox, but with no capability at all, and where no polkit is
/// there to ask.
#[test]
fn the_real_logind_ends_a_session_for_an_agent_without_capabilities() {
    let machine = Machine::start().unwrap();
    let (debian, mut console) = Booted::start(&machine, 1).unwrap();
    console.login("root", &[("Password: ", Key::new("root's password", "rootword"))]).unwrap();
    let asked = |verb: &str| {
        let script = format!(
            "unit=$(systemctl show -p FragmentPath --value countersignd.service)
             set --
             while IFS= read -r line; do
                 case $line in
                 Capability*|NoNew*|Limit*|Keyring*|Protect*|Inaccessible*|ReadOnly*|Private*|Device*|Restrict*|Lock*|Memory*|SystemCall*)
                     case $line in *Restart=*|*RestartSec=*) ;; *) set -- \"$@\" -p \"$line\" ;; esac ;;
                 esac
             done < \"$unit\"
             [ $# -gt 15 ]
             id=$(loginctl list-sessions --no-legend | awk '$3 == \"root\" {{ print $1; exit }}')
             [ -n \"$id\" ]
             systemd-run --quiet --pipe --wait \"$@\" -p CapabilityBoundingSet= \\
                 env -i /usr/bin/loginctl {verb} \"$id\""
        );
        debian.administer(&script).unwrap()
    };
    debian.administer("systemctl mask --now polkit.service").unwrap();
    asked("lock-session");
    asked("terminate-session");
    console.expect("login: ").unwrap();
}
