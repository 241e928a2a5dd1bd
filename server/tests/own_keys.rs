//! The server's own keys: exchanged while it works, destroyed afterwards, and the primary key elsewhere.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::ids::Digest;
use countersign_protocol::limits;
use countersign_protocol::message::CheckIn;
use countersign_protocol::random::SystemRandom;
use countersign_server::data::DataFolder;
use countersign_server::doors::openpgp::OpenPgpDoor;
use countersign_server::open::{Charter, open_with};
use countersign_server::own_keys::Primary;
use countersign_server::store::CrashPoint;
use countersign_server_core::server_keys::{ServerKeys, life};
use countersign_server_core::stop::Failure;
use nix::sys::signal::Signal;
use sequoia_openpgp::packet::key::SecretKeyMaterial;

use crate::client::carrier::{Carrier as _, Direct, Http};
use crate::client::host::Host;
use crate::client::newcomer::Newcomer;
use crate::client::open_reply;
use crate::database::Intruder;
use crate::fixture::{Server, URL};
use crate::program::{Made, Program, fails, get, init, run};

const DAY: i64 = 86_400;
/// These tests ask for the certificate until it has changed.
const LOOKED_AT_OFTEN: &str = "[limits]\nstrangers_per_minute = 100000\nhosts_per_second = 100000\n";

/// As hosts get it from the running program.
fn told(program: &Program) -> Cert {
    certificate::parse(&get(program.port, "/v1/certificate").body).unwrap()
}

fn key(arguments: &[&str], made: &Made) -> String {
    let output = run(&[&["key"], arguments, &["--config", made.config.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn token(made: &Made, name: &str) -> String {
    let output = run(&["token", "--config", made.config.to_str().unwrap(), name]);
    let told = String::from_utf8(output.stdout).unwrap();
    told.split_whitespace().nth(2).unwrap().to_owned()
}

fn until(mut done: impl FnMut() -> bool) {
    assert!(
        (0..600).any(|_| {
            std::thread::sleep(Duration::from_millis(25));
            done()
        }),
        "it never came"
    );
}

fn host(made: &Made, program: &Program, server: Option<&Cert>, token: &str) -> Host {
    let carrier = Arc::new(Http { port: program.port });
    let mut newcomer = Newcomer::new(&made.bundle, carrier, Arc::new(SystemClock));
    newcomer.server = server.cloned().unwrap_or(newcomer.server);
    newcomer.enrol(Some(token))
}

fn newest(cert: &Cert) -> std::time::SystemTime {
    cert.keys().subkeys().map(|key| key.key().creation_time()).max().unwrap()
}

/// Whether the server opens what is sealed to this certificate, and who asks understands the answer.
fn hello(server: &Server, door: &OpenPgpDoor, to: &Cert) -> (u16, bool) {
    let mut newcomer = Newcomer::new(&server.bundle, Arc::new(Direct(door.clone())), server.clock.clone());
    newcomer.server = to.clone();
    let hello = newcomer.hello();
    let answer = newcomer.carrier.carry(hello.bytes()).unwrap();
    let opened = open_reply(&answer.body, &newcomer.ephemeral, to, &hello, server.clock_now());
    (answer.status, opened.is_ok())
}

/// A check-in with the certificate that this host has.
fn asks(host: &Host, counter: u64) -> CheckIn {
    let has = Digest::of(&certificate::to_bytes(&host.server).unwrap());
    CheckIn {
        server_certificate: Some(has),
        counter,
        ledger_size: 0,
        logins: Vec::new(),
        services: Vec::new(),
        version: None,
    }
}

#[test]
fn an_exchange_of_subkeys_under_load_loses_no_message() {
    let made = init();
    made.configure(LOOKED_AT_OFTEN);
    let program = Program::start(&made.config, &[]);
    let hosts: Vec<Host> =
        ["a", "b"].iter().map(|name| host(&made, &program, None, &token(&made, name))).collect();
    let (over, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for host in &hosts {
            scope.spawn(|| {
                for counter in 1.. {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    // Opened and verified with what was there before any exchange.
                    let _reply = host.check_in(counter, 0, &[]);
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let mut before = told(&program);
        for round in 0..3 {
            // Two pairs never have the same time.
            std::thread::sleep(Duration::from_millis(1100));
            key(&["rotate"], &made);
            program.signal(Signal::SIGHUP);
            until(|| newest(&told(&program)) > newest(&before));
            let after = told(&program);
            certificate::takes_place_of(&after, &before, SystemClock.now()).unwrap();
            // One that begins with the new certificate is understood as well.
            let late = host(&made, &program, Some(&after), &token(&made, &format!("late-{round}")));
            let _reply = late.check_in(1, 0, &[]);
            before = after;
        }
        over.store(true, Ordering::SeqCst);
    });
    assert!(answered.load(Ordering::SeqCst) > 20, "{answered:?}");
    // And the next check-in tells them.
    let host = &hosts[0];
    let asked = asks(host, 1_000_000);
    let reply: countersign_protocol::message::CheckInReply = host.ask(&asked).body().unwrap();
    assert_eq!(reply.server_certificate.unwrap().0, get(program.port, "/v1/certificate").body);
}

#[test]
fn subkeys_are_exchanged_by_themselves_and_old_secrets_are_destroyed_after_the_overlap() {
    let server = Server::new();
    let door = server.openpgp_door();
    let primary = || Some(Primary::read(&server.folder).unwrap().certificate().clone());
    let keep = || door.keep_keys(primary, 7).unwrap();
    let host = server.host();
    assert_eq!(keep(), None);
    let first = certificate::parse(&door.certificate()).unwrap();
    assert_eq!(certificate::to_bytes(&first).unwrap(), server.bundle.server_certificate.0);

    server.clock.turn(7 * DAY);
    assert!(keep().unwrap().contains("made new subkeys"));
    assert_eq!(keep(), None);
    let second = certificate::parse(&door.certificate()).unwrap();
    certificate::takes_place_of(&second, &first, server.clock_now()).unwrap();
    assert!(server.entries().pop().unwrap().detail.contains_key("encryption-subkey"));

    // Within the overlap: sealed to the old key, answered under the old key.
    server.clock.turn(limits::SERVER_KEY_OVERLAP - 60);
    assert_eq!(keep(), None);
    let hello = |to: &Cert| hello(&server, &door, to);
    assert_eq!(hello(&first), (200, true));
    assert_eq!(hello(&second), (200, true));

    // After it: nothing opens what is sealed to the old key, and the new one signs.
    server.clock.turn(61);
    assert!(keep().unwrap().contains("destroyed the secrets"));
    assert_eq!(hello(&first).0, 400);
    assert_eq!(hello(&second), (200, true));
    let late = server.openpgp_door();
    assert_eq!(late.certificate(), door.certificate(), "a restart changes nothing");

    // What a host was given under the old key before is worth something still, as long as it lives.
    assert!(certificate::signing_keys(&second, server.clock_now()).len() == 2);
    drop(host);
}

#[test]
fn subkeys_made_for_fewer_days_than_are_configured_later_never_end_unexchanged() {
    for days in [30, 90] {
        let server = Server::new();
        let door = server.openpgp_door();
        let primary = || Some(Primary::read(&server.folder).unwrap().certificate().clone());
        assert_eq!(door.keep_keys(primary, days).unwrap(), None);
        server.clock.turn(7 * DAY);
        assert!(door.keep_keys(primary, days).unwrap().unwrap().contains("made new subkeys"), "{days}");
        let (ends, made) = door.core().identity().newest();
        assert!(ends.unwrap().seconds_since(made.unwrap()) > i64::from(days) * DAY, "{days}");
        // As long as they were made for, and not before.
        server.clock.turn(i64::from(days) * DAY - 1);
        assert!(!door.keep_keys(primary, days).unwrap().is_some_and(|done| done.contains("made")), "{days}");
        server.clock.turn(1);
        assert!(door.keep_keys(primary, days).unwrap().unwrap().contains("made new subkeys"), "{days}");
    }
}

#[test]
fn a_clock_that_leapt_past_the_end_of_all_subkeys_heals_without_a_restart() {
    let server = Server::new();
    let door = server.openpgp_door();
    let primary = || Some(Primary::read(&server.folder).unwrap().certificate().clone());
    server.clock.turn(60 * DAY);
    assert!(door.keep_keys(|| None, 30).is_err(), "nothing can be done without the primary key");
    assert!(door.keep_keys(primary, 30).unwrap().unwrap().contains("made new subkeys"));
    let now = certificate::parse(&door.certificate()).unwrap();
    assert_eq!(hello(&server, &door, &now), (200, true));

    // The same at a start, for as many days as are configured.
    server.clock.turn(60 * DAY);
    let charter = Charter { rotate_days: 30, ..server.charter.clone() };
    let (database, random) = (crate::database::of(&server.folder), Arc::new(SystemRandom));
    let crash = CrashPoint::never();
    let core =
        open_with(&server.folder, &database, URL, charter, crash, server.clock.clone(), random).unwrap();
    let (ends, made) = core.identity().newest();
    assert!(ends.unwrap().seconds_since(made.unwrap()) > 30 * DAY);
}

#[test]
fn subkeys_made_elsewhere_long_before_they_are_imported_overlap_as_long_as_any() {
    let server = Server::new();
    let door = server.openpgp_door();
    let first = certificate::parse(&door.certificate()).unwrap();
    let primary = Primary::read(&server.folder).unwrap();
    let brought = ServerKeys::of(primary.certificate()).unwrap();
    server.clock.turn(60);
    let brought = brought.renewed(primary.certificate(), server.clock_now(), life(90), false).unwrap();
    let brought = ServerKeys::from_file(&brought.to_file().unwrap()).unwrap();
    server.clock.turn(5 * DAY);
    let now = server.clock_now();
    let taken = door.core().custody().exchange(now, |held| {
        let joined = held.unwrap().joined(&brought, now).map_err(|error| Failure::Keys(error.to_string()))?;
        Ok(Some((joined, "brought")))
    });
    assert!(taken.is_ok_and(|version| version.is_some()));

    let keep = || door.keep_keys(|| None, 7).unwrap();
    assert!(keep().unwrap().contains("elsewhere"));
    let second = certificate::parse(&door.certificate()).unwrap();
    certificate::takes_place_of(&second, &first, server.clock_now()).unwrap();
    // Read again from the store, it is no other.
    server.clock.turn(limits::SERVER_KEY_OVERLAP - 1);
    assert_eq!(keep(), None);
    for door in [&door, &server.openpgp_door()] {
        assert_eq!(hello(&server, door, &first), (200, true));
        assert_eq!(hello(&server, door, &second), (200, true));
    }
    server.clock.turn(1);
    assert!(keep().unwrap().contains("destroyed the secrets"));
    assert_eq!(hello(&server, &door, &first).0, 400);
    assert_eq!(hello(&server, &door, &second), (200, true));
}

#[test]
fn a_roster_under_an_older_subkey_stays_good_for_its_life() {
    let server = Server::new();
    let door = server.openpgp_door();
    let host = server.host();
    server.clock.turn(3600);
    let reply = host.check_in(1, 0, &[]);
    let primary = || Some(Primary::read(&server.folder).unwrap().certificate().clone());
    server.clock.turn(7 * DAY - 3600);
    door.keep_keys(primary, 7).unwrap();
    let now = certificate::parse(&door.certificate()).unwrap();
    let open = |by: &Cert| {
        countersign_protocol::envelope::open_roster(
            &reply.roster,
            by,
            &host.fingerprint(),
            server.clock_now(),
        )
    };
    assert!(open(&now).is_ok(), "the host has the new certificate, and its roster is of before");
}

/// Everything below a folder, byte by byte.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let content = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

/// The secret scalar of a file's primary key, and its base64: the file is armoured.
fn secret(file: &Path) -> Vec<u8> {
    let primary = Primary::parse(&std::fs::read(file).unwrap()).unwrap();
    let key = primary.certificate().primary_key().key().clone();
    let Some(SecretKeyMaterial::Unencrypted(secret)) = key.optional_secret() else { panic!("no secret") };
    secret.map(|secret| match secret {
        sequoia_openpgp::crypto::mpi::SecretKeyMaterial::EdDSA { scalar } => scalar.value().to_vec(),
        other => panic!("{other:?}"),
    })
}

#[test]
fn an_exported_primary_key_leaves_nothing_on_the_server_and_subkeys_come_from_where_it_lies() {
    let made = init();
    made.configure(LOOKED_AT_OFTEN);
    let elsewhere = tempfile::tempdir().unwrap();
    let at = |name: &str| elsewhere.path().join(name);
    let file = |name: &str| at(name).to_str().unwrap().to_owned();
    let config = made.config.to_str().unwrap();
    let program = Program::start(&made.config, &[]);
    let old = std::fs::read(made.data.join("server.key")).unwrap();

    let inside = made.data.join("primary").to_str().unwrap().to_owned();
    fails(&["key", "export-primary", "--config", config, &inside], 1, &["in the data folder"]);
    key(&["export-primary", &file("primary")], &made);
    let scalar = secret(&at("primary"));
    assert_eq!(scalar.len(), 32);
    assert!(!holds(&made.data, &scalar));
    assert!(!std::fs::read_to_string(made.data.join("server.key")).unwrap().contains("PRIVATE"));
    let armoured = String::from_utf8(old).unwrap();
    let body = armoured.lines().nth(4).unwrap();
    assert!(!holds(&made.data, body.as_bytes()), "not as it was written either");
    fails(
        &["key", "export-primary", "--config", config, &file("again")],
        1,
        &["not in the data folder any more"],
    );
    fails(&["key", "rotate", "--config", config], 1, &["new-subkeys"]);
    assert!(key(&["show"], &made).contains("Primary key:          elsewhere"));

    // The server goes on without it, also after a restart, and takes up subkeys that are brought.
    let before = told(&program);
    drop(program);
    let program = Program::start(&made.config, &[]);
    let host = host(&made, &program, None, &made.token);
    // Two pairs never have the same time.
    std::thread::sleep(Duration::from_millis(1100));
    let made_there =
        run(&["key", "new-subkeys", "--primary", &file("primary"), "--days", "90", &file("subkeys")]);
    assert!(made_there.status.success(), "{made_there:?}");
    assert!(!std::fs::read(at("subkeys")).unwrap().windows(32).any(|window| window == scalar));
    key(&["import-subkeys", &file("subkeys")], &made);
    program.signal(Signal::SIGHUP);
    until(|| newest(&told(&program)) > newest(&before));
    let _reply = host.check_in(1, 0, &[]);

    // Somebody may have these: they are given up from where the primary key lies.
    fails(
        &["key", "rotate", "--at-once", "--config", config],
        1,
        &["show --certificate", "--at-once --certi"],
    );
    key(&["show", "--certificate", &file("current")], &made);
    let alone = ["key", "new-subkeys", "--primary", &file("primary"), "--at-once", &file("fresh")];
    fails(&alone, 2, &["--certificate"]);
    let fresh = run(&[&alone[..], &["--certificate", &file("current")]].concat());
    assert!(fresh.status.success(), "{fresh:?}");
    let stolen = told(&program);
    assert!(key(&["import-subkeys", &file("fresh")], &made).matches("revoked").count() >= 2);
    program.signal(Signal::SIGHUP);
    until(|| newest(&told(&program)) > newest(&stolen));
    let after = told(&program);
    assert_eq!(after.keys().subkeys().count(), 2, "the old ones are not even told of");
    let sealed = host.seal(&host.message(&asks(&host, 2)));
    assert_eq!(host.send(&sealed).status, 400, "nobody can open it any more");
    let mut knows = host.copy();
    knows.server = after;
    let _reply = knows.check_in(2, 0, &[]);

    // Another server's are refused.
    let other = init();
    let theirs = at("theirs").to_str().unwrap().to_owned();
    key(&["export-primary", &file("other")], &other);
    assert!(run(&["key", "new-subkeys", "--primary", &file("other"), &theirs]).status.success());
    fails(&["key", "import-subkeys", "--config", config, &theirs], 1, &["another server's"]);
    fails(&["key", "import-subkeys", "--config", config, &file("primary")], 1, &["secret key"]);
}

#[test]
fn subkeys_that_somebody_may_have_are_worth_nothing_at_once() {
    let made = init();
    made.configure(LOOKED_AT_OFTEN);
    let program = Program::start(&made.config, &[]);
    let host = host(&made, &program, None, &made.token);
    let before = told(&program);
    std::thread::sleep(Duration::from_millis(1100));
    assert!(key(&["rotate", "--at-once"], &made).contains("revoked"));
    program.signal(Signal::SIGHUP);
    until(|| newest(&told(&program)) > newest(&before));
    let after = told(&program);
    assert_eq!(after.keys().subkeys().count(), 2, "the old ones are not even told of");
    let sealed = host.seal(&host.message(&asks(&host, 1)));
    let answer = host.send(&sealed);
    assert_eq!(answer.status, 400, "nobody can open it any more");
    let refusal = |by: &Cert| countersign_protocol::envelope::read_refusal(&answer.body, by, &sealed);
    assert!(refusal(&before).is_err() && refusal(&after).is_ok());
    // Nothing of it was counted: with the new certificate the same check-in is taken.
    let mut knows = host.copy();
    knows.server = after;
    let reply: countersign_protocol::message::CheckInReply = knows.ask(&asks(&knows, 1)).body().unwrap();
    assert!(reply.server_certificate.is_none() && !reply.forked);
}

#[test]
fn a_server_without_subkeys_in_its_store_makes_some_if_its_primary_key_is_there() {
    let made = init();
    let database = Intruder::in_folder(&DataFolder::at(made.data.clone()));
    database.run("DELETE FROM server_keys");
    let program = Program::start(&made.config, &[]);
    assert!(certificate::can_be_spoken_to(&told(&program), SystemClock.now()));
    drop(program);
    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("primary").to_str().unwrap().to_owned();
    key(&["export-primary", &to], &made);
    database.run("DELETE FROM server_keys");
    fails(&["serve", "--config", made.config.to_str().unwrap()], 4, &["new-subkeys", "import-subkeys"]);
}
