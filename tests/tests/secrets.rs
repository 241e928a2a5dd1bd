//! Where PINs are not: in no program's memory once the card has them, in no log, in no file.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_tests::memory::{forms_in, search, wait_until_nothing_is_found};
use countersign_tests::site::{HostKey, PamClient, Person, SERVICE, SILENT_REST, SOON, Scene, Site, stack};
use countersign_tests::{Dialogue, Machine, Pins, Touch, target_bin, wait_until};

/// As people have them, and one that fits into no register.
const SHORT: &str = "84726193";
const LONG: &str = "tango-8472-canary-6193-quebec-0358-whisky";

/// A moment for a thread to wipe what it holds, on a busy machine.
const FORGETTING: Duration = Duration::from_secs(8);

/// Out and in again: programs read the card anew.
fn put_in_anew(scene: &Scene<'_>) {
    scene.ana.card.pull().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
    scene.ana.card.insert().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
}

fn agent(site: &Site<'_>) -> u32 {
    site.agent.as_ref().unwrap().pid()
}

/// A program with the module, and the agent it calls.
struct Watched {
    client: PamClient,
    agent: u32,
}

impl Watched {
    fn of(scene: &Scene<'_>) -> Self {
        let command = scene.console.command(PamClient::program().unwrap());
        Self { client: PamClient::start(command, SERVICE, "ana").unwrap(), agent: agent(&scene.site) }
    }

    fn login(&mut self, pin: Option<&str>) -> bool {
        self.client.login(pin).unwrap().code == 0
    }

    #[track_caller]
    fn have_forgotten(&self, secret: &str, when: &str) {
        for (who, pid) in [("the agent", self.agent), ("the program with the module", self.client.pid())] {
            match wait_until_nothing_is_found(pid, secret.as_bytes(), FORGETTING) {
                Ok(searched) => assert!(searched.bytes > 50_000, "{who} was not looked through"),
                Err(trouble) => panic!("{who}, {when}: {trouble}"),
            }
        }
    }
}

fn nothing_stays_of(pin: &str) {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let card = &scene.ana.card;
    card.change_pin(Person::PIN, pin).unwrap();
    let mut watched = Watched::of(&scene);

    assert!(watched.login(Some(pin)));
    watched.have_forgotten(pin, "after a login");

    // What must be there is found, so that what is not found is not there.
    assert!(!search(watched.agent, scene.site.server.url.as_bytes()).unwrap().traces.is_empty());
    // Warm: the second command is VERIFY.
    assert!(watched.login(Some(pin)));
    card.hang(2).unwrap();
    watched.client.begin(Some(pin)).unwrap();
    wait_until("the card to hang", SOON, || Ok(card.status()?.hanging.then_some(()))).unwrap();
    let found = search(watched.agent, pin.as_bytes()).unwrap();
    assert!(found.traces.iter().any(|trace| trace.form == "as it is"), "while the card has it: {found:?}");
    card.resume().unwrap();
    assert_eq!(watched.client.finish().unwrap().code, 0);
    watched.have_forgotten(pin, "after a slow VERIFY");

    let wrong = pin.chars().rev().collect::<String>();
    assert!(!watched.login(Some(&wrong)));
    watched.have_forgotten(&wrong, "after a wrong PIN");
    assert!(watched.login(Some(pin)));

    assert!(!watched.login(None));
    watched.have_forgotten(pin, "after a cancelled login");

    card.pull_at(3).unwrap();
    assert!(!watched.login(Some(pin)));
    watched.have_forgotten(pin, "after the card was pulled at the signature");
    card.wait_until_seen().unwrap();
    card.insert().unwrap();
    card.wait_until_seen().unwrap();

    card.want_touch(Person::ADMIN_PIN, true).unwrap();
    put_in_anew(&scene);
    card.touch(Touch::Require).unwrap();
    watched.client.begin(Some(pin)).unwrap();
    card.wait_until_it_asks_for_a_touch(SOON).unwrap();
    watched.have_forgotten(pin, "while the card waits for a touch");
    card.touch(Touch::Grant).unwrap();
    assert_eq!(watched.client.finish().unwrap().code, 0);
    watched.have_forgotten(pin, "after a touch");

    // The program is killed while the card blinks.
    card.touch(Touch::Require).unwrap();
    watched.client.begin(Some(pin)).unwrap();
    card.wait_until_it_asks_for_a_touch(SOON).unwrap();
    let agent = watched.agent;
    drop(watched);
    card.touch(Touch::Grant).unwrap();
    wait_until_nothing_is_found(agent, pin.as_bytes(), FORGETTING).unwrap();
}

#[test]
fn nothing_of_a_short_pin_stays_in_the_agent_or_the_module_after_any_login() {
    nothing_stays_of(SHORT);
}

#[test]
fn nothing_of_a_long_pin_stays_in_the_agent_or_the_module_after_any_login() {
    nothing_stays_of(LONG);
}

#[test]
fn nothing_of_a_pin_or_its_hash_stays_where_the_card_wants_it_hashed() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let card = &scene.ana.card;
    card.change_pin(Person::PIN, LONG).unwrap();
    let derived = card.want_hashed_pins(Pins { user: LONG, admin: Person::ADMIN_PIN }).unwrap();
    put_in_anew(&scene);
    let mut watched = Watched::of(&scene);
    assert!(watched.login(Some(LONG)));
    let hash_is_gone =
        |watched: &Watched| wait_until_nothing_is_found(watched.agent, &derived, FORGETTING).map(drop);
    watched.have_forgotten(LONG, "after a login");
    hash_is_gone(&watched).unwrap();

    // Warm: the second command is VERIFY.
    assert!(watched.login(Some(LONG)));
    card.hang(2).unwrap();
    watched.client.begin(Some(LONG)).unwrap();
    wait_until("the card to hang", SOON, || Ok(card.status()?.hanging.then_some(()))).unwrap();
    assert!(!search(watched.agent, &derived).unwrap().traces.is_empty(), "while the card has it");
    card.resume().unwrap();
    assert_eq!(watched.client.finish().unwrap().code, 0);
    watched.have_forgotten(LONG, "after a slow VERIFY");
    hash_is_gone(&watched).unwrap();
}

#[test]
fn nothing_of_new_pins_stays_in_the_agent_after_a_registration() {
    const ADMIN: &str = "zulu-5820-admin-9471-yankee";
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let code = scene.olga.administer(&["admin", "user", "add", "carl"]).unwrap().after("code").unwrap();
    scene.ana.card.pull().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
    let carl = scene.site.person("carl", 4202, 2).unwrap();
    carl.register_with("carl", &code, LONG, ADMIN).unwrap();
    for pin in [LONG, ADMIN] {
        wait_until_nothing_is_found(agent(&scene.site), pin.as_bytes(), FORGETTING).unwrap();
    }
}

#[test]
fn nothing_of_a_typed_pin_stays_in_the_command_line_while_the_card_waits() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let card = &scene.ana.card;
    card.change_pin(Person::PIN, LONG).unwrap();
    card.want_touch(Person::ADMIN_PIN, true).unwrap();
    put_in_anew(&scene);
    card.touch(Touch::Require).unwrap();
    let mut dialogue = Dialogue::start(&scene.ana.countersign(&["login", "try"]).unwrap()).unwrap();
    dialogue.expect("PIN for", SOON).unwrap();
    assert!(!search(dialogue.pid(), b"LC_ALL=C.UTF-8").unwrap().traces.is_empty());
    dialogue.send_line(LONG).unwrap();
    card.wait_until_it_asks_for_a_touch(SOON).unwrap();
    wait_until_nothing_is_found(dialogue.pid(), LONG.as_bytes(), FORGETTING).unwrap();
    card.touch(Touch::Grant).unwrap();
    assert!(dialogue.wait(SOON).unwrap().success(), "{}", dialogue.transcript());
}

/// The secret halves of a certificate's keys.
fn secret_halves(bytes: &[u8]) -> Vec<Vec<u8>> {
    use sequoia_openpgp::crypto::mpi::SecretKeyMaterial;
    use sequoia_openpgp::packet::key::SecretKeyMaterial as Kept;
    let cert = countersign_protocol::certificate::parse_secret(bytes).unwrap();
    let half = |kept: &Kept| match kept {
        Kept::Unencrypted(kept) => kept.map(|half| match half {
            SecretKeyMaterial::EdDSA { scalar } | SecretKeyMaterial::ECDH { scalar } => {
                scalar.value().to_vec()
            }
            SecretKeyMaterial::Ed25519 { x } | SecretKeyMaterial::X25519 { x } => x.to_vec(),
            other => panic!("{other:?}"),
        }),
        Kept::Encrypted(_) => panic!("a key with a password"),
    };
    cert.keys().secret().map(|key| half(key.key().secret())).collect()
}

#[test]
fn the_instances_own_key_lies_in_no_memory_in_the_clear() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    // Generated and written by this process, then read back and used by another.
    for when in ["as it was enrolled", "as it was started again"] {
        scene.ana_logs_in().unwrap();
        let kept: Vec<PathBuf> = std::fs::read_dir(machine.path("/var/lib/countersign"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().contains("/instance-"))
            .collect();
        let [kept] = kept.as_slice() else { panic!("one key of the host, not sealed: {kept:?}") };
        let halves = secret_halves(&std::fs::read(kept).unwrap());
        assert!(!halves.is_empty());
        // OpenPGP and OpenSSL do not write all of them in the same order.
        let reversed: Vec<Vec<u8>> = halves.iter().map(|half| half.iter().rev().copied().collect()).collect();
        for half in halves.into_iter().chain(reversed) {
            let searched = search(agent(&scene.site), &half).unwrap();
            assert!(searched.traces.is_empty(), "{when}: {}", searched.told());
        }
        scene.site.stop_agent().unwrap();
        scene.site.start_agent().unwrap();
    }
}

#[test]
fn no_pin_is_in_any_log_or_file_however_much_is_logged() {
    let machine = Machine::start().unwrap();
    let log = machine.start_system_log().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let talkative = stack(SILENT_REST).unwrap().replace("countersign.so\n", "countersign.so debug\n");
    assert!(talkative.contains(" debug\n"));
    machine.pam_service(SERVICE, &talkative).unwrap();
    // What makes programs of this kind talk, should a library listen.
    scene.site.stop_agent().unwrap();
    let mut command = machine.command(target_bin("countersignd").unwrap());
    command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    scene.site.agent = Some(machine.spawn("talkative", &mut command).unwrap());
    scene.ana.card.change_pin(Person::PIN, LONG).unwrap();

    let wrong = LONG.chars().rev().collect::<String>();
    let mut watched = Watched::of(&scene);
    wait_until("a login with the restarted agent", SOON, || Ok(watched.login(Some(LONG)).then_some(())))
        .unwrap();
    assert!(!watched.login(Some(&wrong)));
    assert!(watched.login(Some(LONG)));
    scene.ana.card.pull_at(3).unwrap();
    assert!(!watched.login(Some(LONG)));
    scene.site.stop_agent().unwrap();

    let told = log.text();
    for (who, word) in [("countersignd", "event=login"), ("pam_countersign", "ledger entry")] {
        assert!(told.contains(who) && told.contains(word), "{who} logs {word:?}:\n{told}");
    }
    let mut places = vec![(PathBuf::from("syslog"), told.into_bytes())];
    places.push(("the server".into(), scene.site.server.log().into_bytes()));
    for folder in ["/var/lib/countersign", "/var/lib/countersign-server", "/run/countersign", "/var/log"] {
        read_all(&machine.path(folder), &mut places);
    }
    // Standard output and error of every program.
    read_all(machine.scratch(), &mut places);
    assert!(places.iter().any(|(path, _)| path.ends_with("journal.sqlite")));
    for (path, bytes) in &places {
        for pin in [LONG, &wrong] {
            assert_eq!(forms_in(bytes, pin.as_bytes()).unwrap(), [""; 0], "{}", path.display());
        }
    }
}

fn read_all(folder: &Path, into: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => read_all(&entry.path(), into),
            Ok(kind) if kind.is_file() => into.push((entry.path(), std::fs::read(entry.path()).unwrap())),
            _ => {}
        }
    }
}
