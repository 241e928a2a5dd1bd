//! PostgreSQL goes away in the middle: nothing happened, or the same bytes find what did.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use countersign_protocol::clock::SystemClock;
use countersign_protocol::message::{Decision, JobReply, JobRequest};
use countersign_protocol::random::SystemRandom;
use countersign_server::open::open_with;
use countersign_server::store::{CrashPoint, Database};
use countersign_server_core::roster::{OfflineRules, Rules};

use crate::client::carrier::Http;
use crate::client::host::Host;
use crate::client::newcomer::Newcomer;
use crate::client::person::Person;
use crate::database::{self, is_postgres};
use crate::fixture::{Server, URL};
use crate::program::{Program, get, init, post};

fn login(host: &Host, ana: &Person) -> countersign_protocol::envelope::Sealed {
    let request = JobRequest { signed: ana.sign(&host.session(ana, "ana")), body: None };
    host.seal(&host.message(&request))
}

fn logins(server: &Server) -> usize {
    server.entries().iter().filter(|entry| entry.login.is_some()).count()
}

#[test]
fn a_database_that_was_restarted_is_spoken_to_again_without_a_word() {
    if !is_postgres() {
        return;
    }
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    let everybody = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(server.intruder().number(everybody) > 0);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
}

#[test]
fn a_connection_lost_before_the_commit_leaves_nothing() {
    if !is_postgres() {
        return;
    }
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let intruder = server.intruder();
    intruder.in_commits("PERFORM pg_terminate_backend(pg_backend_pid())");
    let sealed = login(&host, &ana);
    assert_eq!(host.send(&sealed).status, 503);
    assert_eq!(logins(&server), 0);
    intruder.let_commits_be();
    let reply: JobReply = host.open(&sealed, &host.send(&sealed)).body().unwrap();
    assert_eq!((reply.decision, logins(&server)), (Decision::Allowed, 1));
}

/// Between the server and PostgreSQL: while it is armed, no answer to a commit gets through; while it is silent, nothing does,
/// as if the machine behind it had lost its power.
struct Cut {
    folder: tempfile::TempDir,
    armed: Arc<AtomicBool>,
    silent: Arc<AtomicBool>,
}

impl Cut {
    fn before(real: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let (armed, silent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (real, on, off) = (real.to_owned(), armed.clone(), silent.clone());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), UnixStream::connect(&real).unwrap());
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (on, off) = (on.clone(), off.clone());
                let carried = move || {
                    while off.load(Ordering::SeqCst) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    true
                };
                let there = carried.clone();
                std::thread::spawn(move || pass(from, to, |_| there()));
                std::thread::spawn(move || {
                    let committed = |bytes: &[u8]| bytes.windows(7).any(|word| word == b"COMMIT\0");
                    pass(server, client, |bytes| {
                        carried() && !(on.load(Ordering::SeqCst) && committed(bytes))
                    });
                });
            }
        });
        Self { folder, armed, silent }
    }
}

/// Passes on what comes for as long as it may; then nothing goes either way.
fn pass(mut from: UnixStream, mut to: UnixStream, may: impl Fn(&[u8]) -> bool) {
    let mut bytes = [0; 16 * 1024];
    loop {
        match from.read(&mut bytes) {
            Ok(n) if n > 0 && may(&bytes[..n]) && to.write_all(&bytes[..n]).is_ok() => {}
            _ => break,
        }
    }
    let _gone = (from.shutdown(std::net::Shutdown::Both), to.shutdown(std::net::Shutdown::Both));
}

#[test]
fn a_commit_whose_answer_was_lost_is_an_error_and_the_same_bytes_find_the_reply() {
    if !is_postgres() {
        return;
    }
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let Database::Postgres(address) = database::of(&server.folder) else { panic!("not PostgreSQL") };
    let address = String::from(address);
    let real = address.split(' ').find_map(|word| word.strip_prefix("host=")).unwrap();
    let cut = Cut::before(&Path::new(real).join(".s.PGSQL.5432"));
    let through = address.replace(real, cut.folder.path().to_str().unwrap()).parse().unwrap();
    let rules = Rules { offline: OfflineRules::new(24, 20), emergency_codes: true };
    let (never, random) = (CrashPoint::never(), Arc::new(SystemRandom));
    let database = Database::Postgres(through);
    let core = open_with(&server.folder, &database, URL, rules, never, server.clock.clone(), random).unwrap();
    let host = host.through(Arc::new(core));
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);

    let sealed = login(&host, &ana);
    cut.armed.store(true, Ordering::SeqCst);
    assert_eq!(host.send(&sealed).status, 503, "it does not know");
    assert_eq!(logins(&server), 2, "it happened");
    cut.armed.store(false, Ordering::SeqCst);
    let reply: JobReply = host.open(&sealed, &host.send(&sealed)).body().unwrap();
    assert_eq!((reply.decision, logins(&server)), (Decision::Allowed, 2), "and only once");
}

#[test]
fn a_database_that_falls_silent_keeps_nobody_waiting_and_is_found_again() {
    if !is_postgres() {
        return;
    }
    let made = init();
    let real = database::server().unwrap();
    let real = real.split(' ').find_map(|word| word.strip_prefix("host=")).unwrap();
    let cut = Cut::before(&Path::new(real).join(".s.PGSQL.5432"));
    let text = std::fs::read_to_string(&made.config).unwrap();
    std::fs::write(&made.config, text.replace(real, cut.folder.path().to_str().unwrap())).unwrap();
    let program = Program::start(&made.config, &[]);
    let carrier = Arc::new(Http { port: program.port });
    let hello = Newcomer::new(&made.bundle, carrier, Arc::new(SystemClock)).hello();
    assert_eq!(get(program.port, "/readyz").status, 200);

    // What was seen a moment before is good for a second.
    std::thread::sleep(Duration::from_millis(1100));
    cut.silent.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        // More than are worked on at once.
        let asked: Vec<_> =
            (0..6).map(|_| scope.spawn(|| post(program.port, hello.bytes()).status)).collect();
        assert_eq!(get(program.port, "/readyz").status, 503);
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        assert_eq!(get(program.port, "/healthz").status, 200);
        for asked in asked {
            assert_eq!(asked.join().unwrap(), 503);
        }
    });
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());

    cut.silent.store(false, Ordering::SeqCst);
    let mended = Instant::now();
    while post(program.port, hello.bytes()).status != 200 {
        assert!(mended.elapsed() < Duration::from_secs(15));
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(get(program.port, "/readyz").status, 200);
}
