//! Requests whose answer is lost: by the network, by a program that left, by an agent that is killed. Nothing stays
//! unknown, and nothing happens twice.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says where"
)]

#[path = "settled/killed.rs"]
mod killed;
#[path = "settled/records.rs"]
mod records;
#[path = "settled/story.rs"]
mod story;

use countersign_tests::site::{HostKey, Person, SERVICE, SOON, Scene, Site, Way, Weather, talk};
use countersign_tests::{Dialogue, Machine, target_bin, wait_until};

use records::{all_is_settled, journal, ledger, status};

const PIN: [(&str, &str); 1] = [("PIN for", Person::PIN)];

/// A scene by a road, where nobody may log in without the server.
fn scene(machine: &Machine) -> Scene<'_> {
    let mut site = Site::by(Way::Road, machine, 2, HostKey::Sealed).unwrap();
    site.server.permit_offline(machine, 24, 0).unwrap();
    site.put_to_work().unwrap();
    let scene = Scene::at(site).unwrap();
    // The roster knows Ana, and the card is warm.
    scene.ana_logs_in().unwrap();
    scene
}

fn weather(scene: &Scene<'_>, weather: Weather) {
    scene.site.server.road.as_ref().unwrap().weather(weather).unwrap();
}

/// Ana's PIN is typed, and her request on its way, held up.
fn login_on_the_road(scene: &Scene<'_>) -> Dialogue {
    weather(scene, Weather::Held);
    let mut command = scene.console.command("pamtester");
    command.args([SERVICE, "ana", "authenticate"]);
    let mut dialogue = Dialogue::start(&command).unwrap();
    dialogue.expect("PIN for", SOON).unwrap();
    dialogue.send_line(Person::PIN).unwrap();
    // A check-in may be on the road as well; Ana's request is once it is in the journal's table.
    wait_until("the request to be sent", SOON, || Ok((records::open_rows(scene) > Some(0)).then_some(())))
        .unwrap();
    scene.site.server.road.as_ref().unwrap().wait_for_held(SOON).unwrap();
    dialogue
}

#[test]
fn an_administrators_request_whose_answer_was_lost_is_told_by_status_and_journal_and_done_once() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine);
    weather(&scene, Weather::AnswerLost);
    let ident = scene.olga.card.ident();
    let add = scene.olga.countersign(&["admin", "user", "add", "bob", "--card", &ident]).unwrap();
    let failed = talk(&add, &PIN, SOON).unwrap();
    assert_eq!(failed.code(), Some(5), "{}", failed.shown);
    let id = records::quoted(&failed.shown);

    let told = status(&scene);
    let open = told["unsettled"].as_array().unwrap();
    assert_eq!((open.len(), open[0]["correlation"].as_str()), (1, Some(id.as_str())), "{told}");
    let what = told["attention"].as_array().unwrap().iter().map(|one| one["what"].to_string());
    assert!(what.collect::<String>().contains("1 request has no known outcome: create account/bob by"));

    weather(&scene, Weather::Clear);
    all_is_settled(&scene);
    let story = journal(&scene, &["--correlation", &id]);
    let settled = story.iter().find(|entry| entry["event"] == "request-settled").unwrap();
    assert_eq!(settled["outcome"], "allowed");
    let index = settled["ledger_index"].as_u64().unwrap();
    let entries = ledger(&scene);
    let made: Vec<u64> = entries
        .iter()
        .filter(|entry| entry["resource"] == "account/bob")
        .map(|entry| entry["index"].as_u64().unwrap())
        .collect();
    assert_eq!(made, [index], "once, and there");
    // The person who asked sees it too, and Ana does not.
    let own = talk(&scene.olga.countersign(&["journal", "--correlation", &id]).unwrap(), &[], SOON).unwrap();
    let own = own.success().unwrap().shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(own.contains("a request to create account/bob"), "{own}");
    assert!(own.contains("the server had allowed it"), "{own}");
    let other = talk(&scene.ana.countersign(&["journal", "--correlation", &id]).unwrap(), &[], SOON).unwrap();
    assert_eq!(other.code(), Some(1), "{}", other.shown);
}

#[test]
fn a_login_that_never_reached_the_server_never_happens() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine);
    weather(&scene, Weather::Reset);
    let failed = scene.login(&["authenticate"], &PIN).unwrap();
    assert_ne!(failed.code(), Some(0), "{}", failed.shown);
    weather(&scene, Weather::Clear);
    all_is_settled(&scene);
    let settled = journal(&scene, &["--login", "ana"]);
    let settled = settled.iter().find(|entry| entry["event"] == "request-settled").unwrap();
    assert_eq!(settled["outcome"], "never-happened");
    let entries = ledger(&scene);
    let never = entries.iter().filter(|entry| entry["kind"] == "never-happened");
    let places: Vec<_> = never.map(|entry| entry["index"].clone()).collect();
    assert_eq!(places, [settled["ledger_index"].clone()]);
}

#[test]
fn what_was_sent_under_a_name_that_was_replaced_since_is_given_up_aloud_and_alarms_nobody() {
    let machine = Machine::start().unwrap();
    let mut scene = scene(&machine);
    weather(&scene, Weather::Reset);
    let failed = scene.login(&["authenticate"], &PIN).unwrap();
    assert_ne!(failed.code(), Some(0), "{}", failed.shown);
    scene.site.stop_agent().unwrap();
    let mut lose = machine.command("sh");
    lose.args(["-e", "-c", "rm /var/lib/countersign/instance-*"]);
    talk(&lose, &[], SOON).unwrap().success().unwrap();
    weather(&scene, Weather::Clear);
    scene.site.start_agent().unwrap();
    assert_eq!(status(&scene)["unsettled"].as_array().unwrap().len(), 1);
    let mut token = machine.command(target_bin("countersign-server").unwrap());
    token.args(["token", "--config", &scene.site.server.config, "rescue"]);
    let token = talk(&token, &[], SOON).unwrap().after("Enrolment token:").unwrap();
    let mut replace = machine.command(target_bin("countersign").unwrap());
    replace.args(["host", "replace", "--sealed", "--token", &token]);
    talk(&replace, &[], SOON).unwrap().success().unwrap();
    all_is_settled(&scene);
    let settled = journal(&scene, &["--login", "ana"]);
    let settled = settled.iter().find(|entry| entry["event"] == "request-settled").unwrap();
    assert_eq!(settled["outcome"], "forgotten");
    assert!(settled["told"].as_str().unwrap().contains("key was replaced since"), "{settled}");
    assert!(ledger(&scene).iter().all(|entry| entry["kind"] != "alarm"));
    scene.ana_logs_in().unwrap();
}

/// The state folder is a file system of its own in these machines.
const FILL: &str = "\
cd /var/lib/countersign
mount -o remount,size=$(($(df --output=used -k . | tail -1) + 64))k .
cat /dev/zero > filler 2>/dev/null || true
[ $(df --output=avail -k . | tail -1) = 0 ]
";

const MAKE_ROOM: &str = "\
mount -o remount,size=512m /var/lib/countersign
rm -f /var/lib/countersign/filler
";

#[test]
fn a_request_that_a_full_disk_cannot_take_is_asked_about_once_and_settled_when_there_is_room() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine);
    let shell = |script: &str| {
        let mut command = machine.command("sh");
        command.args(["-e", "-c", script]);
        talk(&command, &[], SOON).unwrap().success().unwrap();
    };
    weather(&scene, Weather::Reset);
    let failed = scene.login(&["authenticate"], &PIN).unwrap();
    assert_ne!(failed.code(), Some(0), "{}", failed.shown);
    shell(FILL);
    weather(&scene, Weather::Clear);
    let unsent = || {
        let log = scene.site.agent_log();
        let lines = log.lines().filter(|line| line.contains("reports-unsent") && line.contains("full"));
        lines.count()
    };
    wait_until("the server's answer", 3 * SOON, || Ok((unsent() > 0).then_some(()))).unwrap();
    let lines = || scene.site.agent_log().lines().count();
    let before = lines();
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(lines() < before + 20, "{}", scene.site.agent_log());
    shell(MAKE_ROOM);
    all_is_settled(&scene);
    let settled = journal(&scene, &["--login", "ana"]);
    let settled = settled.iter().find(|entry| entry["event"] == "request-settled").unwrap();
    assert_eq!(settled["outcome"], "never-happened");
    let entries = ledger(&scene);
    let never: Vec<_> = entries.iter().filter(|entry| entry["kind"] == "never-happened").collect();
    assert_eq!(never.len(), 1, "{never:#?}");
    assert_eq!(never[0]["index"], settled["ledger_index"]);
}

#[test]
fn a_login_whose_program_left_before_the_answer_is_in_the_ledger_as_never_opened() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine);
    let dialogue = login_on_the_road(&scene);
    drop(dialogue);
    weather(&scene, Weather::Clear);
    all_is_settled(&scene);
    let entries = ledger(&scene);
    let last: Vec<&str> = entries
        .iter()
        .filter(|entry| entry["login"] == "ana")
        .map(|entry| entry["reason"].as_str().unwrap())
        .collect();
    assert!(last.iter().any(|reason| reason.contains("the program that asked was gone")), "{last:#?}");
    scene.ana_logs_in().unwrap();
}

#[test]
fn an_agent_killed_while_its_request_is_on_the_way_finds_out_what_became_of_it() {
    let machine = Machine::start().unwrap();
    let mut scene = scene(&machine);
    for (arrives, outcome) in [(Weather::Clear, "allowed"), (Weather::Reset, "never-happened")] {
        let before = ledger(&scene).len();
        let mut dialogue = login_on_the_road(&scene);
        scene.site.agent.take().unwrap().kill().unwrap();
        dialogue.expect_eof(SOON).unwrap();
        assert!(!dialogue.wait(SOON).unwrap().success());
        // What was held up goes on its way, or is lost, with nobody there to hear of it.
        weather(&scene, arrives);
        weather(&scene, Weather::Clear);
        scene.site.start_agent().unwrap();
        all_is_settled(&scene);
        let settled = journal(&scene, &["--login", "ana"]);
        let settled = settled.iter().rfind(|entry| entry["event"] == "request-settled").unwrap();
        assert_eq!(settled["outcome"], outcome);
        let entries = ledger(&scene);
        let new: Vec<&serde_json::Value> =
            entries.iter().skip(before).filter(|entry| entry["login"] == "ana").collect();
        let kinds: Vec<&str> = new.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
        let expected: &[&str] = if outcome == "allowed" { &["job", "host-event"] } else { &[] };
        assert_eq!(kinds, expected, "{new:#?}");
        scene.ana_logs_in().unwrap();
    }
}

#[test]
fn a_login_that_this_host_decided_offline_is_not_called_unopened() {
    let machine = Machine::start().unwrap();
    let mut site = Site::by(Way::Road, &machine, 2, HostKey::Sealed).unwrap();
    site.server.permit_offline(&machine, 24, 20).unwrap();
    site.put_to_work().unwrap();
    let scene = Scene::at(site).unwrap();
    scene.ana_logs_in().unwrap();
    weather(&scene, Weather::AnswerLost);
    let ending = scene.login(&["authenticate"], &PIN).unwrap();
    assert_eq!(ending.code(), Some(0), "{}", ending.shown);
    assert!(ending.shown.contains("decided by itself"), "{}", ending.shown);
    weather(&scene, Weather::Clear);
    all_is_settled(&scene);
    let entries = journal(&scene, &["--login", "ana"]);
    let settled = entries.iter().rfind(|entry| entry["event"] == "request-settled").unwrap();
    assert_eq!(settled["outcome"], "allowed");
    assert!(settled["told"].as_str().unwrap().contains("after this host had decided"), "{settled}");
    assert!(entries.iter().all(|entry| entry["event"] != "never-opened"));
}
