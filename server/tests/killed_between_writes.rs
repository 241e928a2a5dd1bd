//! SIGKILL between any two writes: what was acknowledged stays, what was not can be sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{EntryKind, Frontier};
use countersign_protocol::message::{
    Decision, JobOutcomeReply, JobReply, JobRequest, OfflineUseReply, OfflineVerdict,
};
use countersign_protocol::random::SystemRandom;
use countersign_server::data::DataFolder;
use countersign_server::open;
use countersign_server::store::CrashPoint;
use countersign_server_core::audit::Auditor;

use crate::client::carrier::{Answer, Carrier, Http, Lost};
use crate::client::host::{Host, Registered};
use crate::client::newcomer::Newcomer;
use crate::client::person::Person;
use crate::database;
use crate::program::{Made, Program, init};

/// Sends to whatever server runs now. A message that was lost is sent again, the same bytes, to the next one.
pub(crate) struct Stubborn {
    port: AtomicU16,
    pub(crate) made: Made,
    /// The running server, and after how many writes it dies.
    program: std::sync::Mutex<Option<Program>>,
    /// Answers that did not arrive.
    pub(crate) lost: std::sync::atomic::AtomicU32,
}

impl Carrier for Stubborn {
    fn carry(&self, bytes: &[u8]) -> Result<Answer, Lost> {
        let first = Http { port: self.port.load(Ordering::SeqCst) }.carry(bytes);
        if first.is_ok() {
            return first;
        }
        self.lost.fetch_add(1, Ordering::SeqCst);
        self.follow();
        Http { port: self.port.load(Ordering::SeqCst) }.carry(bytes)
    }
}

impl Stubborn {
    /// To a server that does not run yet.
    pub(crate) fn new(made: Made) -> Self {
        Self {
            port: AtomicU16::new(0),
            made,
            program: std::sync::Mutex::new(None),
            lost: std::sync::atomic::AtomicU32::new(0),
        }
    }

    /// Ends the server, if one runs, and starts another, which dies after the `n`-th write if there is one.
    pub(crate) fn start(&self, n: Option<u64>) {
        let mut running = self.program.lock().unwrap();
        drop(running.take());
        let number = n.map(|n| n.to_string());
        let words: Vec<&str> =
            number.iter().flat_map(|number| ["--crash-after-write", number.as_str()]).collect();
        let program = Program::start(&self.made.config, &words);
        self.port.store(program.port, Ordering::SeqCst);
        *running = Some(program);
    }

    /// Whether it died, without anybody waiting for an answer.
    pub(crate) fn is_dead(&self) -> bool {
        self.program.lock().unwrap().as_mut().is_none_or(Program::is_over)
    }

    /// Another server in the place of the one that died.
    pub(crate) fn follow(&self) {
        if let Some(dead) = self.program.lock().unwrap().as_mut() {
            assert!(dead.ends(), "it did not answer, and yet it lives");
        }
        self.check_ledger();
        self.start(None);
    }

    /// Whatever the dead server left: every entry is under the checkpoint, and the tree is whole.
    pub(crate) fn check_ledger(&self) {
        let folder = DataFolder::at(self.made.data.clone());
        let key = std::fs::read_to_string(folder.ledger_key()).unwrap();
        let key: countersign_protocol::ledger::LedgerKey = key.lines().nth(1).unwrap().parse().unwrap();
        let store = database::of(&folder).open(CrashPoint::never()).unwrap();
        let view = store.view().unwrap();
        let (size, note) = view.checkpoint().unwrap().unwrap();
        assert_eq!(view.size().unwrap(), size);
        let mut tree = Frontier::default();
        for exported in view.entries(0, 100_000).unwrap() {
            tree.push(&exported.entry.0);
        }
        assert_eq!(key.checkpoint(&note).unwrap().root(), tree.root());
    }
}

/// An enrolment, a registration, a change of the host's key, a login, and one that the host let in, against a server that
/// dies after the `n`-th write. True if it died.
fn died_after(n: u64) -> bool {
    let made = init();
    let (code, token, bundle) = (made.code.clone(), made.token.clone(), made.bundle.clone());
    let data = DataFolder::at(made.data.clone());
    audit(&data);
    let carrier = Arc::new(Stubborn::new(made));
    carrier.start(Some(n));

    let clock = Arc::new(SystemClock);
    let host = Newcomer::new(&bundle, carrier.clone(), clock.clone()).enrol(Some(&token));
    let person = Person::new("admin", clock.now());
    match host.register(&person, &code).unwrap() {
        Registered::Done(record) => assert_eq!(record.account, person.account),
        other => panic!("write {n}: {other:?}"),
    }
    let (host, rotated) = host.rotate();
    let (sealed, reply) = log_in(&host, &person);
    assert_eq!(reply.decision, Decision::Allowed, "write {n}: {}", reply.reason);

    // And one that the host let in by its roster.
    let roster = host.check_in_for(2, &["root"], &["sshd"]).roster;
    let told = host.offline_use(&person, &host.session(&person, "root"), &roster, 1);
    let told: OfflineUseReply = host.ask(&told).body().unwrap();
    assert_eq!(told.verdict, OfflineVerdict::Accepted, "write {n}: {}", told.reason);

    // One more was sealed, and the host does not know whether it arrived.
    let lost = crate::job_outcome::login(&host, &person, "root");
    match host.ask(&crate::job_outcome::about(&lost)).body().unwrap() {
        JobOutcomeReply::NeverHappened { .. } => {}
        other => panic!("write {n}: {other:?}"),
    }

    // Sent once more, to a server that was started once more.
    let died = carrier.lost.load(Ordering::SeqCst) > 0;
    assert!(carrier.lost.load(Ordering::SeqCst) <= 1, "write {n}: it died twice");
    if died {
        let again = host.carrier.carry(sealed.bytes()).unwrap();
        let again: JobReply = host.open(&sealed, &again).body().unwrap();
        assert_eq!(again, reply, "write {n}: the retried message got another reply");
        assert_eq!(host.send(&lost).status, 400, "write {n}: it happened after all");
    }
    carrier.check_ledger();
    // Everything acknowledged is there, and there once.
    let entries = crate::fixture::entries(&data);
    for (kind, times) in [
        (EntryKind::Bootstrap, 1),
        (EntryKind::Enrolment, 1),
        (EntryKind::RegistrationTry, 2),
        (EntryKind::Registration, 1),
        (EntryKind::Rotation, 1),
        (EntryKind::Job, 1),
        (EntryKind::OfflineUse, 1),
        (EntryKind::NeverHappened, 1),
        (EntryKind::Refusal, usize::from(died)),
    ] {
        let found = entries.iter().filter(|entry| entry.kind == kind).count();
        assert_eq!(found, times, "write {n}: {kind:?}");
    }
    assert_eq!(entries.len(), 9 + usize::from(died), "write {n}");
    for receipt in [&host.record.receipt, &rotated.receipt, &reply.receipt, &told.receipt] {
        let place = usize::try_from(receipt.index).unwrap();
        assert_eq!(
            Digest::of(&entries[place].to_bytes().unwrap()),
            Digest::of(&receipt.entry.0),
            "write {n}"
        );
    }
    died
}

/// Compares the tables with the ledger. The first audit of a server writes, too, and answers nobody.
pub(crate) fn audit(data: &DataFolder) {
    let keys = open::keys(data).unwrap();
    let store = database::of(data).open(CrashPoint::never()).unwrap();
    let auditor =
        Auditor { store: &*store, pepper: &keys.pepper, ledger: &keys.ledger, random: &SystemRandom };
    assert_eq!(auditor.run(SystemClock.now(), false).unwrap().findings, []);
}

fn log_in(host: &Host, person: &Person) -> (countersign_protocol::envelope::Sealed, JobReply) {
    let mut statement = host.statement(person, "open-session", &format!("session/{}", host.fingerprint()));
    statement.login = Some("root".parse().unwrap());
    statement.service = Some("sshd".parse().unwrap());
    let sealed = host.seal(&host.message(&JobRequest { signed: person.sign(&statement), body: None }));
    let reply = host.open(&sealed, &host.send(&sealed)).body().unwrap();
    (sealed, reply)
}

#[test]
fn server_killed_after_any_write_of_an_enrolment_a_registration_a_rotation_and_a_login_loses_nothing_acknowledged()
 {
    // On PostgreSQL, where a death costs a database, after every third.
    let part = if database::is_postgres() { 3 } else { 1 };
    let mut writes = 0;
    while died_after(writes + part) {
        writes += part;
        assert!(writes < 300, "it does not end");
    }
    // Enrolment alone writes more than a dozen rows: fewer deaths would mean that the aid did not work.
    assert!(writes > 40, "only {writes} writes were seen");
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill_among_many_who_share_a_commit() {
    let made = init();
    let data = DataFolder::at(made.data.clone());
    let program = Program::start(&made.config, &[]);
    let carrier = Arc::new(Http { port: program.port });
    let host = Newcomer::new(&made.bundle, carrier, Arc::new(SystemClock)).enrol(Some(&made.token));
    let admin = Person::new("admin", SystemClock.now());
    crate::fixture::register(&host, &admin, &made.code);
    drop(program);
    let mut acknowledged = 0;
    for n in [103, 158, 211, 262] {
        let mut program = Program::start(&made.config, &["--crash-after-write", &n.to_string()]);
        let carrier = Http { port: program.port };
        let work = || {
            let mut receipts = Vec::new();
            loop {
                let sealed = crate::job_outcome::login(&host, &admin, "root");
                let Ok(answer) = carrier.carry(sealed.bytes()) else { return receipts };
                let reply: JobReply = host.open(&sealed, &answer).body().unwrap();
                assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
                receipts.push(reply.receipt);
            }
        };
        let receipts: Vec<_> = std::thread::scope(|scope| {
            let working: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
            working.into_iter().flat_map(|one| one.join().unwrap()).collect()
        });
        assert!(program.ends(), "it answers no more, and yet it lives");
        let entries = crate::fixture::entries(&data);
        for receipt in &receipts {
            let there = entries.get(usize::try_from(receipt.index).unwrap());
            let there = there.map(|entry| Digest::of(&entry.to_bytes().unwrap()));
            assert_eq!(there, Some(Digest::of(&receipt.entry.0)), "write {n}");
        }
        acknowledged += receipts.len();
    }
    assert!(acknowledged > 20, "only {acknowledged} logins were acknowledged");
}
