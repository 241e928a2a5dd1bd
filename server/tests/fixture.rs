//! A server in a temporary folder, with its clock in our hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use countersign_protocol::clock::{Clock, FixedClock, SystemClock, Timestamp};
use countersign_protocol::ids::{Fingerprint, Role};
use countersign_protocol::ledger::{Entry, EntryKind};
use countersign_protocol::message::result::{AccountCreated, ApplicationBundle, NewAccount};
use countersign_protocol::message::{Decision, InstanceState, JobReply};
use countersign_protocol::random::SystemRandom;
use countersign_server::data::DataFolder;
use countersign_server::doors::openpgp::OpenPgpDoor;
use countersign_server::init::{Made, Wishes, init};
use countersign_server::open::{self, Charter, open_with};
use countersign_server::policy::import;
use countersign_server::store::{CrashPoint, Database};
use countersign_server_core::audit::{Auditor, Report};
use countersign_server_core::core::Core;
use countersign_server_core::outbox::Reach;
use countersign_server_core::policy::{Change, DEFAULT_NAME, Over};
use countersign_server_core::roster::{OfflineRules, Rules};
use countersign_server_core::store::Store;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::client::carrier::{Carrier, Direct};
use crate::client::host::{Host, Registered};
use crate::client::newcomer::Newcomer;
use crate::client::person::Person;
use crate::client::postbox::Postbox;
use crate::database::{self, Fresh, Intruder};

pub(crate) struct Server {
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) folder: DataFolder,
    pub(crate) made: Made,
    pub(crate) bundle: ApplicationBundle,
    pub(crate) door: Arc<dyn Carrier>,
    pub(crate) charter: Charter,
    /// Somebody wrote into the database beside the server.
    edited: AtomicBool,
    _root: Root,
}

pub(crate) const URL: &str = "http://127.0.0.1:8443";

/// Everything a server keeps: gone when this is dropped.
pub(crate) struct Root {
    database: Fresh,
    folder: TempDir,
}

/// Makes a server in a new folder, as `init` does.
pub(crate) fn make(clock: &dyn Clock, url: &str) -> (Root, DataFolder, Made, ApplicationBundle) {
    let root = Root { database: Fresh::make(), folder: tempfile::tempdir().unwrap() };
    let folder = DataFolder::at(root.folder.path().join("data"));
    let wishes = Wishes {
        url: url.parse().unwrap(),
        listen: None,
        application: "countersign".parse().unwrap(),
        administrator: "admin".parse().unwrap(),
        logins: vec!["root".parse().unwrap()],
        store: root.database.store.clone(),
    };
    let made = init(&folder, &wishes, clock, &SystemRandom).unwrap();
    let bundle = serde_json::from_slice(&std::fs::read(&made.bundle).unwrap()).unwrap();
    (root, folder, made, bundle)
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with_offline(24, 20)
    }

    /// One that lets hosts work without it for so long and so often.
    pub(crate) fn with_offline(hours: u32, uses: u32) -> Self {
        Self::with_rules(Rules { offline: OfflineRules::new(hours, uses), emergency_codes: true })
    }

    /// One with another policy than it begins with.
    pub(crate) fn with_policy(text: &str) -> Self {
        let server = Self::new();
        server.import(DEFAULT_NAME, text);
        server
    }

    /// Puts a policy document on the server's own machine, as if nobody could otherwise.
    pub(crate) fn import(&self, name: &str, text: &str) {
        let (store, keys) = (self.store(), open::keys(&self.folder).unwrap());
        let name = name.parse().unwrap();
        let change = Change { name: &name, over: Over::Whatever, text: Some(text) };
        import(&*store, &keys.ledger, &[change], true, &*self.clock, &SystemRandom).unwrap();
    }

    /// One with these rules.
    pub(crate) fn with_rules(rules: Rules) -> Self {
        Self::with_charter(rules.into())
    }

    /// One that reaches people in these ways.
    pub(crate) fn with_reach(reach: Reach) -> Self {
        let rules = Rules { offline: OfflineRules::new(24, 20), emergency_codes: true };
        Self::with_charter(Charter { reach, ..Charter::from(rules) })
    }

    fn with_charter(charter: Charter) -> Self {
        let clock = Arc::new(FixedClock::at(SystemClock.now()));
        let (root, folder, made, bundle) = make(&*clock, URL);
        let door = Arc::new(Direct(openpgp_door(&folder, charter.clone(), clock.clone())));
        Self { clock, folder, made, bundle, door, charter, edited: AtomicBool::new(false), _root: root }
    }

    /// One more process on the same database, as far as it can tell.
    pub(crate) fn another_door(&self) -> Arc<dyn Carrier> {
        Arc::new(Direct(self.openpgp_door()))
    }

    /// The same with other rules, as after a restart.
    pub(crate) fn door_with(&self, rules: Rules) -> Arc<dyn Carrier> {
        Arc::new(Direct(openpgp_door(&self.folder, rules.into(), self.clock.clone())))
    }

    /// A core with these rules, as after a restart.
    pub(crate) fn core_with(&self, rules: Rules) -> Arc<Core> {
        let random = Arc::new(SystemRandom);
        let core = open_with(
            &self.folder,
            &database::of(&self.folder),
            URL,
            rules,
            CrashPoint::never(),
            self.clock.clone(),
            random,
        )
        .unwrap();
        Arc::new(core)
    }

    /// The host, asking a server in another folder.
    pub(crate) fn at(&self, folder: &DataFolder, host: Host) -> Host {
        let (random, rules) = (Arc::new(SystemRandom), self.charter.rules);
        let database = Database::Sqlite(folder.database());
        let clock = self.clock.clone();
        let core = open_with(folder, &database, URL, rules, CrashPoint::never(), clock, random).unwrap();
        host.through(Arc::new(core))
    }

    /// The same, to look at what it says beside the bytes.
    pub(crate) fn openpgp_door(&self) -> OpenPgpDoor {
        openpgp_door(&self.folder, self.charter.clone(), self.clock.clone())
    }

    /// The same, and how many statements its messages take.
    pub(crate) fn counted_door(&self) -> (Arc<dyn Carrier>, Arc<AtomicU64>) {
        let count = Arc::new(AtomicU64::new(0));
        let (database, random) = (database::of(&self.folder), Arc::new(SystemRandom));
        let crash = CrashPoint::counting(count.clone());
        let (charter, clock) = (self.charter.clone(), self.clock.clone());
        let core = open_with(&self.folder, &database, URL, charter, crash, clock, random).unwrap();
        (Arc::new(Direct(OpenPgpDoor::new(Arc::new(core)))), count)
    }

    /// Where this server's letters go.
    pub(crate) fn postbox(&self) -> Postbox {
        Postbox(Arc::new(core(&self.folder, self.charter.clone(), self.clock.clone())))
    }

    pub(crate) fn newcomer(&self) -> Newcomer {
        Newcomer::new(&self.bundle, self.door.clone(), self.clock.clone())
    }

    /// A host with the first token.
    pub(crate) fn host(&self) -> Host {
        self.newcomer().enrol(Some(&self.made.token.token))
    }

    /// The first administrator, registered on `host`.
    pub(crate) fn administrator(&self, host: &Host) -> Person {
        let admin = Person::new("admin", self.clock.now());
        register(host, &admin, &self.made.administrator.code);
        admin
    }

    /// An account made by `admin`, not registered yet.
    pub(crate) fn invite(&self, host: &Host, admin: &Person, name: &str, logins: &[&str]) -> AccountCreated {
        let body = NewAccount {
            logins: logins.iter().map(|login| login.parse().unwrap()).collect(),
            roles: vec![Role::User],
            totp: false,
        };
        let body = serde_json::to_vec(&body).unwrap();
        let reply = host.job(admin, "create", &format!("account/{name}"), Some(&body));
        serde_json::from_value(reply.result.unwrap()).unwrap()
    }

    /// A registered account with these roles and its own name as its login.
    pub(crate) fn person(&self, host: &Host, admin: &Person, name: &str, roles: &[Role]) -> Person {
        self.person_with_card(host, admin, name, roles, "FFFE:0000AAAA")
    }

    /// The same, on a card of this number.
    pub(crate) fn person_with_card(
        &self,
        host: &Host,
        admin: &Person,
        name: &str,
        roles: &[Role],
        card: &str,
    ) -> Person {
        let body = NewAccount { logins: vec![name.parse().unwrap()], roles: roles.to_vec(), totp: false };
        let body = serde_json::to_vec(&body).unwrap();
        let created: AccountCreated =
            done(host.job(admin, "create", &format!("account/{name}"), Some(&body)));
        let person = Person { card: card.parse().unwrap(), ..Person::new(name, self.clock.now()) };
        register(host, &person, &created.code);
        person
    }

    /// A host, its administrator, and ana, who may log in as ana.
    pub(crate) fn with_ana(&self) -> (Host, Person, Person) {
        let host = self.host();
        let admin = self.administrator(&host);
        let created = self.invite(&host, &admin, "ana", &["ana"]);
        let ana = Person::new("ana", self.clock.now());
        register(&host, &ana, &created.code);
        (host, admin, ana)
    }

    /// One more active host, with a token that `admin` makes.
    pub(crate) fn second_host(&self, host: &Host, admin: &Person) -> Host {
        let reply = host.job(admin, "create", "enrolment-token/second", None);
        let token: countersign_protocol::message::result::TokenCreated =
            serde_json::from_value(reply.result.unwrap()).unwrap();
        self.newcomer().enrol(Some(&token.token))
    }

    /// As an administrator at another host would revoke this one.
    pub(crate) fn revoke(&self, instance: &Fingerprint) {
        let store = self.store();
        let tx = store.begin().unwrap();
        let from = tx.instance(instance).unwrap().unwrap().state;
        assert!(tx.move_instance(instance, from, InstanceState::Revoked, self.clock.now()).unwrap());
        tx.commit().unwrap();
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Somebody writes into the database beside the server.
    pub(crate) fn is_edited(&self) {
        self.edited.store(true, Ordering::SeqCst);
    }

    /// The database, to write into it beside the server.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.is_edited();
        database::of(&self.folder).open(CrashPoint::never()).unwrap()
    }

    /// Somebody who works on the database without the server.
    pub(crate) fn intruder(&self) -> Intruder {
        self.is_edited();
        Intruder::in_folder(&self.folder)
    }

    /// All that lies in the database, as it lies there.
    pub(crate) fn everything_stored(&self) -> Vec<u8> {
        database::everything_in(&self.folder)
    }

    /// The database, to read it.
    pub(crate) fn read_store(&self) -> Arc<dyn Store> {
        database::of(&self.folder).open(CrashPoint::never()).unwrap()
    }

    /// Compares the tables with the ledger, from its beginning on.
    pub(crate) fn audit(&self) -> Report {
        let keys = open::keys(&self.folder).unwrap();
        let store = self.read_store();
        let (pepper, ledger) = (&keys.pepper, &keys.ledger);
        let auditor = Auditor { store: &*store, pepper, ledger, random: &SystemRandom };
        auditor.run(self.clock_now(), true).unwrap()
    }

    /// Everything in the ledger, in order.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        entries(&self.folder)
    }

    /// The newest entry, which must be of this kind.
    pub(crate) fn newest(&self, kind: EntryKind) -> Entry {
        let newest = self.entries().pop().unwrap();
        assert_eq!(newest.kind, kind, "{newest:?}");
        newest
    }
}

/// What an allowed request yielded.
pub(crate) fn done<R: DeserializeOwned>(reply: JobReply) -> R {
    assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
    serde_json::from_value(reply.result.unwrap()).unwrap()
}

/// That a request was denied, and what was said.
#[track_caller]
pub(crate) fn denied(reply: &JobReply, why: &str) {
    assert_eq!(reply.decision, Decision::Denied);
    assert!(reply.result.is_none() && reply.reason.contains(why), "{}", reply.reason);
}

/// Whatever a test did by requests, the ledger says it of every row.
impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() || self.edited.load(Ordering::SeqCst) {
            return;
        }
        let report = self.audit();
        assert!(
            report.findings.is_empty(),
            "the tables are not what the ledger says: {:#?}",
            report.findings
        );
    }
}

pub(crate) fn register(host: &Host, person: &Person, code: &str) {
    match host.register(person, code).unwrap() {
        Registered::Done(record) => assert_eq!(record.account, person.account),
        other => panic!("{} was not registered: {other:?}", person.account),
    }
}

pub(crate) fn entries(folder: &DataFolder) -> Vec<Entry> {
    let store = database::of(folder).open(CrashPoint::never()).unwrap();
    let view = store.view().unwrap();
    let exported = view.entries(0, 100_000).unwrap();
    exported.iter().map(|exported| Entry::from_bytes(&exported.entry.0).unwrap()).collect()
}

fn openpgp_door(folder: &DataFolder, charter: Charter, clock: Arc<FixedClock>) -> OpenPgpDoor {
    OpenPgpDoor::new(Arc::new(core(folder, charter, clock)))
}

fn core(folder: &DataFolder, charter: Charter, clock: Arc<FixedClock>) -> Core {
    let (database, random) = (database::of(folder), Arc::new(SystemRandom));
    open_with(folder, &database, URL, charter, CrashPoint::never(), clock, random).unwrap()
}
