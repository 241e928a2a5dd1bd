//! A program of somebody else that is at the card all the time, and tries to sign with the PIN that a login opened.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use countersign_tests::site::{HostKey, PamClient, Person, SERVICE, Scene};
use countersign_tests::{Machine, SELECT, target_bin};

const LOGINS: usize = 50;

/// The thief at Ana's card; `opened` with a PIN that it knows.
fn thief(machine: &Machine, scene: &Scene<'_>, manner: &str, opened: &[&str]) -> Child {
    let mut command = machine.command_as(&scene.olga.user, target_bin("countersign-pcsc-probe").unwrap());
    command.arg("steal").arg(scene.ana.card.reader_name()).arg(manner).args(opened);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What it got.
fn caught(mut thief: Child) -> BTreeMap<String, u64> {
    drop(thief.stdin.take());
    let (mut told, mut complaint) = (String::new(), String::new());
    thief.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    thief.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    let ended = thief.wait().unwrap();
    assert!(ended.success(), "{ended}: {complaint}");
    serde_json::from_str(&told).unwrap()
}

fn loot(told: &BTreeMap<String, u64>) -> Vec<&String> {
    told.keys().filter(|what| what.ends_with("succeeded")).collect()
}

fn client(scene: &Scene<'_>) -> PamClient {
    let command = scene.console.command(PamClient::program().unwrap());
    PamClient::start(command, SERVICE, "ana").unwrap()
}

/// With an open PIN the thief takes all that it wants.
fn the_thief_is_able(machine: &Machine, scene: &Scene<'_>, manner: &str) {
    let verify = |which: &str| {
        let pin: String = Person::PIN.bytes().map(|byte| format!("{byte:02X}")).collect();
        format!("002000{which}{:02X}{pin}", Person::PIN.len())
    };
    scene.ana.card.keep_pin_open(Person::ADMIN_PIN).unwrap();
    let able = thief(machine, scene, manner, &[SELECT, &verify("81"), &verify("82")]);
    std::thread::sleep(Duration::from_millis(500));
    let told = caught(able);
    assert_eq!(loot(&told).len(), 3, "{told:?}");
    // Whatever it left open is closed.
    scene.ana.card.send(&[SELECT]).unwrap();
}

/// What stands right before the PIN.
const LOOKS: [&str; 3] = ["GET_DATA_C4", "GET_DATA_6E", "GET_DATA_F9"];

/// `login`: its commands, in one piece, after the one that reads the PIN's status: C4 while the card is known from a
/// moment ago, F9 as the last of what is read anew because another program was at it.
fn nothing_is_stolen(machine: &Machine, scene: &Scene<'_>, login: &[&str]) {
    scene.ana.card.reset_counts().unwrap();
    let thief = thief(machine, scene, "prowl", &[]);
    let mut client = client(scene);
    for number in 0..LOGINS {
        let answer = client.login(Some(Person::PIN)).unwrap();
        assert_eq!(answer.code, 0, "login {number}: {:?}", answer.shown);
    }
    let told = caught(thief);
    assert_eq!(loot(&told), [""; 0], "{told:?}");
    // It was there all the time, and nothing of its own came between the commands of any login.
    let tries: u64 = told.iter().filter(|(what, _)| what.ends_with("6982")).map(|(_, times)| times).sum();
    assert!(tries > 2 * LOGINS as u64, "{told:?}");
    assert!(told.contains_key("SharingViolation"), "it was never kept out: {told:?}");
    let counts = scene.ana.card.counts().unwrap();
    let is_whole = |part: &&[String]| {
        part.split_first().is_some_and(|(first, rest)| LOOKS.contains(&first.as_str()) && rest == login)
    };
    let whole = counts.order.windows(1 + login.len()).filter(is_whole).count();
    assert_eq!(whole, LOGINS, "{login:?} in one piece: {:?}", counts.by_name);
}

#[test]
fn a_program_that_comes_and_goes_all_the_time_never_signs_on_the_pin_of_fifty_logins() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    the_thief_is_able(&machine, &scene, "prowl");
    // A card that keeps its PIN open, and one that closes it after each signature.
    let login = ["VERIFY", "PSO_CDS", "VERIFY_UNDO"];
    nothing_is_stolen(&machine, &scene, &login);
    scene.ana.card.close_pin_after_each_signature(Person::ADMIN_PIN).unwrap();
    nothing_is_stolen(&machine, &scene, &login[..2]);
}

/// pcscd checks for transactions before a command waits for the reader, and not after: with many connections that
/// stay, commands wait that run between the PIN and the signature. So the card gets no PIN then.
#[test]
fn while_a_program_stays_connected_the_card_gets_no_pin_and_the_program_is_named() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    the_thief_is_able(&machine, &scene, "stay");
    let thief = thief(&machine, &scene, "stay", &[]);
    std::thread::sleep(Duration::from_millis(300));
    scene.ana.card.reset_counts().unwrap();
    let answer = client(&scene).login(Some(Person::PIN)).unwrap();
    assert_ne!(answer.code, 0);
    let shown = answer.shown.join("\n");
    assert!(shown.contains("countersign-pcs") && shown.contains("olga"), "{shown}");
    assert_eq!(scene.ana.card.counts().unwrap().of("VERIFY"), 0);
    let told = caught(thief);
    assert_eq!(loot(&told), [""; 0], "{told:?}");
    // And works when it is gone.
    let answer = client(&scene).login(Some(Person::PIN)).unwrap();
    assert_eq!(answer.code, 0, "{:?}", answer.shown);
}
