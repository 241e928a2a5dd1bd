//! What becomes of the logins that a host let in without the server.

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate;
use countersign_protocol::envelope::{sign_roster, statement};
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{
    Entry, EntryKind, ExportWriter, Outcome, Trust, check_receipt, verify_export,
};
use countersign_protocol::limits;
use countersign_protocol::message::result::{AccountCreated, LedgerPage};
use countersign_protocol::message::{Decision, InstanceState, OfflineUse, OfflineUseReply, OfflineVerdict};
use countersign_protocol::roster::{Roster, SignedRoster};
use countersign_protocol::statement::Statement;

use crate::client::host::Host;
use crate::client::keys;
use crate::client::person::Person;
use crate::client::refusal;
use crate::fixture::{Server, register};

/// A host that asked for everything it needs without the server.
struct Prepared {
    server: Server,
    host: Host,
    admin: Person,
    ana: Person,
    roster: SignedRoster,
}

fn prepared() -> Prepared {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let roster = host.check_in_for(1, &["ana"], &["login", "sshd"]).roster;
    Prepared { server, host, admin, ana, roster }
}

impl Prepared {
    /// Ana logs in as herself, and the host decides.
    fn used(&self, number: u32) -> OfflineUse {
        self.signed(&self.host.session(&self.ana, "ana"), number)
    }

    fn signed(&self, statement: &Statement, number: u32) -> OfflineUse {
        self.host.offline_use(&self.ana, statement, &self.roster, number)
    }

    /// Tells of it, and looks at the entry.
    fn tell(&self, told: &OfflineUse) -> (OfflineUseReply, Entry) {
        let sealed = self.host.seal(&self.host.message(told));
        let reply: OfflineUseReply = self.host.open(&sealed, &self.host.send(&sealed)).body().unwrap();
        let proven = check_receipt(&reply.receipt, &self.host.ledger_key).unwrap();
        let entry = proven.entry().clone();
        assert_eq!(entry.correlation, told.correlation, "the one that the person was told");
        assert_eq!(entry.instance.as_ref(), Some(&self.host.fingerprint()));
        (reply, entry)
    }

    fn accepted(&self, told: &OfflineUse) -> Entry {
        let (reply, entry) = self.tell(told);
        assert_eq!(reply.verdict, OfflineVerdict::Accepted, "{}", reply.reason);
        assert_eq!((entry.kind, entry.decision), (EntryKind::OfflineUse, Outcome::Allowed));
        assert!(entry.checks.iter().all(|check| check.passed));
        entry
    }

    /// Disputed because of this check, in words that have `why`.
    fn disputed(&self, told: &OfflineUse, check: &str, why: &str) -> Entry {
        let (reply, entry) = self.tell(told);
        assert_eq!(reply.verdict, OfflineVerdict::Disputed, "{check}");
        assert_eq!((entry.kind, entry.decision), (EntryKind::Alarm, Outcome::Noted));
        let (failed, passed) = entry.checks.split_last().unwrap();
        assert_eq!((failed.name.as_str(), failed.passed), (check, false), "{}", entry.reason);
        assert!(passed.iter().all(|check| check.passed));
        assert!(reply.reason.contains(why), "{check}: {}", reply.reason);
        assert_eq!(reply.reason, entry.reason);
        entry
    }

    /// So long that session keys end.
    fn after(&mut self, seconds: i64) {
        self.server.clock.turn(seconds);
        assert_eq!(self.host.key_update(Some(3600)).status, 200);
    }

    fn job(&self, operation: &str, resource: &str) {
        let reply = self.host.job(&self.admin, operation, resource, None);
        assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
    }

    fn revoke(&self) {
        let key = certificate::fingerprint(&self.ana.cert).unwrap();
        self.job("revoke", &format!("key/{key}"));
    }

    /// Exports the whole ledger and checks it, as an auditor does: how many statements nobody is known to have signed?
    fn unattributed(&self) -> u64 {
        let body = serde_json::to_vec(&serde_json::json!({"from": 0})).unwrap();
        let reply = self.host.job(&self.admin, "read", "ledger/entries", Some(&body));
        let page: LedgerPage = serde_json::from_value(reply.result.unwrap()).unwrap();
        let export = ExportWriter::begin(Vec::new(), &page).unwrap().finish().unwrap();
        verify_export(export.as_slice(), &Trust::default()).unwrap().unattributed
    }
}

#[test]
fn an_offline_login_is_recorded_with_its_evidence_and_accepted() {
    let mut prepared = prepared();
    let told = prepared.used(1);
    prepared.after(3 * 24 * 3600);
    let entry = prepared.accepted(&told);
    assert!(entry.reason.contains("use 1 of 20"), "{}", entry.reason);
    assert_eq!(entry.account.as_ref().unwrap().as_str(), "ana");
    assert_eq!(entry.login.as_ref().unwrap().as_str(), "ana");
    assert_eq!(entry.service.as_ref().unwrap().as_str(), "sshd");
    assert_eq!(entry.key, Some(certificate::fingerprint(&prepared.ana.cert).unwrap()));
    assert_eq!(entry.statement, Some(Digest::of(&told.statement.statement.0)));
    assert_eq!(entry.policies, ["login-bound-to-account"]);
    assert_eq!((entry.detail["offline-use"].as_str(), &entry.detail["at"]), ("1", &told.at.to_string()));
    assert_eq!(entry.detail["roster"], Digest::of(&told.roster.roster.0).to_string());
    assert!(!serde_json::to_string(&entry).unwrap().contains("00000001"), "no card's number");
}

#[test]
fn an_export_holds_with_accepted_and_disputed_offline_logins() {
    let prepared = prepared();
    let (one, two) = (prepared.used(1), prepared.used(2));
    prepared.server.clock.turn(10);
    prepared.revoke();
    // Another key took the revoked one's place before the host came back.
    let created: AccountCreated = prepared.server.invite(&prepared.host, &prepared.admin, "ana", &["ana"]);
    register(&prepared.host, &Person::new("ana", prepared.server.clock_now()), &created.code);
    prepared.accepted(&one);
    let late = OfflineUse { at: prepared.server.clock_now(), ..two };
    prepared.disputed(&late, "key-enrolled", "was revoked on");
    let mut unsigned = prepared.used(3);
    unsigned.statement.signature = Binary(b"x".to_vec());
    prepared.disputed(&unsigned, "statement-signature", "not good");
    assert_eq!(prepared.unattributed(), 1);
}

#[test]
fn a_use_told_again_gets_the_same_reply_and_one_entry() {
    let prepared = prepared();
    let told = prepared.used(1);
    let host = &prepared.host;
    let sealed = host.seal(&host.message(&told));
    let first: OfflineUseReply = host.open(&sealed, &host.send(&sealed)).body().unwrap();
    let entries = prepared.server.entries().len();
    // The same bytes, then in another envelope, then at another process.
    let again: OfflineUseReply = host.open(&sealed, &host.send(&sealed)).body().unwrap();
    assert_eq!(again, first);
    let (fresh, _) = prepared.tell(&told);
    assert_eq!((fresh.verdict, &fresh.reason), (first.verdict, &first.reason));
    assert_eq!(fresh.receipt.index, first.receipt.index);
    let sealed = host.seal(&host.message(&told));
    let answer = prepared.server.another_door().carry(sealed.bytes()).unwrap();
    let other: OfflineUseReply = host.open(&sealed, &answer).body().unwrap();
    assert_eq!(other.receipt.index, first.receipt.index);
    assert_eq!(prepared.server.entries().len(), entries);
    // A disputed one stays disputed.
    let wrong = prepared.used(99);
    let disputed = prepared.disputed(&wrong, "use-number", "use 99 of a roster that is good for 20");
    assert_eq!(prepared.disputed(&wrong, "use-number", "use 99"), disputed);
}

#[test]
fn a_revoked_key_used_afterwards_alarms_and_names_account_login_and_host() {
    let prepared = prepared();
    prepared.revoke();
    prepared.server.clock.turn(60);
    let entry = prepared.disputed(&prepared.used(1), "key-enrolled", "was revoked on");
    let words = countersign_protocol::key_words::key_words(&prepared.host.fingerprint()).to_string();
    for part in ["account ana", "the login ana", words.as_str()] {
        assert!(entry.reason.contains(part), "{part}: {}", entry.reason);
    }
    assert_eq!(entry.account.unwrap().as_str(), "ana");
    assert_eq!(entry.key, Some(certificate::fingerprint(&prepared.ana.cert).unwrap()));
}

#[test]
fn a_key_revoked_or_an_account_or_host_barred_after_the_use_disputes_nothing() {
    let prepared = prepared();
    let told: Vec<OfflineUse> = (1..=3).map(|number| prepared.used(number)).collect();
    prepared.server.clock.turn(10);
    prepared.job("suspend", "account/ana");
    prepared.accepted(&told[0]);
    prepared.job("resume", "account/ana");
    prepared.revoke();
    prepared.accepted(&told[1]);
    let other = prepared.server.second_host(&prepared.host, &prepared.admin);
    let name = format!("instance/{}", prepared.host.fingerprint());
    other.job(&prepared.admin, "suspend", &name, None);
    assert_eq!(prepared.host.check_in(5, 0, &[]).state, InstanceState::Suspended);
    prepared.accepted(&told[2]);
}

#[test]
fn what_was_used_while_account_or_host_were_barred_is_disputed() {
    let prepared = prepared();
    prepared.job("suspend", "account/ana");
    prepared.server.clock.turn(10);
    prepared.disputed(&prepared.used(1), "account-active", "ana is suspended since");
    prepared.job("resume", "account/ana");
    let other = prepared.server.second_host(&prepared.host, &prepared.admin);
    other.job(&prepared.admin, "suspend", &format!("instance/{}", prepared.host.fingerprint()), None);
    prepared.server.clock.turn(10);
    prepared.disputed(&prepared.used(2), "instance-active", "is suspended since");
}

#[test]
fn what_was_used_while_barred_is_disputed_although_the_bar_was_lifted_before_it_is_told() {
    let prepared = prepared();
    let other = prepared.server.second_host(&prepared.host, &prepared.admin);
    let host = format!("instance/{}", prepared.host.fingerprint());
    for (name, first, check) in [("account/ana", 1, "account-active"), (&host, 4, "instance-active")] {
        let job = |operation| {
            assert_eq!(other.job(&prepared.admin, operation, name, None).decision, Decision::Allowed);
        };
        let before = prepared.used(first);
        prepared.server.clock.turn(10);
        job("suspend");
        prepared.server.clock.turn(5);
        let meanwhile = prepared.used(first + 1);
        prepared.server.clock.turn(5);
        job("resume");
        let after = prepared.used(first + 2);
        // Barred and lifted once more: each time counts.
        prepared.server.clock.turn(10);
        job("suspend");
        job("resume");
        prepared.accepted(&before);
        prepared.disputed(&meanwhile, check, "was suspended then, from");
        prepared.accepted(&after);
    }
}

#[test]
fn a_use_that_the_server_never_permitted_is_disputed_and_says_why() {
    let prepared = prepared();
    let ben = Person::new("ana", prepared.server.clock_now());
    let now = prepared.server.clock_now();
    let ordinary = || prepared.host.session(&prepared.ana, "ana");
    let with = |change: &dyn Fn(&mut OfflineUse)| {
        let mut told = prepared.used(1);
        change(&mut told);
        told
    };

    let by_another = with(&|told| told.statement = ben.sign(&ordinary()));
    prepared.disputed(&by_another, "statement-signature", "signature is not good");
    let stale = with(&|told| told.at = now.plus(limits::STATEMENT_LIFE + 300));
    prepared.disputed(&stale, "statement-signature", "not valid now");
    let mut foreign = ordinary();
    foreign.instance = prepared.host.server_fingerprint();
    prepared.disputed(&prepared.signed(&foreign, 1), "statement-signature", "made on the instance");
    prepared.disputed(
        &with(&|told| told.statement.statement = Binary(b"{}".to_vec())),
        "statement-signature",
        "not a statement",
    );

    let mut statement = ordinary();
    statement.operation = "create".parse().unwrap();
    prepared.disputed(&prepared.signed(&statement, 1), "names", "another operation");
    for (field, change) in [
        ("login", (|told| told.login = "root".parse().unwrap()) as fn(&mut OfflineUse)),
        ("service", |told| told.service = "sudo".parse().unwrap()),
        ("account", |told| told.account = "admin".parse().unwrap()),
    ] {
        prepared.disputed(&with(&change), "names", &format!("another {field}"));
    }

    // A roster that the host wrote itself, one for another host, and one that says more than we signed.
    let signer = || keys::primary(&prepared.host.cert);
    let mut roster = Roster::from_bytes(&prepared.roster.roster.0).unwrap();
    let own = sign_roster(&roster, signer()).unwrap();
    prepared.disputed(&with(&|told| told.roster = own.clone()), "roster-signature", "The roster is not good");
    roster.offline_uses = 1000;
    let bytes = Binary(roster.to_bytes().unwrap());
    let more = SignedRoster { roster: bytes, ..prepared.roster.clone() };
    prepared.disputed(
        &with(&|told| told.roster = more.clone()),
        "roster-signature",
        "The roster is not good",
    );
    let other = prepared.server.second_host(&prepared.host, &prepared.admin);
    let theirs = other.check_in_for(1, &["ana"], &["sshd"]).roster;
    prepared.disputed(&with(&|told| told.roster = theirs.clone()), "roster-signature", "for the instance");

    // A login, and a service, that the roster does not permit.
    let mut statement = ordinary();
    statement.login = Some("root".parse().unwrap());
    let mut told = prepared.signed(&statement, 1);
    told.login = "root".parse().unwrap();
    prepared.disputed(&told, "roster-permits", "does not let account ana open the login root by sshd");
    let mut statement = ordinary();
    statement.service = Some("sudo".parse().unwrap());
    let mut told = prepared.signed(&statement, 1);
    told.service = "sudo".parse().unwrap();
    prepared.disputed(&told, "roster-permits", "by sudo");

    prepared.disputed(&prepared.used(0), "use-number", "use 0");
    prepared.disputed(&prepared.used(21), "use-number", "use 21 of a roster that is good for 20");

    let mut tomorrow = ordinary();
    (tomorrow.time, tomorrow.expires) = (now.plus(3600), now.plus(3700));
    let mut told = prepared.signed(&tomorrow, 1);
    told.at = now.plus(3600);
    prepared.disputed(&told, "time", "before it happened");
    // None of them used up number 1.
    prepared.accepted(&prepared.used(1));
}

#[test]
fn an_expired_roster_is_disputed() {
    let mut prepared = prepared();
    prepared.after(24 * 3600);
    prepared.disputed(&prepared.used(1), "roster-permits", "had ended on");
}

#[test]
fn one_number_of_a_roster_used_twice_alarms() {
    let prepared = prepared();
    prepared.accepted(&prepared.used(1));
    prepared.disputed(&prepared.used(1), "use-number", "cloned or set back");
    // Another roster counts anew.
    let fresh = prepared.host.check_in_for(2, &["ana"], &["sshd", "login"]).roster;
    prepared.server.clock.turn(1);
    let roster = prepared.host.check_in_for(3, &["ana"], &["sshd", "login"]).roster;
    assert_ne!(fresh, roster);
    let again = Prepared { roster, ..prepared };
    again.accepted(&again.used(1));
}

#[test]
fn a_request_whose_answer_was_held_back_is_found_in_the_ledger() {
    let prepared = prepared();
    let statement = prepared.host.session(&prepared.ana, "ana");
    let online = prepared.host.request(&prepared.ana, &statement, None);
    assert_eq!(online.decision, Decision::Allowed);
    let entry = prepared.accepted(&prepared.signed(&statement, 1));
    assert_eq!(entry.detail["decided-online"], online.receipt.index.to_string());
    assert!(entry.reason.contains(&format!("Entry {} allows it too", online.receipt.index)));
}

#[test]
fn holding_back_a_denial_gains_nothing_that_stays_hidden() {
    let prepared = prepared();
    // Barred at the server, and the host does not know it yet.
    prepared.job("suspend", "account/ana");
    let statement = prepared.host.session(&prepared.ana, "ana");
    let online = prepared.host.request(&prepared.ana, &statement, None);
    assert_eq!(online.decision, Decision::Denied);
    let why = format!("denied this very request, in entry {}", online.receipt.index);
    prepared.disputed(&prepared.signed(&statement, 1), "not-refused-online", &why);
}

#[test]
fn a_statement_used_offline_is_worth_nothing_online() {
    let prepared = prepared();
    let statement = prepared.host.session(&prepared.ana, "ana");
    prepared.accepted(&prepared.signed(&statement, 1));
    let body = countersign_protocol::message::JobRequest {
        signed: statement::sign(&statement, keys::primary(&prepared.ana.cert)).unwrap(),
        body: None,
    };
    let sealed = prepared.host.seal(&prepared.host.message(&body));
    refusal(&prepared.host.send(&sealed), &prepared.host.server, &sealed);
    assert!(prepared.server.newest(EntryKind::Alarm).reason.contains("used before"));
}

#[test]
fn a_host_whose_key_changed_meanwhile_tells_of_what_it_did_before_under_the_old_one() {
    let mut prepared = prepared();
    let (one, old) = (prepared.used(1), prepared.host.fingerprint());
    let other = prepared.server.second_host(&prepared.host, &prepared.admin);
    prepared.server.clock.turn(60);
    let (new, _) = prepared.host.rotate();
    // The answer was lost: the host does not know yet that it has another name.
    prepared.server.clock.turn(60);
    let (late, barred, stale) = (prepared.used(2), prepared.used(3), prepared.used(4));
    prepared.host = new;
    let tell = |told: &OfflineUse| {
        let sealed = prepared.host.seal(&prepared.host.message(told));
        let reply: OfflineUseReply =
            prepared.host.open(&sealed, &prepared.host.send(&sealed)).body().unwrap();
        let entry = check_receipt(&reply.receipt, &prepared.host.ledger_key).unwrap().entry().clone();
        assert_eq!(entry.instance.as_ref(), Some(&old));
        assert_eq!(entry.detail["told-by"], prepared.host.fingerprint().to_string());
        (reply.verdict, reply.reason)
    };
    let first = tell(&one);
    assert_eq!(first.0, OfflineVerdict::Accepted, "{}", first.1);
    assert_eq!(tell(&one), first);
    let late = tell(&late);
    assert_eq!(late.0, OfflineVerdict::Accepted, "{}", late.1);
    // How the new name stands counts for the old one.
    let name = format!("instance/{}", prepared.host.fingerprint());
    other.job(&prepared.admin, "suspend", &name, None);
    let barred = tell(&barred);
    assert!(barred.0 == OfflineVerdict::Disputed && barred.1.contains("is suspended since"), "{}", barred.1);
    prepared.server.clock.turn(1);
    other.job(&prepared.admin, "resume", &name, None);
    let stale = tell(&stale);
    assert!(stale.0 == OfflineVerdict::Disputed && stale.1.contains("was suspended then"), "{}", stale.1);
    assert_eq!(prepared.unattributed(), 0);
}

#[test]
fn a_host_that_waits_for_approval_has_nothing_to_tell() {
    let prepared = prepared();
    let waiting = prepared.server.newcomer().enrol(None);
    let sealed = waiting.seal(&waiting.message(&prepared.used(1)));
    refusal(&waiting.send(&sealed), &waiting.server, &sealed);
}
