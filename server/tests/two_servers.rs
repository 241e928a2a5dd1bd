//! `cargo xtask soak servers`: two servers on one PostgreSQL under load, one or the other killed at any moment, and the
//! database too. No code is used twice, no acknowledged entry is lost, no host is taken for two, the ledger verifies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{EntryKind, Frontier};
use countersign_protocol::message::result::{AccountCreated, TokenCreated};
use countersign_protocol::message::{Decision, JobReply, JobRequest, Receipt};
use countersign_server::data::DataFolder;
use countersign_server::store::CrashPoint;

use crate::client::host::{Host, Registered};
use crate::client::newcomer::Newcomer;
use crate::client::person::Person;
use crate::database;
use crate::fixture::register;
use crate::program::init;
use crate::servers::{Servers, Stubborn, random};

/// How many people log in at once, each at a host of their own.
const PEOPLE: usize = 8;

/// What was acknowledged.
#[derive(Default)]
struct Acknowledged {
    receipts: Vec<Receipt>,
    registered: BTreeSet<String>,
    replayed: u32,
    raced: u32,
}

/// One person at a host of their own, until the time is over.
fn work(
    servers: &Arc<Servers>,
    host: &mut Host,
    person: &Person,
    admin: &Person,
    over: &AtomicBool,
    name: usize,
) -> Acknowledged {
    let mut told = Acknowledged::default();
    let mut counter = 0;
    for n in 0_u32.. {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let first = servers.any();
        host.carrier = Arc::new(Stubborn { servers: servers.clone(), first });
        match n % 20 {
            7 => {
                counter += 1;
                assert!(!host.check_in(counter, 0, &[]).forked, "a host was taken for two");
            }
            13 => {
                told.raced += 1;
                let account = format!("soak-{name}-{n}");
                race(servers, host, admin, &account);
                told.registered.insert(account);
            }
            _ => {
                let request = JobRequest { signed: person.sign(&host.session(person, "root")), body: None };
                let sealed = host.seal(&host.message(&request));
                let reply: JobReply = host.open(&sealed, &host.send(&sealed)).body().unwrap();
                assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
                if n % 20 == 3 {
                    // The same signature in another envelope, to the other server.
                    let sealed = host.seal(&host.message(&request));
                    host.carrier = Arc::new(Stubborn { servers: servers.clone(), first: 1 - first });
                    assert_eq!(host.send(&sealed).status, 400, "one signature opened two sessions");
                    told.replayed += 1;
                }
                told.receipts.push(reply.receipt);
            }
        }
    }
    told
}

/// Two bring one code at once, each to another server: one of them gets the account.
fn race(servers: &Arc<Servers>, host: &Host, admin: &Person, account: &str) {
    let body = br#"{"logins":[],"roles":["user"]}"#;
    let created = host.job(admin, "create", &format!("account/{account}"), Some(body));
    let created: AccountCreated = serde_json::from_value(created.result.unwrap()).unwrap();
    let done = std::thread::scope(|scope| {
        let both = [0, 1].map(|first| {
            let own = Host { carrier: Arc::new(Stubborn { servers: servers.clone(), first }), ..host.copy() };
            let person = Person::new(account, SystemClock.now());
            let code = &created.code;
            scope.spawn(move || matches!(own.register(&person, code), Ok(Registered::Done(_))))
        });
        both.map(|one| one.join().unwrap())
    });
    assert_eq!(done.iter().filter(|done| **done).count(), 1, "{account}: {done:?}");
}

/// The address of the database's folder, which holds the socket; its keeper starts it again.
fn crash_the_database() {
    let address = database::server().unwrap();
    let folder = address.split(' ').find_map(|word| word.strip_prefix("host=")).unwrap();
    let Ok(text) = std::fs::read_to_string(format!("{folder}/data/postmaster.pid")) else { return };
    let pid = text.lines().next().unwrap().parse().unwrap();
    let _gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGQUIT);
}

#[test]
#[ignore = "takes minutes: cargo xtask soak servers"]
#[expect(clippy::disallowed_methods, reason = "how `cargo xtask soak` says how long")]
fn two_servers_killed_at_any_moment_use_nothing_twice_and_lose_nothing() {
    let minutes: u64 = std::env::var("COUNTERSIGN_SOAK_MINUTES").unwrap().parse().unwrap();
    let made = init();
    made.configure("[limits]\nstrangers_per_minute = 1000000\nhosts_per_second = 1000000\n");
    let folder = DataFolder::at(made.data.clone());
    let (bundle, token, code) = (made.bundle.clone(), made.token.clone(), made.code.clone());
    let servers = Arc::new(Servers::start(made, 2));
    let carrier = || Arc::new(Stubborn { servers: servers.clone(), first: 0 });
    let host = Newcomer::new(&bundle, carrier(), Arc::new(SystemClock)).enrol(Some(&token));
    let admin = Person::new("admin", SystemClock.now());
    register(&host, &admin, &code);
    let people: Vec<(Host, Person)> = (0..PEOPLE)
        .map(|n| {
            let reply = host.job(&admin, "create", &format!("enrolment-token/host-{n}"), None);
            let token: TokenCreated = serde_json::from_value(reply.result.unwrap()).unwrap();
            let own = Newcomer::new(&bundle, carrier(), Arc::new(SystemClock)).enrol(Some(&token.token));
            let body = br#"{"logins":["root"],"roles":["user"]}"#;
            let created = host.job(&admin, "create", &format!("account/p{n}"), Some(body));
            let created: AccountCreated = serde_json::from_value(created.result.unwrap()).unwrap();
            let person = Person::new(&format!("p{n}"), SystemClock.now());
            register(&own, &person, &created.code);
            (own, person)
        })
        .collect();

    let (over, begun) = (AtomicBool::new(false), Instant::now());
    let (mut killed, mut crashed) = (0, 0);
    let told: Vec<Acknowledged> = std::thread::scope(|scope| {
        let (servers, over, admin) = (&servers, &over, &admin);
        let working: Vec<_> = people
            .into_iter()
            .enumerate()
            .map(|(n, (mut host, person))| {
                scope.spawn(move || work(servers, &mut host, &person, admin, over, n))
            })
            .collect();
        let mut next_crash = Duration::from_secs(20);
        while begun.elapsed() < Duration::from_secs(minutes * 60)
            && working.iter().all(|one| !one.is_finished())
        {
            std::thread::sleep(Duration::from_millis(u64::from(500 + random(4000))));
            servers.restart(servers.any());
            killed += 1;
            if begun.elapsed() > next_crash {
                crash_the_database();
                crashed += 1;
                next_crash += Duration::from_secs(u64::from(20 + random(30)));
            }
        }
        over.store(true, Ordering::SeqCst);
        working.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let took = begun.elapsed();
    servers.end();

    let store = database::of(&folder).open(CrashPoint::never()).unwrap();
    let view = store.view().unwrap();
    let (size, note) = view.checkpoint().unwrap().unwrap();
    let (mut tree, mut entries) = (Frontier::default(), Vec::new());
    while (entries.len() as u64) < size {
        for exported in view.entries(entries.len() as u64, 1000).unwrap() {
            tree.push(&exported.entry.0);
            entries.push(exported.entry.0);
        }
    }
    assert_eq!(host.ledger_key.checkpoint(&note).unwrap().root(), tree.root());
    assert_eq!(view.size().unwrap(), size);
    let mut logins = 0;
    for receipt in told.iter().flat_map(|one| &one.receipts) {
        logins += 1;
        let there = &entries[usize::try_from(receipt.index).unwrap()];
        assert_eq!(Digest::of(there), Digest::of(&receipt.entry.0), "an acknowledged entry is another now");
    }
    let parsed: Vec<_> =
        entries.iter().map(|bytes| countersign_protocol::ledger::Entry::from_bytes(bytes).unwrap()).collect();
    let mut statements = BTreeSet::new();
    for statement in
        parsed.iter().filter(|entry| entry.kind == EntryKind::Job).filter_map(|entry| entry.statement)
    {
        assert!(statements.insert(statement), "one statement was decided twice");
    }
    let mut registered: BTreeMap<String, u32> = BTreeMap::new();
    for entry in parsed.iter().filter(|entry| entry.kind == EntryKind::Registration) {
        *registered.entry(entry.account.clone().unwrap().to_string()).or_default() += 1;
    }
    assert!(registered.values().all(|times| *times == 1), "a code was used twice: {registered:?}");
    assert!(told.iter().flat_map(|one| &one.registered).all(|account| registered.contains_key(account)));
    assert!(parsed.iter().all(|entry| !entry.reason.contains("counter came again")));
    println!(
        "{:.0} s: {logins} logins acknowledged, {} codes raced for, {} signatures replayed, {} entries; \
         a server killed {killed} times, PostgreSQL crashed {crashed} times, bytes sent again {} times; \
         the longest wait was {:?}",
        took.as_secs_f64(),
        told.iter().map(|one| one.raced).sum::<u32>(),
        told.iter().map(|one| one.replayed).sum::<u32>(),
        entries.len(),
        servers.again.load(Ordering::SeqCst),
        servers.longest.lock().unwrap(),
    );
}
