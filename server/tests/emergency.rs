//! Emergency codes: what one opens, once, and what it does not.

use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_protocol::binary::Binary;
use countersign_protocol::emergency::EmergencyCode;
use countersign_protocol::envelope::Sealed;
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{
    Entry, EntryKind, ExportWriter, Outcome, Trust, check_receipt, detail, verify_export,
};
use countersign_protocol::limits;
use countersign_protocol::message::result::{EmergencyCodeMade, LedgerPage, SessionOpened};
use countersign_protocol::message::{
    Decision, EmergencyUse, InstanceState, JobReply, OfflineEmergency, OfflineUseReply, OfflineVerdict,
};
use countersign_protocol::random::SystemRandom;
use countersign_protocol::roster::SignedRoster;
use countersign_protocol::statement::Statement;
use countersign_server_core::roster::{OfflineRules, Rules};
use secrecy::ExposeSecret as _;

use crate::client::host::{Host, Registered};
use crate::client::person::Person;
use crate::client::refusal;
use crate::fixture::Server;

/// A new code for this person, made with their card.
fn new_code(host: &Host, person: &Person) -> EmergencyCode {
    let reply = host.job(person, "renew-emergency-code", &format!("account/{}", person.account), None);
    assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
    serde_json::from_value::<EmergencyCodeMade>(reply.result.unwrap()).unwrap().code
}

fn wrong() -> EmergencyCode {
    EmergencyCode::new(&SystemRandom).unwrap()
}

/// A login of the person by `service`, as a card would sign it.
fn asked(host: &Host, person: &Person, service: &str) -> Statement {
    let mut statement = host.session(person, person.account.as_str());
    statement.service = Some(service.parse().unwrap());
    statement
}

fn sealed(host: &Host, statement: &Statement, code: &EmergencyCode) -> Sealed {
    let statement = Binary(statement.to_bytes().unwrap());
    host.seal(&host.message(&EmergencyUse { statement, code: code.clone() }))
}

/// Types the code at the console, proves the answer, and looks at its entry.
fn typed(host: &Host, person: &Person, service: &str, code: &EmergencyCode) -> (JobReply, Entry) {
    let statement = asked(host, person, service);
    let sealed = sealed(host, &statement, code);
    let reply: JobReply = host.open(&sealed, &host.send(&sealed)).body().unwrap();
    let proven = check_receipt(&reply.receipt, &host.ledger_key).unwrap();
    proven.answers(&sealed.id(), Some(&Digest::of(&statement.to_bytes().unwrap()))).unwrap();
    let entry = proven.entry().clone();
    assert_eq!(entry.kind, EntryKind::Alarm, "loud, whichever way it ends");
    assert_eq!(entry.reason, reply.reason);
    (reply, entry)
}

fn is_let_in(host: &Host, person: &Person, code: &EmergencyCode) -> bool {
    let (reply, entry) = typed(host, person, "login", code);
    assert_eq!(reply.decision == Decision::Allowed, entry.decision == Outcome::Allowed);
    reply.decision == Decision::Allowed
}

#[test]
fn registering_a_card_brings_one_emergency_code_and_it_works() {
    let server = Server::new();
    let host = server.host();
    let admin = Person::new("admin", server.clock_now());
    let Registered::Done(record) = host.register(&admin, &server.made.administrator.code).unwrap() else {
        panic!("the administrator was not registered")
    };
    let code = record.emergency_code.unwrap();
    let mut statement = asked(&host, &admin, "login");
    statement.login = Some("root".parse().unwrap());
    let sealed = sealed(&host, &statement, &code);
    let reply: JobReply = host.open(&sealed, &host.send(&sealed)).body().unwrap();
    assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
}

#[test]
fn an_emergency_code_opens_one_login_and_is_an_alarm_that_its_person_hears_of() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let other = server.second_host(&host, &admin);
    let code = new_code(&host, &ana);
    let (reply, entry) = typed(&host, &ana, "login", &code);
    assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
    assert_eq!(entry.account.as_ref(), Some(&ana.account));
    assert_eq!((entry.key, entry.evidence), (None, None), "nobody signed it");
    assert_eq!(entry.detail.get(detail::EMERGENCY_CODE).map(String::as_str), Some("used"));
    // Not again, neither here nor at another host.
    assert!(!is_let_in(&host, &ana, &code));
    assert!(!is_let_in(&other, &ana, &code));

    // With the card, Ana hears of it, at each login of a week: one may be of a program that shows nothing.
    let told =
        |reply: JobReply| reply.result.map(|result| serde_json::from_value::<SessionOpened>(result).unwrap());
    let uses = told(host.log_in(&ana, "ana")).unwrap().emergency_uses;
    assert_eq!(uses.len(), 1);
    assert_eq!((uses[0].login.as_str(), uses[0].at), ("ana", server.clock_now()));
    assert_eq!(told(host.log_in(&ana, "ana")).unwrap().emergency_uses, uses);
    let (store, now) = (server.store(), server.clock_now());
    for (later, hears) in [(limits::EMERGENCY_TOLD_FOR - 1, 1), (limits::EMERGENCY_TOLD_FOR + 1, 0)] {
        let tx = store.begin().unwrap();
        assert_eq!(tx.tell_emergency_uses(&ana.account, now.plus(later)).unwrap().len(), hears);
    }
    drop(store);
    // A new one works.
    assert!(is_let_in(&other, &ana, &new_code(&host, &ana)));
}

#[test]
fn an_emergency_code_is_tried_five_times_in_all_however_many_ask_at_once() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let code = new_code(&host, &ana);
    let denied = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut own = host.copy();
            own.carrier = server.another_door();
            let (ana, denied) = (&ana, &denied);
            scope.spawn(move || {
                for _ in 0..3 {
                    assert!(!is_let_in(&own, ana, &wrong()));
                    denied.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(denied.load(Ordering::SeqCst), 12);
    let entries = server.entries();
    let compared = entries
        .iter()
        .filter(|entry| entry.detail.get(detail::EMERGENCY_CODE).map(String::as_str) == Some("wrong"));
    assert_eq!(compared.count(), 5, "12 codes were compared more than five times");
    assert!(!is_let_in(&host, &ana, &code), "the right one is too late now");
    let ended = || {
        let told = host.log_in(&ana, "ana").result;
        told.is_some_and(|told| serde_json::from_value::<SessionOpened>(told).unwrap().emergency_code_ended)
    };
    assert!(ended(), "who tries codes must not end hers behind her back");
    assert!(is_let_in(&host, &ana, &new_code(&host, &ana)), "its person makes another");
    assert!(!ended(), "that one was used");
}

#[test]
fn an_emergency_code_opens_the_console_and_nothing_else() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let code = new_code(&host, &ana);
    for service in ["sudo", "sshd", "polkit-1", "cron"] {
        let (reply, entry) = typed(&host, &ana, service, &code);
        assert_eq!(reply.decision, Decision::Denied, "{service}");
        assert!(entry.checks.last().is_some_and(|check| check.name == "console-service"));
    }
    // Another login than the account's own is the policy's to deny, and costs no try.
    let mut statement = asked(&host, &ana, "login");
    statement.login = Some("root".parse().unwrap());
    let root = sealed(&host, &statement, &code);
    let reply: JobReply = host.open(&root, &host.send(&root)).body().unwrap();
    assert_eq!(reply.decision, Decision::Denied);
    assert!(is_let_in(&host, &ana, &code));
}

#[test]
fn an_emergency_request_for_anything_but_a_login_here_is_refused() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let other = server.second_host(&host, &admin);
    let code = new_code(&host, &ana);
    let changes: [&dyn Fn(&mut Statement); 6] = [
        &|statement| statement.operation = "create".parse().unwrap(),
        &|statement| statement.resource = "account/ana".parse().unwrap(),
        &|statement| statement.instance = other.fingerprint(),
        &|statement| statement.body = Some(Digest::of(b"body")),
        &|statement| statement.login = None,
        &|statement| {
            statement.time = statement.time.plus(-600);
            statement.expires = statement.time.plus(120);
        },
    ];
    for change in changes {
        let mut statement = asked(&host, &ana, "login");
        change(&mut statement);
        let sealed = sealed(&host, &statement, &code);
        refusal(&host.send(&sealed), &host.server, &sealed);
    }
    // One request is good once, in whatever envelope, and its answer is the same however often it is asked for.
    let statement = asked(&host, &ana, "login");
    let first = sealed(&host, &statement, &code);
    let reply = |answer| host.open(&first, &answer).body::<JobReply>().unwrap();
    let answered = reply(host.send(&first));
    assert_eq!(answered.decision, Decision::Allowed);
    assert_eq!(reply(host.send(&first)), answered);
    let again = sealed(&host, &statement, &new_code(&host, &ana));
    refusal(&host.send(&again), &host.server, &again);
}

#[test]
fn an_emergency_code_ends_with_the_key_or_the_suspension_of_its_account() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let code = new_code(&host, &ana);
    assert_eq!(host.job(&admin, "suspend", "account/ana", None).decision, Decision::Allowed);
    assert!(!is_let_in(&host, &ana, &code));
    assert_eq!(host.job(&admin, "resume", "account/ana", None).decision, Decision::Allowed);
    assert!(!is_let_in(&host, &ana, &code), "it does not come back with the account");

    let code = new_code(&host, &ana);
    let key = countersign_protocol::certificate::fingerprint(&ana.cert).unwrap();
    assert_eq!(host.job(&admin, "revoke", &format!("key/{key}"), None).decision, Decision::Allowed);
    assert!(!is_let_in(&host, &ana, &code));
}

#[test]
fn nobody_has_an_emergency_code_made_for_somebody_else() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let code = new_code(&host, &ana);
    for (who, whose) in [(&admin, "ana"), (&ana, "admin"), (&admin, "nobody")] {
        let reply = host.job(who, "renew-emergency-code", &format!("account/{whose}"), None);
        assert_eq!((reply.decision, reply.result), (Decision::Denied, None), "{whose}");
    }
    assert!(is_let_in(&host, &ana, &code), "and Ana's is as it was");
}

#[test]
fn no_emergency_code_rests_in_the_database_or_the_ledger() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let codes = [new_code(&host, &ana), new_code(&host, &ana)];
    assert!(is_let_in(&host, &ana, &codes[1]));
    let mut searched = 0;
    let folder = server.folder.database();
    let files = std::fs::read_dir(folder.parent().unwrap()).unwrap();
    let files = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
    for bytes in files.chain([server.everything_stored()]) {
        searched += bytes.len();
        for code in &codes {
            let spelled = code.spelled().expose_secret().to_owned();
            for form in [spelled.replace('-', ""), spelled] {
                assert!(!bytes.windows(form.len()).any(|found| found == form.as_bytes()));
            }
        }
    }
    assert!(searched > 10_000, "{searched} bytes");
}

#[test]
fn rosters_have_what_knows_a_live_code_again_and_an_export_with_emergencies_verifies() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let verifier = |counter| host.entries(counter, &["ana"])[0].accounts[0].emergency.clone();
    let registered = verifier(1).unwrap();
    let code = new_code(&host, &ana);
    let renewed = verifier(2).unwrap();
    assert_ne!(registered, renewed);
    assert!(countersign_protocol::envelope::is_code_of(&code, &renewed));
    assert!(!countersign_protocol::envelope::is_code_of(&code, &registered));
    assert!(is_let_in(&host, &ana, &code));
    assert_eq!(verifier(3), None, "a code that was used is nobody's");

    let page = host.job(&admin, "read", "ledger/entries", Some(br#"{"from":0}"#)).result.unwrap();
    let page: LedgerPage = serde_json::from_value(page).unwrap();
    let export = ExportWriter::begin(Vec::new(), &page).unwrap().finish().unwrap();
    let trust = Trust { key: Some(host.ledger_key.clone()), seen: None };
    let report = verify_export(export.as_slice(), &trust).unwrap();
    assert_eq!(report.unattributed, 0);
}

/// A host that let Ana in by her code while it could not reach us.
struct Away {
    server: Server,
    host: Host,
    admin: Person,
    ana: Person,
    code: EmergencyCode,
    roster: SignedRoster,
}

impl Away {
    fn new() -> Self {
        let server = Server::new();
        let (host, admin, ana) = server.with_ana();
        let code = new_code(&host, &ana);
        let roster = host.check_in_for(1, &["ana"], &["login", "sshd"]).roster;
        Self { server, host, admin, ana, code, roster }
    }

    fn report(&self, statement: &Statement) -> OfflineEmergency {
        OfflineEmergency {
            statement: Binary(statement.to_bytes().unwrap()),
            roster: self.roster.clone(),
            at: self.server.clock_now(),
            correlation: "7K3M-Q2ZD".parse().unwrap(),
            account: self.ana.account.clone(),
            login: statement.login.clone().unwrap(),
            service: statement.service.clone().unwrap(),
        }
    }

    fn told(&self, host: &Host, report: &OfflineEmergency) -> (OfflineVerdict, Entry) {
        let reply: OfflineUseReply = host.ask(report).body().unwrap();
        let proven = check_receipt(&reply.receipt, &host.ledger_key).unwrap();
        let entry = proven.entry().clone();
        assert_eq!((entry.kind, entry.statement), (EntryKind::Alarm, Some(Digest::of(&report.statement.0))));
        assert_eq!((entry.correlation.as_str(), &entry.reason), ("7K3M-Q2ZD", &reply.reason));
        (reply.verdict, entry)
    }
}

#[test]
fn an_emergency_code_used_without_the_server_is_used_up_once_it_hears_of_it() {
    let away = Away::new();
    let report = away.report(&asked(&away.host, &away.ana, "login"));
    let (verdict, entry) = away.told(&away.host, &report);
    assert_eq!(verdict, OfflineVerdict::Accepted, "{}", entry.reason);
    // Told again in another envelope: the same word, and nothing twice.
    let size = away.server.entries().len();
    assert_eq!(away.told(&away.host, &report), (verdict, entry));
    assert_eq!(away.server.entries().len(), size);
    assert!(!is_let_in(&away.host, &away.ana, &away.code));
    let opened = away.host.log_in(&away.ana, "ana").result.unwrap();
    assert_eq!(serde_json::from_value::<SessionOpened>(opened).unwrap().emergency_uses.len(), 1);
}

#[test]
fn an_emergency_code_used_at_two_hosts_or_online_before_is_disputed() {
    let away = Away::new();
    let other = away.server.second_host(&away.host, &away.admin);
    let roster = other.check_in_for(1, &["ana"], &["login"]).roster;
    let (verdict, _) = away.told(&away.host, &away.report(&asked(&away.host, &away.ana, "login")));
    assert_eq!(verdict, OfflineVerdict::Accepted);
    let second = OfflineEmergency { roster, ..away.report(&asked(&other, &away.ana, "login")) };
    let (verdict, entry) = away.told(&other, &second);
    assert_eq!(verdict, OfflineVerdict::Disputed);
    assert!(entry.reason.contains("had been used"), "{}", entry.reason);

    let away = Away::new();
    assert!(is_let_in(&away.host, &away.ana, &away.code));
    let (verdict, _) = away.told(&away.host, &away.report(&asked(&away.host, &away.ana, "login")));
    assert_eq!(verdict, OfflineVerdict::Disputed);
}

#[test]
fn the_request_that_a_host_gave_up_and_decided_itself_is_one_and_the_same() {
    let away = Away::new();
    let statement = asked(&away.host, &away.ana, "login");
    // It arrived after all, and its answer was lost.
    let late = sealed(&away.host, &statement, &away.code);
    let reply: JobReply = away.host.open(&late, &away.host.send(&late)).body().unwrap();
    assert_eq!(reply.decision, Decision::Allowed);
    let (verdict, entry) = away.told(&away.host, &away.report(&statement));
    assert_eq!(verdict, OfflineVerdict::Accepted, "{}", entry.reason);

    // Or it is held back and arrives after the host told us: then it is nobody's.
    let away = Away::new();
    let statement = asked(&away.host, &away.ana, "login");
    let late = sealed(&away.host, &statement, &away.code);
    assert_eq!(away.told(&away.host, &away.report(&statement)).0, OfflineVerdict::Accepted);
    refusal(&away.host.send(&late), &away.host.server, &late);
}

#[test]
fn an_emergency_that_the_server_would_not_have_let_in_is_disputed() {
    let away = Away::new();
    let good = asked(&away.host, &away.ana, "login");
    let mut root = good.clone();
    root.login = Some("root".parse().unwrap());
    let sudo = asked(&away.host, &away.ana, "sshd");
    let late = OfflineEmergency { at: away.server.clock_now().plus(3 * 86_400), ..away.report(&good) };
    let mut forged = away.roster.clone();
    forged.signature.0.reverse();
    let unsigned = OfflineEmergency { roster: forged, ..away.report(&asked(&away.host, &away.ana, "login")) };
    for (report, check) in [
        (away.report(&root), "roster-permits"),
        (away.report(&sudo), "roster-permits"),
        (unsigned, "roster-signature"),
        (late, "statement"),
    ] {
        let (verdict, entry) = away.told(&away.host, &report);
        assert_eq!(verdict, OfflineVerdict::Disputed, "{check}");
        assert_eq!(entry.checks.last().map(|last| last.name.as_str()), Some(check), "{}", entry.reason);
    }
}

#[test]
fn reports_of_uses_that_no_roster_permitted_keep_nobody_from_logging_in_by_card() {
    let away = Away::new();
    let other = away.server.second_host(&away.host, &away.admin);
    let _suspended =
        away.host.job(&away.admin, "suspend", &format!("instance/{}", other.fingerprint()), None);
    let uses = || {
        let reply = away.host.log_in(&away.ana, "ana");
        assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
        reply.result.map(|result| serde_json::from_value::<SessionOpened>(result).unwrap().emergency_uses)
    };
    // Any bytes, and a roster that is another host's.
    for n in 0..40 {
        let statement = Binary(format!("nothing {n}").into_bytes());
        let report = OfflineEmergency { statement, ..away.report(&asked(&other, &away.ana, "login")) };
        assert_eq!(away.told(&other, &report).0, OfflineVerdict::Disputed);
    }
    assert_eq!(uses(), None, "nothing was used");

    // A host that had the code from us, and tells of it as often as it likes: that is one use.
    for n in 0..12 {
        let statement = Binary(format!("nothing {n}").into_bytes());
        let report = OfflineEmergency { statement, ..away.report(&asked(&away.host, &away.ana, "login")) };
        assert_eq!(away.told(&away.host, &report).0, OfflineVerdict::Disputed);
    }
    assert_eq!(uses().map(|uses| uses.len()), Some(1));

    // However many there are, a login tells of so many.
    for _ in 0..=limits::EMERGENCY_USES_TOLD {
        assert!(is_let_in(&away.host, &away.ana, &new_code(&away.host, &away.ana)));
    }
    assert_eq!(uses().map(|uses| uses.len()), Some(limits::EMERGENCY_USES_TOLD as usize));
}

#[test]
fn a_suspended_host_tells_of_an_emergency_and_lets_nobody_in_by_one() {
    let away = Away::new();
    let code = away.code.clone();
    let statement = asked(&away.host, &away.ana, "login");
    let store = away.server.store();
    let tx = store.begin().unwrap();
    let (at, name) = (away.server.clock_now(), away.host.fingerprint());
    assert!(tx.move_instance(&name, InstanceState::Active, InstanceState::Suspended, at).unwrap());
    tx.commit().unwrap();
    let sealed = sealed(&away.host, &statement, &code);
    refusal(&away.host.send(&sealed), &away.host.server, &sealed);
    let (_, entry) = away.told(&away.host, &away.report(&statement));
    assert_eq!(entry.kind, EntryKind::Alarm);
}

#[test]
fn a_server_without_emergency_codes_makes_none_and_takes_none_that_was_made_before() {
    let server = Server::new();
    let (mut host, admin, ana) = server.with_ana();
    let code = new_code(&host, &ana);
    let offline = OfflineRules::new(24, 20);
    host.carrier = server.door_with(Rules { offline, emergency_codes: false });
    assert_eq!(host.entries(1, &["ana"])[0].accounts[0].emergency, None);
    let (reply, entry) = typed(&host, &ana, "login", &code);
    assert_eq!(reply.decision, Decision::Denied);
    assert!(entry.checks.last().is_some_and(|check| check.name == "emergency-codes-allowed"));
    let renew = host.job(&ana, "renew-emergency-code", "account/ana", None);
    assert_eq!((renew.decision, renew.result), (Decision::Denied, None));
    let invited = server.invite(&host, &admin, "bob", &["bob"]);
    let bob = Person::new("bob", server.clock_now());
    let Registered::Done(record) = host.register(&bob, &invited.code).unwrap() else {
        panic!("not registered")
    };
    assert_eq!(record.emergency_code, None);
    // Nothing was used up by it.
    host.carrier = server.another_door();
    assert!(is_let_in(&host, &ana, &code));
}
