//! Several processes on one database: what is good once is good once, however many bring it at once.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use countersign_protocol::ledger::{EntryKind, Frontier};
use countersign_protocol::limits;
use countersign_protocol::message::{CheckIn, Decision, InstanceState, JobReply, JobRequest};
use countersign_server_core::roster::{OfflineRules, Rules};

use crate::client::host::{Host, Registered};
use crate::client::person::Person;
use crate::database::is_postgres;
use crate::fixture::Server;

/// Does it so often at once, and says what came of each.
pub(crate) fn together<T: Send>(times: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let ready = Barrier::new(times);
    std::thread::scope(|scope| {
        let one = |n| {
            let (ready, work) = (&ready, &work);
            scope.spawn(move || {
                ready.wait();
                work(n)
            })
        };
        let running: Vec<_> = (0..times).map(one).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

/// The same host, asking one of two servers.
fn at_two_servers(server: &Server, host: &Host) -> [Host; 2] {
    [
        Host { carrier: server.another_door(), ..host.copy() },
        Host { carrier: server.another_door(), ..host.copy() },
    ]
}

#[test]
fn a_hundred_at_once_have_five_tries_at_one_code_and_one_of_them_uses_it() {
    let server = Server::new();
    let stores = [server.store(), server.store()];
    let (admin, now) = ("admin".parse().unwrap(), server.clock_now());
    // By the statement alone: in its own turn nobody else would be there.
    let tries = together(100, |n| {
        let tx = stores[n % 2].begin().unwrap();
        let shown = tx.try_code(&admin, now).unwrap();
        tx.commit().unwrap();
        shown.is_some()
    });
    assert_eq!(tries.iter().filter(|shown| **shown).count(), usize::try_from(limits::CODE_TRIES).unwrap());
    let uses = together(100, |n| {
        let tx = stores[n % 2].begin().unwrap();
        let used = tx.use_code(&admin, now).unwrap();
        tx.commit().unwrap();
        used
    });
    assert_eq!(uses.iter().filter(|used| **used).count(), 1);
}

#[test]
fn a_code_registers_one_key_however_many_bring_it_at_once_to_two_servers() {
    let server = Server::new();
    let host = server.host();
    let hosts = at_two_servers(&server, &host);
    let done = together(10, |n| {
        let own = Person::new("admin", server.clock_now());
        matches!(hosts[n % 2].register(&own, &server.made.administrator.code), Ok(Registered::Done(_)))
    });
    assert_eq!(done.iter().filter(|done| **done).count(), 1);
    let registered = server.entries().into_iter().filter(|entry| entry.kind == EntryKind::Registration);
    assert_eq!(registered.count(), 1);
}

#[test]
fn a_token_lets_one_host_in_however_many_bring_it_at_once_to_two_servers() {
    let server = Server::new();
    let doors = [server.another_door(), server.another_door()];
    let active = together(8, |n| {
        let newcomer = crate::client::newcomer::Newcomer::new(
            &server.bundle,
            doors[n % 2].clone(),
            server.clock.clone(),
        );
        let enrolled = newcomer.try_enrol(Some(&server.made.token.token)).unwrap();
        enrolled.is_ok_and(|host| host.record.state == InstanceState::Active)
    });
    assert_eq!(active.iter().filter(|active| **active).count(), 1);
}

#[test]
fn a_statement_opens_one_session_in_however_many_envelopes_it_comes_at_once_to_two_servers() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let hosts = at_two_servers(&server, &host);
    let request = JobRequest { signed: ana.sign(&host.session(&ana, "ana")), body: None };
    let opened = together(12, |n| {
        let host = &hosts[n % 2];
        let sealed = host.seal(&host.message(&request));
        let answer = host.send(&sealed);
        assert!([200, 400].contains(&answer.status), "{}", String::from_utf8_lossy(&answer.body));
        answer.status == 200
    });
    assert_eq!(opened.iter().filter(|opened| **opened).count(), 1);
    let logins = server.entries().into_iter().filter(|entry| entry.login.is_some());
    assert_eq!(logins.count(), 1);
}

#[test]
fn the_same_bytes_at_once_to_two_servers_get_one_reply() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let hosts = at_two_servers(&server, &host);
    let request = JobRequest { signed: ana.sign(&host.session(&ana, "ana")), body: None };
    let sealed = host.seal(&host.message(&request));
    let replies = together(12, |n| {
        let answer = hosts[n % 2].send(&sealed);
        let reply: JobReply = hosts[n % 2].open(&sealed, &answer).body().unwrap();
        reply
    });
    assert!(replies.iter().all(|reply| *reply == replies[0] && reply.decision == Decision::Allowed));
    let entries = server.entries();
    assert_eq!(entries.iter().filter(|entry| entry.login.is_some()).count(), 1);
    assert!(entries.iter().all(|entry| entry.kind != EntryKind::Refusal), "a retry is no attack");
}

#[test]
fn one_counter_twice_at_once_at_two_servers_is_found_to_be_two_hosts() {
    let server = Server::new();
    let host = server.host();
    let hosts = at_two_servers(&server, &host);
    assert!(!host.check_in(1, 0, &[]).forked);
    let forked = together(2, |n| {
        let body = CheckIn {
            server_certificate: None,
            counter: 2,
            ledger_size: 0,
            logins: Vec::new(),
            services: Vec::new(),
            version: None,
        };
        let reply: countersign_protocol::message::CheckInReply = hosts[n].ask(&body).body().unwrap();
        reply.forked
    });
    assert_eq!(forked.iter().filter(|forked| **forked).count(), 1, "{forked:?}");
    assert_eq!(server.entries().iter().filter(|entry| entry.kind == EntryKind::Alarm).count(), 1);
}

#[test]
fn the_ledger_of_two_busy_servers_has_one_place_for_each_entry_and_verifies() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let hosts = at_two_servers(&server, &host);
    let tokens = AtomicUsize::new(0);
    let places: Vec<Vec<u64>> = together(6, |n| {
        let host = &hosts[n % 2];
        let logins = (0..6).map(|_| host.log_in(&ana, "ana").receipt.index);
        // And one who administers, whom everybody waits for.
        let administers = (0..2).map(|_| {
            let name = format!("enrolment-token/t{}", tokens.fetch_add(1, Ordering::SeqCst));
            let reply = host.job(&admin, "create", &name, None);
            assert_eq!(reply.decision, Decision::Allowed);
            reply.receipt.index
        });
        logins.chain(administers).collect()
    });
    let mut places = places.concat();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 48, "two receipts name one place");
    let store = server.read_store();
    let view = store.view().unwrap();
    let (size, note) = view.checkpoint().unwrap().unwrap();
    let mut tree = Frontier::default();
    for exported in view.entries(0, 100_000).unwrap() {
        tree.push(&exported.entry.0);
    }
    assert_eq!(size, view.size().unwrap());
    assert_eq!(host.ledger_key.checkpoint(&note).unwrap().root(), tree.root());
}

#[test]
fn what_one_server_changes_another_tells_those_who_wait() {
    if !is_postgres() {
        // Processes on one file find it at the end of a watch.
        return;
    }
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let other = server.core_with(Rules { offline: OfflineRules::new(24, 20), emergency_codes: true });
    let (told, hears) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    other.changes().listen(Box::new(move || {
        let _nobody_asks_any_more = told.lock().unwrap().send(Instant::now());
    }));
    // Until it listens, it finds out by itself.
    let begun = Instant::now();
    let heard = (0..20).find_map(|n| {
        server.invite(&host, &admin, &format!("new-{n}"), &[]);
        hears.recv_timeout(Duration::from_secs(1)).ok()
    });
    assert!(heard.is_some(), "nothing was heard in {:?}", begun.elapsed());
    while hears.recv_timeout(Duration::from_secs(1)).is_ok() {}
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    assert!(hears.recv_timeout(Duration::from_secs(2)).is_err(), "a login changes nothing for others");
}
