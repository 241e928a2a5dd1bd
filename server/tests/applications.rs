//! Applications and their developers: registered, approved, published in, and ended.

use countersign_protocol::certificate;
use countersign_protocol::ids::{Digest, Role};
use countersign_protocol::ledger::EntryKind;
use countersign_protocol::life::Life;
use countersign_protocol::message::result::{
    ApplicationBundle, ApplicationChanged, ApplicationList, InstanceList, NamedVersion, NewVersion,
    VersionChanged,
};
use countersign_protocol::message::{CheckIn, CheckInReply, HelloReply};

use crate::client::host::Host;
use crate::client::newcomer::Newcomer;
use crate::client::person::Person;
use crate::client::{keys, open_reply, refusal};
use crate::fixture::{Server, denied, done};

/// A developer, and an application of theirs that an administrator approved.
fn with_dora(server: &Server) -> (Host, Person, Person, ApplicationBundle) {
    let host = server.host();
    let admin = server.administrator(&host);
    let dora = server.person(&host, &admin, "dora", &[Role::Developer]);
    let bundle: ApplicationBundle = done(host.job(&dora, "create", "application/kiosk", None));
    let approved: ApplicationChanged = done(host.job(&admin, "approve", "application/kiosk", None));
    assert_eq!((approved.state, approved.changed), (Life::Active, true));
    (host, admin, dora, bundle)
}

fn shown(host: &Host, who: &Person, name: &str) -> ApplicationList {
    done(host.job(who, "read", &format!("application/{name}"), None))
}

fn published(version: &str) -> Vec<u8> {
    let notes = "It is\nnewer.".to_owned();
    let body =
        NewVersion { version: version.parse().unwrap(), digest: Digest::of(version.as_bytes()), notes };
    serde_json::to_vec(&body).unwrap()
}

fn named(version: &str) -> Vec<u8> {
    serde_json::to_vec(&NamedVersion { version: version.parse().unwrap() }).unwrap()
}

#[test]
fn a_developers_application_waits_for_an_administrator() {
    let server = Server::new();
    let host = server.host();
    let admin = server.administrator(&host);
    let dora = server.person(&host, &admin, "dora", &[Role::Developer]);
    let bundle: ApplicationBundle = done(host.job(&dora, "create", "application/kiosk", None));
    assert_eq!(shown(&host, &dora, "kiosk").applications[0].state, Life::Pending);

    // Whoever has the bundle can say nothing with it yet.
    let newcomer = Newcomer::new(&bundle, server.door.clone(), server.clock.clone());
    let hello = newcomer.hello();
    refusal(&newcomer.carrier.carry(hello.bytes()).unwrap(), &newcomer.server, &hello);
    assert!(server.newest(EntryKind::Refusal).reason.contains("pending"));
    denied(&host.job(&dora, "approve", "application/kiosk", None), "No policy lets account dora");
    let publish = published("1.0");
    denied(&host.job(&dora, "publish", "application/kiosk", Some(&publish)), "is pending");

    let _: ApplicationChanged = done(host.job(&admin, "approve", "application/kiosk", None));
    let again: ApplicationChanged = done(host.job(&admin, "approve", "application/kiosk", None));
    assert_eq!((again.state, again.changed), (Life::Active, false));
    let newcomer = Newcomer::new(&bundle, server.door.clone(), server.clock.clone());
    assert_eq!(newcomer.enrol(None).record.application.as_str(), "kiosk");
}

#[test]
fn a_suspended_or_retired_application_gets_no_new_hosts_and_its_hosts_go_on() {
    let server = Server::new();
    let (host, admin, dora, bundle) = with_dora(&server);
    let newcomer = || Newcomer::new(&bundle, server.door.clone(), server.clock.clone());
    let enrolled = newcomer().enrol(None);
    let words = countersign_protocol::key_words::key_words(&enrolled.fingerprint());
    let approved = host.job(&admin, "approve", &format!("instance/{words}"), None);
    assert!(approved.result.is_some(), "{}", approved.reason);

    let suspended: ApplicationChanged = done(host.job(&dora, "suspend", "application/kiosk", None));
    assert_eq!(suspended.state, Life::Suspended);
    let turned_away = |at: &str| {
        let newcomer = newcomer();
        let hello = newcomer.hello();
        refusal(&newcomer.carrier.carry(hello.bytes()).unwrap(), &newcomer.server, &hello);
        assert!(server.newest(EntryKind::Refusal).reason.contains(at));
    };
    turned_away("suspended");
    // Whoever was barred by an administrator does not lift that.
    denied(&host.job(&dora, "resume", "application/kiosk", None), "No policy");
    let resumed: ApplicationChanged = done(host.job(&admin, "resume", "application/kiosk", None));
    assert_eq!(resumed.state, Life::Active);
    assert!(newcomer().try_enrol(None).unwrap().is_ok());

    let retired: ApplicationChanged = done(host.job(&dora, "retire", "application/kiosk", None));
    assert_eq!((retired.state, retired.changed), (Life::Retired, true));
    turned_away("retired");
    for operation in ["resume", "approve", "suspend"] {
        denied(&host.job(&admin, operation, "application/kiosk", None), "is retired");
    }
    denied(&host.job(&dora, "create", "application/kiosk", None), "already");
    // Who works there logs in there.
    assert!(enrolled.log_in(&admin, "root").result.is_none());
    assert_eq!(server.newest(EntryKind::Job).application.unwrap().as_str(), "kiosk");
}

#[test]
fn an_applications_key_is_handed_out_once_and_rests_nowhere() {
    let server = Server::new();
    let host = server.host();
    let admin = server.administrator(&host);
    let dora = server.person(&host, &admin, "dora", &[Role::Developer]);
    let bundle: ApplicationBundle = done(host.job(&dora, "create", "application/kiosk", None));
    let secret = certificate::parse_secret(&bundle.secret_key.0).unwrap();
    let names = secret.keys().map(|key| key.key().fingerprint()).collect::<Vec<_>>();
    assert!(!names.is_empty());

    // Each secret scalar of it, as it would lie anywhere in the clear, and its base64.
    let needles: Vec<Vec<u8>> = keys::secret_scalars(&secret);
    assert!(needles.len() >= 2 && needles.iter().all(|needle| needle.len() == 32));
    let whole = serde_json::to_string(&bundle.secret_key).unwrap().trim_matches('"').as_bytes().to_vec();
    let rests = server.everything_stored();
    for needle in needles.iter().chain([&bundle.secret_key.0, &whole]) {
        assert!(
            !rests.windows(needle.len()).any(|part| part == needle.as_slice()),
            "the key rests in the store"
        );
    }
    for entry in server.entries() {
        let text = serde_json::to_string(&entry).unwrap();
        assert!(!text.contains(std::str::from_utf8(&whole).unwrap().get(..40).unwrap()));
    }

    // No later request brings it again, whoever asks.
    for (who, operation, resource) in [
        (&dora, "create", "application/kiosk"),
        (&dora, "read", "application/kiosk"),
        (&admin, "read", "applications/all"),
    ] {
        let body = resource.ends_with("all").then_some(b"{}".as_slice());
        let reply = host.job(who, operation, resource, body);
        let text = serde_json::to_string(&reply.result).unwrap();
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn a_developer_looks_after_their_own_applications_and_no_others() {
    let server = Server::new();
    let (host, admin, dora, _bundle) = with_dora(&server);
    let emil = server.person(&host, &admin, "emil", &[Role::Developer]);
    let _: ApplicationBundle = done(host.job(&emil, "create", "application/till", None));
    let (publish, retire) = (published("1.0"), named("1.0"));
    let all = [
        ("read", None),
        ("publish", Some(publish.as_slice())),
        ("retire-version", Some(retire.as_slice())),
        ("suspend", None),
        ("retire", None),
    ];
    for (operation, body) in all {
        // Somebody else's, the server's first, and one that is not there answer alike.
        for name in ["kiosk", "countersign", "nothing"] {
            let reply = host.job(&emil, operation, &format!("application/{name}"), body);
            denied(&reply, &format!("No policy lets account emil {operation} application/{name}."));
        }
    }
    let own = |who: &Person| -> Vec<String> {
        let list: ApplicationList = done(host.job(who, "read", "applications/own", Some(b"{}")));
        list.applications.iter().map(|one| one.application.to_string()).collect()
    };
    assert_eq!((own(&dora), own(&emil)), (vec!["kiosk".to_owned()], vec!["till".to_owned()]));
    denied(&host.job(&emil, "read", "applications/all", Some(b"{}")), "No policy");
    let list: ApplicationList = done(host.job(&admin, "read", "applications/all", Some(b"{}")));
    assert_eq!(list.applications.len(), 3);

    // Without the role, what one registered is nobody's to look after.
    let body = br#"{"roles":["user"]}"#;
    let _: serde_json::Value = done(host.job(&admin, "update", "account/dora", Some(body)));
    denied(&host.job(&dora, "read", "application/kiosk", None), "No policy");
}

#[test]
fn a_version_has_one_digest_for_ever_and_a_retired_one_enrols_nobody() {
    let server = Server::new();
    let (host, admin, dora, bundle) = with_dora(&server);
    let (first, second) = (published("1.0"), published("1.1"));
    let made: VersionChanged = done(host.job(&dora, "publish", "application/kiosk", Some(&first)));
    assert_eq!((made.state, made.hosts), (Life::Active, 0));
    let entry = server.newest(EntryKind::Job);
    assert_eq!(entry.detail["digest"], Digest::of(b"1.0").to_string());
    let other =
        NewVersion { version: "1.0".parse().unwrap(), digest: Digest::of(b"evil"), notes: String::new() };
    let other = serde_json::to_vec(&other).unwrap();
    denied(&host.job(&dora, "publish", "application/kiosk", Some(&other)), "already");
    let _: VersionChanged = done(host.job(&dora, "publish", "application/kiosk", Some(&second)));

    // A host that runs it, and says so.
    let newcomer = || Newcomer::new(&bundle, server.door.clone(), server.clock.clone());
    let running = newcomer().enrol(None);
    let words = countersign_protocol::key_words::key_words(&running.fingerprint());
    host.job(&admin, "approve", &format!("instance/{words}"), None);
    let says = |counter: u64, version: &str| -> CheckInReply {
        let version = Some(version.parse().unwrap());
        let body = CheckIn {
            server_certificate: None,
            counter,
            ledger_size: 0,
            logins: vec![],
            services: vec![],
            version,
        };
        running.ask(&body).body().unwrap()
    };
    assert!(!says(1, "1.0").version_retired);
    assert_eq!(shown(&host, &dora, "kiosk").applications[0].versions[1].hosts, 1);

    let body = named("1.0");
    let retired: VersionChanged = done(host.job(&dora, "retire-version", "application/kiosk", Some(&body)));
    assert_eq!((retired.state, retired.hosts, retired.changed), (Life::Retired, 1, true));
    let again: VersionChanged = done(host.job(&dora, "retire-version", "application/kiosk", Some(&body)));
    assert!(!again.changed);
    assert!(says(2, "1.0").version_retired);
    let list: InstanceList =
        done(host.job(&admin, "read", &format!("instance/{}", running.fingerprint()), None));
    assert!(list.instances[0].version_retired);
    assert_eq!(list.instances[0].version.as_ref().unwrap().as_str(), "1.0");

    // A new one is told why, and what it sends after that opens nothing.
    let late = newcomer();
    let hello = late.hello_of(Some("1.0"));
    let answer = late.carrier.carry(hello.bytes()).unwrap();
    let reply: HelloReply =
        open_reply(&answer.body, &late.ephemeral, &late.server, &hello, server.clock_now())
            .unwrap()
            .body()
            .unwrap();
    assert!(reply.version_retired);
    let greeted = late.greeted(&hello, &answer.body).unwrap();
    let key = late.instance_key(&greeted, None);
    refusal(&late.carrier.carry(key.bytes()).unwrap(), &late.server, &key);
    assert!(server.newest(EntryKind::Refusal).reason.contains("handshake"));

    // The next version, one that nobody published, and none at all enrol.
    for version in [Some("1.1"), Some("9.9-test"), None] {
        let newcomer = newcomer();
        let hello = newcomer.hello_of(version);
        let answer = newcomer.carrier.carry(hello.bytes()).unwrap();
        let greeted = newcomer.greeted(&hello, &answer.body).unwrap();
        let key = newcomer.instance_key(&greeted, None);
        assert_eq!(newcomer.carrier.carry(key.bytes()).unwrap().status, 200, "{version:?}");
    }
}
