//! How a host hears of a change at once: the real program, and hosts that wait.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use countersign_protocol::certificate;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::EntryKind;
use countersign_protocol::limits;
use countersign_protocol::message::result::{AccountCreated, TokenCreated};
use countersign_protocol::message::{Decision, InstanceState, WatchReply};
use countersign_server::data::DataFolder;

use crate::client::carrier::{Http, Lost};
use crate::client::host::Host;
use crate::client::newcomer::Newcomer;
use crate::client::person::Person;
use crate::client::refusal;
use crate::fixture::{entries, register};
use crate::program::{Made, Program, init};

/// How soon a host must hear of it, on a machine that does much else.
const SOON: Duration = Duration::from_secs(5);

/// A running server with a host, its administrator and ana.
struct Running {
    program: Program,
    made: Made,
    host: Arc<Host>,
    admin: Person,
    ana: Person,
}

fn running(limits: &str) -> Running {
    let made = init();
    made.configure(&format!(
        "[limits]\nstrangers_per_minute = 100000\nhosts_per_second = 100000\n{limits}\n"
    ));
    let program = Program::start(&made.config, &[]);
    let carrier = Arc::new(Http { port: program.port });
    let host = Newcomer::new(&made.bundle, carrier, Arc::new(SystemClock)).enrol(Some(&made.token));
    let admin = Person::new("admin", SystemClock.now());
    register(&host, &admin, &made.code);
    let body = br#"{"logins":["ana"],"roles":["user"]}"#;
    let created = host.job(&admin, "create", "account/ana", Some(body));
    let created: AccountCreated = serde_json::from_value(created.result.unwrap()).unwrap();
    let ana = Person::new("ana", SystemClock.now());
    register(&host, &ana, &created.code);
    Running { program, made, host: Arc::new(host), admin, ana }
}

/// What a watch brought, and when.
type Heard = (bool, Instant);

impl Running {
    fn newcomer(&self) -> Newcomer {
        let carrier = Arc::new(Http { port: self.program.port });
        Newcomer::new(&self.made.bundle, carrier, Arc::new(SystemClock))
    }

    fn another_host(&self, name: &str) -> Host {
        let reply = self.host.job(&self.admin, "create", &format!("enrolment-token/{name}"), None);
        let token: TokenCreated = serde_json::from_value(reply.result.unwrap()).unwrap();
        self.newcomer().enrol(Some(&token.token))
    }

    fn job(&self, operation: &str, resource: &str) {
        let reply = self.host.job(&self.admin, operation, resource, None);
        assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
    }

    fn revoke_ana(&self) {
        self.job("revoke", &format!("key/{}", certificate::fingerprint(&self.ana.cert).unwrap()));
    }
}

/// The host as it stands now, as seen by itself.
fn revision(host: &Host, counter: u64) -> Digest {
    host.check_in_for(counter, &["ana"], &["sshd"]).revision
}

/// Begins to wait, and gives the server a moment to see it.
fn wait(host: &Arc<Host>, revision: Digest) -> std::sync::mpsc::Receiver<Heard> {
    let watch = host.watch(revision, &["ana"], &["sshd"]);
    let (heard, hears) = channel();
    let host = host.clone();
    std::thread::spawn(move || {
        // A test that has seen enough ends the server, and this with it.
        let Ok(answer) = host.carrier.carry(watch.bytes()) else { return };
        let WatchReply { changed } = host.open(&watch, &answer).body().unwrap();
        let _nobody_asks = heard.send((changed, Instant::now()));
    });
    std::thread::sleep(Duration::from_millis(300));
    assert!(hears.try_recv().is_err(), "there was nothing to tell yet");
    hears
}

#[test]
fn a_revoked_key_reaches_a_host_that_waits_within_seconds() {
    let running = running("");
    let host = &running.host;
    let before = revision(host, 1);
    let hears = wait(host, before);
    let begun = Instant::now();
    running.revoke_ana();
    let done = Instant::now();
    let (changed, at) = hears.recv_timeout(SOON).unwrap();
    assert!(changed);
    println!(
        "a revocation reached the host {:?} after it was asked for, {:?} after it was done",
        at - begun,
        at.saturating_duration_since(done)
    );
    assert!(at - begun < SOON);
    let after = host.check_in_for(2, &["ana"], &["sshd"]);
    assert_ne!(after.revision, before);
    assert!(host.roster(&after).roster().entries[0].accounts.is_empty());
    // What it knows now is told at once to be old, and what it would learn is not.
    assert!(host.waits(&host.watch(before, &["ana"], &["sshd"])));
    drop(wait(host, after.revision));
}

#[test]
fn a_host_that_waits_is_told_of_suspension_and_a_fork() {
    let running = running("");
    let host = &running.host;
    let mut known = revision(host, 1);
    let own = format!("instance/{}", host.fingerprint());
    let other = running.another_host("other");
    for (counter, (operation, resource)) in (2..).zip([
        ("suspend", "account/ana"),
        ("resume", "account/ana"),
        ("suspend", own.as_str()),
        ("resume", own.as_str()),
    ]) {
        let hears = wait(host, known);
        let reply = other.job(&running.admin, operation, resource, None);
        assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
        assert!(hears.recv_timeout(SOON).unwrap().0, "{operation} {resource}");
        known = revision(host, counter);
    }
    // Its copy says the same number, in another second.
    std::thread::sleep(Duration::from_millis(1100));
    let hears = wait(host, known);
    assert!(host.check_in_for(2, &["ana"], &["sshd"]).forked);
    assert!(hears.recv_timeout(SOON).unwrap().0);
}

#[test]
fn a_host_that_waits_for_approval_takes_no_place_of_those_that_watch() {
    let running = running("connections = 4");
    let other = Arc::new(running.another_host("other"));
    let (known, others) = (revision(&running.host, 1), revision(&other, 1));
    let first = wait(&running.host, known);
    for _ in 0..3 {
        let waiting = running.newcomer().enrol(None);
        let pending = waiting.check_in_for(1, &["ana"], &["sshd"]);
        assert_eq!(pending.state, InstanceState::Pending);
        let watch = waiting.watch(pending.revision, &["ana"], &["sshd"]);
        refusal(&waiting.send(&watch), &waiting.server, &watch);
    }
    let second = wait(&other, others);
    running.revoke_ana();
    assert!(first.recv_timeout(SOON).unwrap().0 && second.recv_timeout(SOON).unwrap().0);
}

#[test]
fn nothing_new_is_said_after_the_time_that_a_watch_takes() {
    let running = running("");
    let host = &running.host;
    let known = revision(host, 1);
    let begun = Instant::now();
    let hears = wait(host, known);
    // Logins, check-ins and somebody else's card: nothing that this host must hear of.
    assert_eq!(host.log_in(&running.ana, "ana").decision, Decision::Allowed);
    let reply =
        host.job(&running.admin, "create", "account/ben", Some(br#"{"logins":["ben"],"roles":["user"]}"#));
    let created: AccountCreated = serde_json::from_value(reply.result.unwrap()).unwrap();
    register(host, &Person::new("ben", SystemClock.now()), &created.code);
    assert_eq!(revision(host, 2), known);
    let (changed, at) = hears.recv_timeout(limits::WATCH + Duration::from_secs(15)).unwrap();
    assert!(!changed);
    assert!(at - begun >= limits::WATCH, "{:?}", at - begun);
}

#[test]
fn a_new_watch_ends_the_one_before_and_other_hosts_wait_on() {
    let running = running("");
    let other = Arc::new(running.another_host("other"));
    let (known, others) = (revision(&running.host, 1), revision(&other, 1));
    let (first, elsewhere) = (wait(&running.host, known), wait(&other, others));
    let second = wait(&running.host, known);
    assert!(!first.recv_timeout(SOON).unwrap().0);
    assert!(second.try_recv().is_err() && elsewhere.try_recv().is_err());
    running.revoke_ana();
    assert!(second.recv_timeout(SOON).unwrap().0);
    assert!(elsewhere.recv_timeout(SOON).unwrap().0);
}

#[test]
fn a_signal_ends_waiting_at_once_with_an_answer() {
    let mut running = running("");
    let known = revision(&running.host, 1);
    let hears = wait(&running.host, known);
    let begun = Instant::now();
    running.program.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(!hears.recv_timeout(SOON).unwrap().0);
    assert!(running.program.ends());
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn a_watch_played_again_is_refused_and_ends_nobodys_wait() {
    let running = running("");
    let host = &running.host;
    let known = revision(host, 1);
    let watch = host.watch(Digest::of(b"old"), &["ana"], &["sshd"]);
    assert!(host.waits(&watch));
    let hears = wait(host, known);
    refusal(&host.send(&watch), &host.server, &watch);
    let folder = DataFolder::at(running.made.data.clone());
    let entry = entries(&folder).pop().unwrap();
    assert_eq!((entry.kind, entry.reason.as_str()), (EntryKind::Refusal, "a replay of the same bytes"));
    assert!(hears.try_recv().is_err());
}

#[test]
fn a_host_that_is_revoked_while_it_waits_is_refused_and_told_nothing() {
    let running = running("");
    let other = Arc::new(running.another_host("other"));
    let known = revision(&other, 1);
    let watch = other.watch(known, &["ana"], &["sshd"]);
    let (heard, hears) = channel();
    let (waiting, sent) = (other.clone(), watch.clone());
    std::thread::spawn(move || heard.send(waiting.send(&sent)));
    std::thread::sleep(Duration::from_millis(300));
    running.job("revoke", &format!("instance/{}", other.fingerprint()));
    let answer = hears.recv_timeout(SOON).unwrap();
    refusal(&answer, &other.server, &watch);
    let again = other.watch(known, &["ana"], &["sshd"]);
    refusal(&other.send(&again), &other.server, &again);
}

#[test]
fn no_more_hosts_wait_than_leave_connections_for_logins() {
    let running = running("connections = 4");
    let other = Arc::new(running.another_host("other"));
    let third = running.another_host("third");
    let (known, others) = (revision(&running.host, 1), revision(&other, 1));
    let (first, second) = (wait(&running.host, known), wait(&other, others));
    let watch = third.watch(revision(&third, 1), &["ana"], &["sshd"]);
    let answer = third.send(&watch);
    assert_eq!(answer.status, 503);
    assert!(answer.head.to_ascii_lowercase().contains("retry-after: 25"), "{}", answer.head);
    assert_eq!(third.log_in(&running.ana, "ana").decision, Decision::Allowed);
    running.revoke_ana();
    assert!(first.recv_timeout(SOON).unwrap().0 && second.recv_timeout(SOON).unwrap().0);
}

#[test]
fn many_hosts_wait_at_little_cost_and_all_hear_of_a_change() {
    const HOSTS: usize = 120;
    // All behind one address, which may have far fewer connections.
    let running = running("connections = 400\nconnections_per_address = 16");
    let hosts: Vec<Arc<Host>> =
        (0..HOSTS).map(|n| Arc::new(running.another_host(&format!("host-{n}")))).collect();
    let known: Vec<Digest> = hosts.iter().map(|host| revision(host, 1)).collect();
    let idle = (running.program.status("Threads:"), running.program.status("VmRSS:"));
    let (heard, hears) = channel();
    for (host, known) in hosts.iter().zip(known) {
        let (host, heard) = (host.clone(), heard.clone());
        std::thread::spawn(move || {
            loop {
                let watch = host.watch(known, &["ana"], &["sshd"]);
                match host.carrier.carry(watch.bytes()) {
                    Ok(answer) => {
                        let WatchReply { changed } = host.open(&watch, &answer).body().unwrap();
                        let _nobody_asks = heard.send((changed, Instant::now()));
                        return;
                    }
                    // All at once they are too many for one address, until they wait.
                    Err(Lost) => std::thread::sleep(Duration::from_millis(100)),
                }
            }
        });
    }
    std::thread::sleep(Duration::from_secs(3));
    assert!(hears.try_recv().is_err());
    let waiting = (running.program.status("Threads:"), running.program.status("VmRSS:"));
    // A login in between.
    let begun = Instant::now();
    assert_eq!(running.host.log_in(&running.ana, "ana").decision, Decision::Allowed);
    let login = begun.elapsed();

    let begun = Instant::now();
    running.revoke_ana();
    let latest = (0..HOSTS).map(|_| {
        let (changed, at): Heard = hears.recv_timeout(Duration::from_secs(30)).unwrap();
        assert!(changed);
        at - begun
    });
    let latest = latest.max().unwrap();
    println!(
        "{HOSTS} hosts waited: {} more threads, {} kB more memory, a login took {login:?}; \
         the last heard of the change after {latest:?}",
        waiting.0 - idle.0.min(waiting.0),
        waiting.1.saturating_sub(idle.1)
    );
    assert!(waiting.0 < idle.0 + 60, "a thread for each: {waiting:?} {idle:?}");
    assert!(waiting.1 < idle.1 + 64 * 1024, "{waiting:?} {idle:?}");
    assert!(latest < Duration::from_secs(15), "{latest:?}");
}
