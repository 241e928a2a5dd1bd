//! Two cards of one account: the first vouches for the second, either opens everything, and either can be lost.

use countersign_protocol::certificate;
use countersign_protocol::envelope::statement::verify_later;
use countersign_protocol::ledger::{EntryKind, ExportWriter, Outcome, Trust, verify_export};
use countersign_protocol::message::OfflineUseReply;
use countersign_protocol::message::result::{
    AccountCreated, AccountList, EmergencyCodeMade, KeyRevoked, LedgerPage,
};
use countersign_protocol::message::{Decision, OfflineVerdict};

use crate::client::host::{Host, Registered};
use crate::client::person::Person;
use crate::client::refusal;
use crate::fixture::Server;

/// A code that the person's card had made.
fn own_code(host: &Host, person: &Person) -> String {
    let reply = host.job(person, "add-key", &format!("account/{}", person.account), None);
    assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
    serde_json::from_value::<AccountCreated>(reply.result.unwrap()).unwrap().code
}

/// Another card of the same person.
fn another(server: &Server, person: &Person) -> Person {
    Person::new(person.account.as_str(), server.clock_now())
}

fn register(host: &Host, second: &Person, code: &str) {
    let Registered::Done(record) = host.register(second, code).unwrap() else { panic!("not registered") };
    assert_eq!(record.emergency_code, None, "what is on paper stays as it is");
}

fn revoke(host: &Host, admin: &Person, lost: &Person) -> KeyRevoked {
    let key = certificate::fingerprint(&lost.cert).unwrap();
    let reply = host.job(admin, "revoke", &format!("key/{key}"), None);
    assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
    serde_json::from_value(reply.result.unwrap()).unwrap()
}

fn logs_in(host: &Host, person: &Person) {
    let reply = host.log_in(person, person.account.as_str());
    assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
}

fn is_refused(host: &Host, person: &Person) {
    let statement = host.session(person, person.account.as_str());
    let body = countersign_protocol::message::JobRequest { signed: person.sign(&statement), body: None };
    let sealed = host.seal(&host.message(&body));
    refusal(&host.send(&sealed), &host.server, &sealed);
}

#[test]
fn either_of_two_cards_opens_everything_and_is_in_the_roster() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let spare = another(&server, &ana);
    register(&host, &spare, &own_code(&host, &ana));
    logs_in(&host, &ana);
    logs_in(&host, &spare);
    let entry = host.entries(1, &["ana"]).remove(0);
    let keys: Vec<_> = entry.accounts.iter().map(|one| (one.account.as_str(), one.keys.clone())).collect();
    let key = |person: &Person| vec![certificate::fingerprint(&person.cert).unwrap()];
    assert_eq!(keys, [("ana", key(&ana)), ("ana", key(&spare))]);
    let shown = host.job(&admin, "read", "account/ana", None).result.unwrap();
    let shown = serde_json::from_value::<AccountList>(shown).unwrap().accounts.remove(0);
    let shown = [shown.key.unwrap().key, shown.second.unwrap().key];
    assert_eq!(shown.to_vec(), [key(&ana), key(&spare)].concat());

    // What either signed is evidence that an export proves.
    let page = host.job(&admin, "read", "ledger/entries", Some(br#"{"from":0}"#)).result.unwrap();
    let page: LedgerPage = serde_json::from_value(page).unwrap();
    let export = ExportWriter::begin(Vec::new(), &page).unwrap().finish().unwrap();
    let trust = Trust { key: Some(host.ledger_key.clone()), seen: None };
    assert_eq!(verify_export(export.as_slice(), &trust).unwrap().unattributed, 0);
    let last = page.entries.iter().rev().find_map(|one| one.evidence.clone()).unwrap();
    assert!(verify_later(&last.signed, &admin.cert).is_ok());
}

#[test]
fn a_lost_first_card_leaves_the_second_one_and_a_lost_second_one_the_first() {
    for first_is_lost in [true, false] {
        let server = Server::new();
        let (host, admin, ana) = server.with_ana();
        let spare = another(&server, &ana);
        register(&host, &spare, &own_code(&host, &ana));
        let (lost, kept) = if first_is_lost { (&ana, &spare) } else { (&spare, &ana) };
        // A thief may have had the other one registered: whoever revokes is told of it.
        let left = revoke(&host, &admin, lost).left.unwrap();
        assert_eq!(left.key, certificate::fingerprint(&kept.cert).unwrap());
        is_refused(&host, lost);
        assert!(server.newest(EntryKind::Alarm).reason.contains("was revoked"));
        logs_in(&host, kept);
        assert_eq!(host.entries(1, &["ana"])[0].accounts.len(), 1);
        // It is never anybody's again; another one is.
        assert!(!matches!(host.register(lost, &own_code(&host, kept)).unwrap(), Registered::Done(_)));
        let third = another(&server, &ana);
        register(&host, &third, &own_code(&host, kept));
        logs_in(&host, &third);
        let _left = revoke(&host, &admin, kept);
        assert_eq!(revoke(&host, &admin, &third).left, None);
        assert!(host.entries(2, &["ana"])[0].accounts.is_empty());
    }
}

#[test]
fn a_second_card_is_added_by_the_accounts_own_card_and_nobody_else() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    for (who, whose) in [(&admin, "ana"), (&ana, "admin")] {
        let reply = host.job(who, "add-key", &format!("account/{whose}"), None);
        assert_eq!((reply.decision, reply.result), (Decision::Denied, None));
    }
    // An administrator's code is for accounts that wait for a key.
    let again = host.job(&admin, "create", "account/ana", Some(br#"{"logins":["ana"],"roles":["user"]}"#));
    assert_eq!(again.decision, Decision::Denied);
    let spare = another(&server, &ana);
    let code = own_code(&host, &ana);
    register(&host, &spare, &code);
    let third = another(&server, &ana);
    assert!(matches!(host.register(&third, &code).unwrap(), Registered::WrongCode), "a code works once");
    let reply = host.job(&spare, "add-key", "account/ana", None);
    assert_eq!(reply.decision, Decision::Denied, "two are enough");
    assert!(reply.reason.contains("two cards already"), "{}", reply.reason);
}

#[test]
fn codes_that_a_lost_card_had_made_end_with_it() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let spare = another(&server, &ana);
    register(&host, &spare, &own_code(&host, &ana));
    let _left = revoke(&host, &admin, &spare);
    // The thief of the first card, who knows its PIN, is quicker than the administrator.
    let code = own_code(&host, &ana);
    let paper = host.job(&ana, "renew-emergency-code", "account/ana", None).result.unwrap();
    let _paper: EmergencyCodeMade = serde_json::from_value(paper).unwrap();
    assert!(host.entries(1, &["ana"])[0].accounts[0].emergency.is_some());
    let thiefs = another(&server, &ana);
    let accepted = host.offer_code(&thiefs, &own_code(&host, &ana)).unwrap().unwrap();
    let _left = revoke(&host, &admin, &ana);
    assert!(matches!(host.register(&thiefs, &code).unwrap(), Registered::WrongCode));
    let sealed = host.user_key(&thiefs, &accepted);
    refusal(&host.send(&sealed), &host.server, &sealed);
}

#[test]
fn codes_that_were_made_before_a_suspension_end_with_it() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let (spare, third) = (another(&server, &ana), another(&server, &ana));
    let accepted = host.offer_code(&spare, &own_code(&host, &ana)).unwrap().unwrap();
    let code = own_code(&host, &ana);
    for job in ["suspend", "resume"] {
        let reply = host.job(&admin, job, "account/ana", None);
        assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
    }
    assert!(matches!(host.register(&third, &code).unwrap(), Registered::WrongCode));
    let sealed = host.user_key(&spare, &accepted);
    refusal(&host.send(&sealed), &host.server, &sealed);
    register(&host, &third, &own_code(&host, &ana));
}

#[test]
fn the_last_administrators_second_card_may_go_and_the_last_card_may_not() {
    let server = Server::new();
    let host = server.host();
    let admin = server.administrator(&host);
    let spare = another(&server, &admin);
    register(&host, &spare, &own_code(&host, &admin));
    let _left = revoke(&host, &spare, &admin);
    let key = certificate::fingerprint(&spare.cert).unwrap();
    let reply = host.job(&spare, "revoke", &format!("key/{key}"), None);
    assert_eq!(reply.decision, Decision::Denied);
    assert!(reply.reason.contains("last administrator"), "{}", reply.reason);
}

#[test]
fn a_login_without_the_server_by_the_second_card_is_accepted_when_it_is_told() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let spare = another(&server, &ana);
    register(&host, &spare, &own_code(&host, &ana));
    let roster = host.check_in_for(1, &["ana"], &["login", "sshd"]).roster;
    for (number, card) in [(1, &ana), (2, &spare)] {
        let told = host.offline_use(card, &host.session(card, "ana"), &roster, number);
        let reply: OfflineUseReply = host.ask(&told).body().unwrap();
        assert_eq!(reply.verdict, OfflineVerdict::Accepted, "{}", reply.reason);
    }
    assert_eq!(server.newest(EntryKind::OfflineUse).decision, Outcome::Allowed);
}
