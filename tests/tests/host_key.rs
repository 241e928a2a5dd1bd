//! The key that names a host: changed, lost, copied.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use std::path::PathBuf;

use countersign_tests::site::{Ending, HostKey, KEY_GENERATION, SOON, Scene, talk};
use countersign_tests::{CardSpec, Machine, target_bin, wait_until};
use serde_json::Value;

const STATE: &str = "/var/lib/countersign";

/// `countersign` as root.
fn as_root(machine: &Machine, arguments: &[&str], answers: &[(&str, &str)]) -> Ending {
    let mut command = machine.command(target_bin("countersign").unwrap());
    command.args(arguments);
    talk(&command, answers, KEY_GENERATION).unwrap()
}

fn status(machine: &Machine) -> Value {
    let shown = as_root(machine, &["status", "--json"], &[]).shown;
    serde_json::from_str(shown.trim()).unwrap_or_else(|error| panic!("{error}: {shown}"))
}

fn instance(machine: &Machine) -> String {
    status(machine).get("instance").unwrap().as_str().unwrap().to_owned()
}

/// Files of the agent's state folder whose names begin like this.
fn files(machine: &Machine, prefix: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(machine.path(STATE)).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(prefix)).collect()
}

/// Olga and Ana go on as if nothing had happened, and the ledger holds.
fn all_is_well(scene: &Scene<'_>, name: &str) -> String {
    scene.ana_logs_in().unwrap();
    let token = format!("after-{name}");
    scene.olga.administer(&["admin", "token", "add", &token]).unwrap();
    let export = scene.export(&format!("{name}.jsonl")).unwrap();
    let verify = scene.olga.countersign(&["ledger", "verify", &export]).unwrap();
    talk(&verify, &[], SOON).unwrap().success().unwrap();
    talk(&scene.olga.countersign(&["ledger", "show", &export]).unwrap(), &[], SOON).unwrap().shown
}

#[test]
fn sealed_key_is_rotated_and_everything_follows_at_once() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.ana_logs_in().unwrap();
    let before = instance(&machine);
    assert_eq!(files(&machine, "instance-").len(), 1);

    let ending = as_root(&machine, &["host", "rotate-key", "--sealed"], &[]).success().unwrap();
    assert!(ending.shown.contains("has a new key"), "{}", ending.shown);
    let after = instance(&machine);
    assert_ne!(before, after);
    assert_eq!(status(&machine).get("state").unwrap(), "active");
    // The old secret is gone, and nothing is left to finish.
    let kept = files(&machine, "instance-");
    assert!(kept.len() == 1 && kept.iter().all(|path| path.to_string_lossy().contains(&after)), "{kept:?}");
    assert!(files(&machine, "rotation.json").is_empty());
    let listed = all_is_well(&scene, "rotated");
    assert!(listed.contains("host key replaced"), "{listed}");

    // A restart finds the new key.
    scene.site.stop_agent().unwrap();
    scene.site.start_agent().unwrap();
    assert_eq!(instance(&machine), after);
    all_is_well(&scene, "restarted");
    // It is for root alone.
    let ending =
        talk(&scene.ana.countersign(&["host", "rotate-key", "--sealed"]).unwrap(), &[], SOON).unwrap();
    assert_eq!(ending.code(), Some(7), "{}", ending.shown);
}

/// A token, made on the server's own machine.
fn token_from_the_servers_machine(scene: &Scene<'_>, machine: &Machine, name: &str) -> String {
    let mut command = machine.command(target_bin("countersign-server").unwrap());
    command.args(["token", "--config", &scene.site.server.config, name]);
    let shown = talk(&command, &[], SOON).unwrap().success().unwrap();
    shown.after("Enrolment token:").unwrap()
}

#[test]
fn host_whose_key_is_lost_gets_another_and_keeps_its_server_and_what_waits() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let before = instance(&machine);
    scene.ana_logs_in().unwrap();
    // Something waits for the server, and then the key is gone.
    scene.site.server.process.take().unwrap().terminate(SOON).unwrap();
    scene.login(&["authenticate"], &[("PIN for", "999999")]).unwrap();
    scene.site.stop_agent().unwrap();
    for key in files(&machine, "instance-") {
        std::fs::remove_file(key).unwrap();
    }
    scene.site.server.start(&machine).unwrap();
    scene.site.start_agent().unwrap();
    let told = status(&machine).get("attention").unwrap().to_string();
    assert!(told.contains("countersign host replace"), "{told}");
    let waiting = || status(&machine).pointer("/reports/unsent").and_then(Value::as_u64).unwrap();
    assert_eq!(waiting(), 1);

    // No host is left to administer from: the server's own machine makes the token.
    let token = token_from_the_servers_machine(&scene, &machine, "rescue");
    let ending =
        as_root(&machine, &["host", "replace", "--token", &token, "--sealed"], &[]).success().unwrap();
    let revoke = format!("countersign admin host revoke {before}");
    assert!(ending.shown.contains(&revoke) && ending.shown.contains("is active"), "{}", ending.shown);
    let after = instance(&machine);
    assert_ne!(before, after);
    let aside = machine.path(STATE).join(format!("replaced-{before}"));
    assert!(aside.join("instance.json").is_file());

    scene.olga.administer(&["admin", "host", "revoke", &before]).unwrap();
    wait_until("what waited to be sent", SOON, || Ok((waiting() == 0).then_some(()))).unwrap();
    let listed = all_is_well(&scene, "replaced");
    for expected in ["wrong pin", "enrolment token rescue", "revoke instance/"] {
        assert!(listed.contains(expected), "no {expected}:\n{listed}");
    }
    // The old key does not come back with the old files.
    scene.site.stop_agent().unwrap();
    std::fs::copy(aside.join("instance.json"), machine.path(STATE).join("instance.json")).unwrap();
    scene.site.start_agent().unwrap();
    assert!(!scene.login(&["authenticate"], &[]).map_or(true, |ending| ending.status.success()));
}

#[test]
fn host_whose_card_is_lost_goes_on_with_a_file_or_another_card() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Card).unwrap();
    let before = instance(&machine);
    scene.site.host_card.take().unwrap().pull().unwrap();
    // The session keys last.
    scene.ana_logs_in().unwrap();
    let token = token_from_the_servers_machine(&scene, &machine, "to-file");
    as_root(&machine, &["host", "replace", "--token", &token, "--sealed"], &[]).success().unwrap();
    let sealed = instance(&machine);
    all_is_well(&scene, "to-file");

    let other = machine.card(0, CardSpec::new("00000002")).unwrap();
    other.wait_until_seen().unwrap();
    let token = token_from_the_servers_machine(&scene, &machine, "to-card");
    let ident = other.ident();
    let arguments = ["host", "replace", "--token", &token, "--card", &ident];
    as_root(&machine, &arguments, &[("Type yes", "yes")]).success().unwrap();
    for old in [&before, &sealed] {
        assert_ne!(instance(&machine), *old);
        scene.olga.administer(&["admin", "host", "revoke", old]).unwrap();
    }
    assert!(status(&machine).get("key_store").unwrap().to_string().contains(&ident));
    // Both cards' PINs are kept: nobody else knows them.
    assert_eq!(files(&machine, "host-card-").len(), 2);
    all_is_well(&scene, "to-card");
}

/// The agent, killed when one of its threads is about to put its `n`-th file in place, or to remove it.
fn start_agent_that_dies(scene: &mut Scene<'_>, machine: &Machine, at: &str, n: u32) {
    let mut traced = machine.command("strace");
    let (trace, kill) = (format!("trace={at}"), format!("inject={at}:signal=KILL:when={n}"));
    traced.args(["-f", "-qqq", "-o", "/dev/null", "-e", &trace, "-e", &kill]);
    if at == "unlink" {
        // Sockets and the like are removed at every start.
        traced.args(["-P", &format!("{STATE}/roster.json"), "-P", &format!("{STATE}/rotation.json")]);
    }
    traced.arg(target_bin("countersignd").unwrap());
    scene.site.agent = Some(machine.spawn("countersignd-dying", &mut traced).unwrap());
    let socket = machine.path("/run/countersign/user.sock");
    wait_until("the agent to have checked in, or its end", SOON, || {
        if has_ended(scene) {
            return Ok(Some(()));
        }
        if std::os::unix::net::UnixStream::connect(&socket).is_err() {
            return Ok(None);
        }
        let shown = as_root(machine, &["status", "--json"], &[]).shown;
        let status: Value = serde_json::from_str(shown.trim()).unwrap_or_default();
        let is_in = |what: &str| status.pointer(what).is_some_and(Value::is_string);
        Ok((is_in("/session_keys_until") && is_in("/server/last_answer")).then_some(()))
    })
    .unwrap();
}

fn has_ended(scene: &mut Scene<'_>) -> bool {
    scene.site.agent.as_mut().is_none_or(|agent| agent.ended().unwrap().is_some())
}

/// A tracer that is killed lets its program go; one whose program is killed ends.
fn end_traced_agent(scene: &mut Scene<'_>) {
    let Some(mut strace) = scene.site.agent.take() else { return };
    let children = format!("/proc/{0}/task/{0}/children", strace.pid());
    for child in std::fs::read_to_string(children).unwrap_or_default().split_whitespace() {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.parse().unwrap()), nix::sys::signal::SIGKILL)
            .unwrap();
    }
    strace.wait(SOON).unwrap();
}

/// Changes the key again and again, by an agent that dies one write later each time, until it no longer does. However
/// it ends, the next agent has a key that the server takes, and people log in.
fn survives_death_at_every_write(scene: &mut Scene<'_>, machine: &Machine, arguments: &[&str]) {
    for (at, enough) in [("rename", 7), ("unlink", 2)] {
        let (mut before, mut deaths, mut changed, mut survived) = (instance(machine), 0, 0, 0);
        for n in 1..30 {
            let died = changes_key_and_dies(scene, machine, arguments, at, n);
            let now = instance(machine);
            changed += u32::from(died && now != before);
            (before, deaths) = (now, deaths + u32::from(died));
            // Which write is which depends on who comes first; it is over when there are no more.
            survived += u32::from(!died);
            if survived == 3 {
                break;
            }
        }
        assert!(survived == 3 && deaths >= enough && changed > 0, "{at}: {deaths} deaths, {changed} changes");
    }
    let listed = all_is_well(scene, "survived");
    assert!(!listed.contains("ALARM"), "{listed}");
}

/// Whether it died.
fn changes_key_and_dies(
    scene: &mut Scene<'_>,
    machine: &Machine,
    arguments: &[&str],
    at: &str,
    n: u32,
) -> bool {
    scene.site.stop_agent().unwrap();
    start_agent_that_dies(scene, machine, at, n);
    let ending = as_root(machine, arguments, &[]);
    let died = wait_until("the agent's end", std::time::Duration::from_millis(200), || {
        Ok(has_ended(scene).then_some(()))
    })
    .is_ok();
    assert!(died || ending.code() == Some(0), "{at} {n}: {}", ending.shown);
    end_traced_agent(scene);
    scene.site.start_agent().unwrap();
    wait_until("the host to work again", SOON, || {
        let status = status(machine);
        let active = status.get("state").and_then(Value::as_str) == Some("active");
        let until = status.get("session_keys_until").is_some_and(Value::is_string);
        Ok((active && until && files(machine, "rotation.json").is_empty()).then_some(()))
    })
    .unwrap_or_else(|trouble| panic!("{at} {n}: {trouble}\n{}\n{}", scene.site.agent_log(), status(machine)));
    scene.ana_logs_in().unwrap_or_else(|trouble| panic!("{at} {n}: {trouble}"));
    let keys = files(machine, "instance-").len();
    assert!(keys <= 1 + files(machine, "enrolment.json").len(), "{at} {n}: {keys} keys");
    died
}

#[test]
fn sealed_key_survives_an_agent_killed_at_every_write_of_a_rotation() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    survives_death_at_every_write(&mut scene, &machine, &["host", "rotate-key", "--sealed"]);
}

/// Leaves a change of the key that nobody knows the end of.
fn break_off_a_rotation(scene: &mut Scene<'_>, machine: &Machine) {
    for n in 1..30 {
        scene.site.stop_agent().unwrap();
        start_agent_that_dies(scene, machine, "rename", n);
        as_root(machine, &["host", "rotate-key", "--sealed"], &[]);
        std::thread::sleep(std::time::Duration::from_millis(200));
        end_traced_agent(scene);
        let kept = |name: &str, field: &str| -> Option<Value> {
            let text = std::fs::read(machine.path(STATE).join(name)).ok()?;
            serde_json::from_slice::<Value>(&text).ok()?.get(field).cloned()
        };
        let old = kept("rotation.json", "old");
        if old.is_some() && old == kept("instance.json", "fingerprint") {
            return;
        }
        scene.site.start_agent().unwrap();
        wait_until("the host to work again", SOON, || {
            Ok(status(machine).get("session_keys_until").is_some_and(Value::is_string).then_some(()))
        })
        .unwrap();
    }
    panic!("it is never left unfinished");
}

#[test]
fn host_whose_keys_are_lost_amid_a_rotation_is_not_locked_out_by_it() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    break_off_a_rotation(&mut scene, &machine);
    let kept = std::fs::read_to_string(&files(&machine, "rotation.json")[0]).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    let fields: Vec<&String> = kept.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["old", "base", "key_store"], "no secret, and nothing that is too old one day");
    let keys = files(&machine, "instance-");
    assert_eq!(keys.len(), 2, "{keys:?}");
    for key in keys {
        std::fs::remove_file(key).unwrap();
    }
    scene.site.start_agent().unwrap();
    let token = token_from_the_servers_machine(&scene, &machine, "rescue");
    let arguments = ["host", "replace", "--token", &token, "--sealed"];
    let ending = as_root(&machine, &arguments, &[]).success().unwrap();
    assert!(ending.shown.contains("was interrupted"), "{}\n{}", ending.shown, scene.site.agent_log());
    assert!(files(&machine, "rotation.json").is_empty());
    let now = instance(&machine);
    all_is_well(&scene, "replaced");
    scene.site.stop_agent().unwrap();
    scene.site.start_agent().unwrap();
    all_is_well(&scene, "restarted");
    assert_eq!(instance(&machine), now);
}

#[test]
fn sealed_key_survives_an_agent_killed_at_every_write_of_a_replacement() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let (mut deaths, mut survived) = (0, 0);
    for n in 1..40 {
        let before = instance(&machine);
        let token = token_from_the_servers_machine(&scene, &machine, &format!("n{n}"));
        let arguments = ["host", "replace", "--token", &token, "--sealed"];
        let died = changes_key_and_dies(&mut scene, &machine, &arguments, "rename", n);
        if instance(&machine) == before {
            // What broke off goes on when the same is asked again.
            as_root(&machine, &arguments, &[]).success().unwrap();
            scene.ana_logs_in().unwrap_or_else(|trouble| panic!("{n}: {trouble}"));
        }
        assert_ne!(instance(&machine), before, "{n}");
        (deaths, survived) = (deaths + u32::from(died), survived + u32::from(!died));
        if survived == 2 {
            break;
        }
    }
    assert!(survived == 2 && deaths >= 6, "{deaths} deaths");
    assert!(files(&machine, "enrolment.json").is_empty());
    let listed = all_is_well(&scene, "survived");
    assert!(!listed.contains("ALARM"), "{listed}");
}

#[test]
fn server_restored_from_a_backup_is_an_alarm_until_root_accepts_its_ledger() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let shell = |script: &str| {
        let mut command = machine.command("sh");
        command.args(["-e", "-c", script]);
        talk(&command, &[], SOON).unwrap().success().unwrap();
    };
    let ending = as_root(&machine, &["host", "accept-ledger"], &[]);
    assert!(ending.shown.contains("nothing to accept"), "{}", ending.shown);
    scene.site.server.process.take().unwrap().terminate(SOON).unwrap();
    shell("cp -a /var/lib/countersign-server /var/lib/countersign/backup");
    scene.site.server.start(&machine).unwrap();
    all_is_well(&scene, "before");
    // The host has seen that.
    scene.site.stop_agent().unwrap();
    scene.site.start_agent().unwrap();
    scene.ana_logs_in().unwrap();
    // Its disk is lost, and the backup put in its place.
    scene.site.server.process.take().unwrap().terminate(SOON).unwrap();
    shell("cd /var/lib/countersign-server; rm -rf -- *; cp -aT /var/lib/countersign/backup .");
    scene.site.server.start(&machine).unwrap();
    let alarm = || status(&machine).pointer("/server/alarm").and_then(Value::as_str).map(str::to_owned);
    wait_until("the alarm", KEY_GENERATION, || {
        // Somebody needs the server: it is asked at once.
        let _ = scene.login(&["acct_mgmt"], &[]);
        Ok(alarm())
    })
    .unwrap();
    let told = status(&machine).get("attention").unwrap().to_string();
    assert!(told.contains("host accept-ledger"), "{told}");

    let ending = as_root(&machine, &["host", "accept-ledger"], &[("Type yes", "no")]);
    assert!(ending.code() != Some(0) && alarm().is_some(), "{}", ending.shown);
    let ending = as_root(&machine, &["host", "accept-ledger"], &[("Type yes", "yes")]).success().unwrap();
    assert!(ending.shown.contains("The alarm: "), "{}", ending.shown);
    assert_eq!(alarm(), None);
    let listed = all_is_well(&scene, "accepted");
    assert!(listed.contains("accepted a ledger with"), "{listed}");
    scene.site.stop_agent().unwrap();
    scene.site.start_agent().unwrap();
    all_is_well(&scene, "restarted");
    assert_eq!(alarm(), None);
}

#[test]
fn key_on_the_hosts_card_is_rotated_on_that_card_while_the_old_one_still_signs() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Card).unwrap();
    let ident = scene.site.host_card.as_ref().unwrap().ident();
    let mut names = vec![instance(&machine)];
    // From the one slot into the other, and back.
    for turn in ["first", "second", "third"] {
        let ending = as_root(&machine, &["host", "rotate-key", "--card", &ident], &[]).success().unwrap();
        assert!(ending.shown.contains(&ident), "{}", ending.shown);
        let now = instance(&machine);
        assert!(!names.contains(&now), "{turn}");
        names.push(now);
        all_is_well(&scene, turn);
    }
    // A restart finds it in its slot. People's logins cost the card nothing.
    scene.site.stop_agent().unwrap();
    scene.site.start_agent().unwrap();
    scene.ana_logs_in().unwrap();
    let card = scene.site.host_card.as_ref().unwrap();
    card.reset_counts().unwrap();
    scene.ana_logs_in().unwrap();
    assert_eq!(card.counts().unwrap().total, 0);

    // From the card into a file, and to another card.
    as_root(&machine, &["host", "rotate-key", "--sealed"], &[]).success().unwrap();
    all_is_well(&scene, "sealed");
    scene.site.host_card.take().unwrap().pull().unwrap();
    let other = machine.card(0, CardSpec::new("00000002")).unwrap();
    other.wait_until_seen().unwrap();
    let arguments = ["host", "rotate-key", "--card", &other.ident()];
    as_root(&machine, &arguments, &[("Type yes", "yes")]).success().unwrap();
    all_is_well(&scene, "other-card");
    assert_eq!(files(&machine, "instance-").len(), 0, "no key is left in a file");
}

#[test]
fn key_on_a_card_survives_an_agent_killed_at_every_write_of_a_rotation() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Card).unwrap();
    let ident = scene.site.host_card.as_ref().unwrap().ident();
    survives_death_at_every_write(&mut scene, &machine, &["host", "rotate-key", "--card", &ident]);
}

#[test]
fn copy_of_a_hosts_disk_alarms_once_and_stops_new_keys_but_not_logins_until_an_administrator_decides() {
    let desk = Machine::start().unwrap();
    let scene = Scene::on(&desk, HostKey::Sealed).unwrap();
    let (machine, copied) = (Machine::start().unwrap(), Machine::start().unwrap());
    let mut host = scene.second_host(&machine).unwrap();
    let code = scene.olga.administer(&["admin", "user", "add", "bob"]).unwrap().after("code").unwrap();
    let bob = host.person("bob", 4301, 1).unwrap();
    bob.register("bob", &code).unwrap();
    let name = instance(&machine);

    // The disk as it is now, in another machine.
    let mut copy = countersign_tests::site::Site::new(&copied, 1, HostKey::Sealed).unwrap();
    let mut take = machine.command("cp");
    take.args(["-a", STATE]).arg(machine.scratch().join("copy"));
    talk(&take, &[], SOON).unwrap().success().unwrap();
    let mut put = copied.command("cp");
    put.args(["-aT"]).arg(machine.scratch().join("copy")).arg(STATE);
    talk(&put, &[], SOON).unwrap().success().unwrap();
    copy.start_agent().unwrap();
    let is_forked = |machine: &Machine| status(machine).get("forked") == Some(&Value::Bool(true));
    wait_until("both to hear of it", KEY_GENERATION, || {
        Ok((is_forked(&machine) && is_forked(&copied)).then_some(()))
    })
    .unwrap();
    let ending = as_root(&machine, &["host", "rotate-key", "--sealed"], &[]);
    assert!(ending.shown.contains("two hosts"), "{}", ending.shown);
    // Logins go on, also after a restart, which ends the session keys.
    host.manage("user bob card\n").unwrap();
    let login = bob.countersign(&["login", "try", "bob"]).unwrap();
    let logs_in =
        || talk(&login, &[("PIN for", countersign_tests::site::Person::PIN)], SOON).unwrap().success();
    logs_in().unwrap();
    host.stop_agent().unwrap();
    host.start_agent().unwrap();
    logs_in().unwrap();
    assert!(is_forked(&machine));

    // The copy is switched off, and an administrator decides.
    copy.stop_agent().unwrap();
    let listed = all_is_well(&scene, "forked");
    assert_eq!(listed.matches("ALARM").count(), 1, "{listed}");
    let ending = scene.olga.administer(&["admin", "host", "resume", &name]).unwrap();
    assert!(ending.shown.contains("mark as seen twice is lifted"), "{}", ending.shown);
    wait_until("the host to hear of it", KEY_GENERATION, || Ok((!is_forked(&machine)).then_some(())))
        .unwrap();
    as_root(&machine, &["host", "rotate-key", "--sealed"], &[]).success().unwrap();
}
