//! A login with a card, through the real libpam, agent, server and pcscd; and what goes wrong with it.

use std::time::{Duration, Instant};

use countersign_tests::site::{HostKey, Person, SERVICE, SOON, Scene, Site, stack, talk};
use countersign_tests::{Dialogue, Machine, SessionSpec, wait_until};

const AUTH: &[&str] = &["authenticate"];

#[test]
fn ana_logs_in_with_her_card_and_the_host_keeps_its_key_on_its_own() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Card).unwrap();
    let host_card = scene.site.host_card.as_ref().unwrap();
    host_card.reset_counts().unwrap();
    scene.ana.card.reset_counts().unwrap();

    let ending = scene.ana_logs_in().unwrap();
    assert!(ending.shown.contains("(3 tries left)"), "{}", ending.shown);
    let counts = scene.ana.card.counts().unwrap();
    assert!(counts.total <= 5, "a login cost {counts:?}");
    assert_eq!(host_card.counts().unwrap().total, 0, "the host's card is off the hot path");
}

#[test]
fn a_second_login_costs_three_apdus() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.ana_logs_in().unwrap();
    scene.ana.card.reset_counts().unwrap();
    scene.ana_logs_in().unwrap();
    let counts = scene.ana.card.counts().unwrap();
    assert!(counts.total <= 3, "a warm login cost {counts:?}");
}

#[test]
fn wrong_pin_is_denied_and_the_tries_left_are_shown() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.ana.card.reset_counts().unwrap();
    let ending = scene.login(AUTH, &[("(3 tries left)", "999999")]).unwrap();
    assert!(!ending.status.success());
    assert!(ending.shown.contains("Wrong PIN"), "{}", ending.shown);
    assert!(ending.shown.contains("2 tries"), "{}", ending.shown);
    assert_eq!(scene.ana.card.counts().unwrap().of("VERIFY"), 1, "one PIN, one VERIFY");
    // The next prompt says so, and the right PIN brings the tries back.
    scene.login(AUTH, &[("(2 tries left)", Person::PIN)]).unwrap().success().unwrap();
    // It is reported while the next login goes on.
    let mut exports = 0;
    wait_until("the wrong PIN to be in the ledger", SOON, || {
        exports += 1;
        let listed = scene.ledger(&format!("wrong-pin-{exports}.jsonl"))?;
        Ok((listed.contains("wrong-pin") || listed.contains("Wrong PIN")).then_some(()))
    })
    .unwrap();
}

#[test]
fn the_last_try_is_spent_only_on_request_and_a_blocked_card_is_named() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.login(AUTH, &[("PIN for", "999999")]).unwrap();
    scene.login(AUTH, &[("PIN for", "999999")]).unwrap();
    scene.ana.card.reset_counts().unwrap();
    // Whoever just presses Enter keeps the last try.
    let ending = scene.login(AUTH, &[("Only one try is left", "")]).unwrap();
    assert!(!ending.status.success());
    assert_eq!(scene.ana.card.counts().unwrap().of("VERIFY"), 0, "{}", ending.shown);

    // Whoever spends it and is wrong is told what became of the card, and by the next login too.
    let spend = [("Only one try is left", "yes"), ("(1 try left)", "999999")];
    let ending = scene.login(AUTH, &spend).unwrap();
    assert!(!ending.status.success());
    assert!(ending.shown.contains("blocked"), "{}", ending.shown);
    let ending = scene.login(AUTH, &[]).unwrap();
    assert!(!ending.status.success());
    assert!(ending.shown.contains("blocked"), "{}", ending.shown);
    assert!(!ending.shown.contains("PIN for"), "{}", ending.shown);
}

#[test]
fn pulled_card_denies_and_says_so() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let mut command = scene.console.command("pamtester");
    command.args([SERVICE, "ana", "authenticate"]);
    let mut dialogue = Dialogue::start(&command).unwrap();
    dialogue.expect("PIN for", SOON).unwrap();
    scene.ana.card.pull().unwrap();
    let pulled = Instant::now();
    dialogue.send_line(Person::PIN).unwrap();
    dialogue.expect_eof(SOON).unwrap();
    assert!(pulled.elapsed() < Duration::from_secs(5), "took {:?}", pulled.elapsed());
    assert!(!dialogue.wait(SOON).unwrap().success());
    let shown = dialogue.transcript();
    assert!(shown.contains("The card was pulled out; put it in"), "{shown}");

    // And works again when it is back.
    scene.ana.card.wait_until_seen().unwrap();
    scene.ana.card.insert().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
    scene.ana_logs_in().unwrap();
    let listed = scene.ledger("pulled.jsonl").unwrap();
    assert!(listed.contains("pulled"), "{listed}");
}

#[test]
fn no_card_is_asked_for_and_waited_for() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.ana.card.pull().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
    let mut command = scene.console.command("pamtester");
    command.args([SERVICE, "ana", "authenticate"]);
    let mut dialogue = Dialogue::start(&command).unwrap();
    dialogue.expect("card", SOON).unwrap();
    scene.ana.card.insert().unwrap();
    dialogue.expect("PIN for", SOON).unwrap();
    dialogue.send_line(Person::PIN).unwrap();
    dialogue.expect_eof(SOON).unwrap();
    assert!(dialogue.wait(SOON).unwrap().success(), "{}", dialogue.transcript());
}

#[test]
fn caller_from_a_remote_session_never_reaches_the_card() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let remote = machine.session(SessionSpec::remote("r1", &scene.ana.user, "192.0.2.7")).unwrap();
    let sshd = machine.service_cgroup("ssh.service").unwrap();
    scene.ana.card.reset_counts().unwrap();

    let mut inside = remote.command("pamtester");
    inside.args([SERVICE, "ana", "authenticate"]);
    let mut daemon = sshd.command("pamtester");
    daemon.args([SERVICE, "ana", "authenticate"]);
    let mut says_remote = scene.console.command("pamtester");
    says_remote.args(["-I", "rhost=192.0.2.7", SERVICE, "ana", "authenticate"]);
    for command in [inside, daemon, says_remote] {
        let ending = talk(&command, &[], SOON).unwrap();
        assert!(!ending.status.success(), "{}", ending.shown);
        assert!(ending.shown.contains("seat"), "{}", ending.shown);
        assert!(!ending.shown.contains("PIN for"), "{}", ending.shown);
    }
    assert_eq!(scene.ana.card.counts().unwrap().total, 0, "not one APDU");
}

#[test]
fn a_flood_from_a_remote_session_is_one_ledger_entry_and_holds_up_no_login() {
    const TIMES: usize = 30;
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let remote = machine.session(SessionSpec::remote("r1", &scene.ana.user, "192.0.2.7")).unwrap();
    let mut flood = remote.command("sh");
    let again = format!("for i in $(seq {TIMES}); do pamtester {SERVICE} ana authenticate; done; exit 0");
    flood.args(["-c", &again]);
    let ending = talk(&flood, &[], SOON).unwrap();
    assert_eq!(ending.shown.matches("person at its seat").count(), TIMES, "{}", ending.shown);
    scene.ana_logs_in().unwrap();
    let listed = scene.ledger("flood.jsonl").unwrap();
    assert_eq!(listed.matches(": remote session as ana").count(), 1, "{listed}");
}

#[test]
fn session_in_the_background_never_reaches_the_card() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.ana.seat.set_active(false).unwrap();
    scene.ana.card.reset_counts().unwrap();
    let mut command = scene.ana.seat.command("pamtester");
    command.args([SERVICE, "ana", "authenticate"]);
    let ending = talk(&command, &[], SOON).unwrap();
    assert!(!ending.status.success(), "{}", ending.shown);
    assert_eq!(scene.ana.card.counts().unwrap().total, 0, "not one APDU");
}

#[test]
fn agent_down_with_card_required_denies() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.site.stop_agent().unwrap();
    let ending = scene.login(AUTH, &[]).unwrap();
    assert!(!ending.status.success());
    assert!(ending.shown.contains("agent is not running"), "{}", ending.shown);
    let ending = scene.login(&["acct_mgmt"], &[]).unwrap();
    assert!(!ending.status.success());
    scene.site.start_agent().unwrap();
    scene.ana_logs_in().unwrap();
}

#[test]
fn agent_down_with_password_allowed_asks_for_the_password_and_only_then() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.site.manage("user ana card-or-password\n").unwrap();
    let word = "#!/bin/sh\nIFS= read -r word\n[ \"$word\" = rosebud ]\n";
    machine.write("/run/check-the-word", word, 0o755).unwrap();
    let rest = "auth requisite pam_exec.so expose_authtok quiet /run/check-the-word\n\
                auth required pam_permit.so\naccount required pam_unix.so\n";
    let pam = stack(rest)
        .unwrap()
        .replace("ignore=ignore default=die", "ignore=ignore authinfo_unavail=ignore default=die");
    machine.pam_service(SERVICE, &pam).unwrap();

    // While the agent runs a password is not even asked for.
    let ending = scene.login(AUTH, &[("PIN for", "999999")]).unwrap();
    assert!(!ending.status.success() && !ending.shown.contains("Password"), "{}", ending.shown);

    scene.site.stop_agent().unwrap();
    let hooks = ["authenticate", "acct_mgmt"];
    let ending = scene.login(&hooks, &[("Password: ", "rosebud")]).unwrap();
    assert!(ending.status.success(), "{}", ending.shown);
    let ending = scene.login(&hooks, &[("Password: ", "wrong")]).unwrap();
    assert!(!ending.status.success(), "{}", ending.shown);
}

#[test]
fn account_without_our_authenticate_is_denied_unless_the_file_says_other_auth() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let ending = scene.login(&["acct_mgmt"], &[]).unwrap();
    assert!(!ending.status.success(), "{}", ending.shown);
    scene.site.manage(&format!("user ana card\nservice {SERVICE} other-auth\n")).unwrap();
    scene.login(&["acct_mgmt"], &[]).unwrap().success().unwrap();
}

#[test]
fn unmanaged_user_never_touches_the_agent() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.site.stop_agent().unwrap();
    // A trap where the agent was: whoever calls is heard.
    let trap = std::os::unix::net::UnixListener::bind(machine.path("/run/countersign/pam.sock"))
        .or_else(|_| {
            std::fs::remove_file(machine.path("/run/countersign/pam.sock"))?;
            std::os::unix::net::UnixListener::bind(machine.path("/run/countersign/pam.sock"))
        })
        .unwrap();
    trap.set_nonblocking(true).unwrap();
    machine.add_user("bob", 4300).unwrap();
    let rest = "auth required pam_permit.so\naccount required pam_permit.so\n";
    machine.pam_service(SERVICE, &stack(rest).unwrap()).unwrap();
    let mut command = scene.console.command("pamtester");
    command.args([SERVICE, "bob", "authenticate", "acct_mgmt", "setcred"]);
    talk(&command, &[], SOON).unwrap().success().unwrap();
    assert!(trap.accept().is_err(), "bob's login called the agent");
}

#[test]
fn server_down_denies_with_what_to_do_and_works_again_when_it_is_back() {
    let machine = Machine::start().unwrap();
    let mut site = Site::new(&machine, 2, HostKey::Sealed).unwrap();
    site.server.permit_offline(&machine, 24, 0).unwrap();
    site.put_to_work().unwrap();
    let mut scene = Scene::at(site).unwrap();
    scene.ana_logs_in().unwrap();
    scene.site.server.stop().unwrap();
    let ending = scene.login(AUTH, &[("PIN for", Person::PIN)]).unwrap();
    assert!(!ending.status.success());
    assert!(ending.shown.contains("server"), "{}", ending.shown);
    scene.site.server.start(&machine).unwrap();
    scene.ana_logs_in().unwrap();
}

#[test]
fn agent_restart_keeps_the_host_enrolled() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Card).unwrap();
    scene.site.stop_agent().unwrap();
    scene.site.start_agent().unwrap();
    scene.ana_logs_in().unwrap();
}

#[test]
fn killed_courier_is_replaced() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let agent = scene.site.agent.as_ref().unwrap().pid().to_string();
    let kill = talk(machine.command("pkill").args(["-KILL", "-P", &agent]), &[], SOON).unwrap();
    kill.success().unwrap();
    scene.ana_logs_in().unwrap();
}

#[test]
fn somebody_elses_card_opens_nothing() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.ana.card.pull().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
    scene.olga.card.reset_counts().unwrap();
    let mut command = scene.console.command("pamtester");
    command.args([SERVICE, "ana", "authenticate"]);
    let mut dialogue = Dialogue::start(&command).unwrap();
    dialogue.expect("card", SOON).unwrap();
    dialogue.send(b"\x03").unwrap();
    assert_eq!(scene.olga.card.counts().unwrap().of("VERIFY"), 0);
}

#[test]
fn login_try_goes_the_whole_path_for_oneself_only() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let pin = [("PIN for", Person::PIN)];
    let own = scene.ana.countersign(&["login", "try"]).unwrap();
    let ending = talk(&own, &pin, SOON).unwrap().success().unwrap();
    assert!(ending.shown.contains("Granted"), "{}", ending.shown);
    let others = scene.olga.countersign(&["login", "try", "ana"]).unwrap();
    let ending = talk(&others, &[], SOON).unwrap();
    assert!(!ending.status.success(), "{}", ending.shown);
    // Nobody's card opens Olga's login name here. However often she tries, the server is asked now and then.
    let contact = machine.path("/var/lib/countersign/check-in.json");
    let counter = || {
        let text = std::fs::read_to_string(&contact).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["counter"].as_u64().unwrap()
    };
    let (begun, before) = (std::time::Instant::now(), counter());
    for _ in 0..12 {
        let own = talk(&scene.olga.countersign(&["login", "try"]).unwrap(), &[], SOON).unwrap();
        assert!(own.shown.contains("No account may open olga"), "{}", own.shown);
    }
    let most = 2 + begun.elapsed().as_secs() / 10;
    assert!(counter() - before <= most, "{} check-ins", counter() - before);
}
