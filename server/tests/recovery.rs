//! An account whose cards are lost: the code on paper, two administrators and a day. And what is not enough.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_protocol::certificate;
use countersign_protocol::contact::{Address, Channel};
use countersign_protocol::ids::{CorrelationId, Fingerprint, Role};
use countersign_protocol::ledger::{EntryKind, ExportWriter, Outcome, Trust, verify_export};
use countersign_protocol::limits;
use countersign_protocol::message::result::{
    AccountCreated, ContactCode, LedgerPage, NewContact, RecoveryApproval, RecoveryCodeMade, RecoveryList,
    SessionOpened,
};
use countersign_protocol::message::{
    Decision, JobReply, JobRequest, RecoveryBegun, RecoveryStanding, RecoveryStep, RecoveryStepReply,
    RegistrationMethod, RegistrationRecord,
};
use countersign_server_core::outbox::Reach;
use countersign_server_core::roster::{OfflineRules, Rules};
use secrecy::ExposeSecret as _;
use sequoia_openpgp::types::ReasonForRevocation;

use crate::audit::edit_entry;
use crate::client::host::{Host, Registered};
use crate::client::person::Person;
use crate::client::postbox::{Postbox, code};
use crate::client::refusal;
use crate::fixture::{Server, denied, done, register};
use crate::keys_of_people::{revocation, revoke_by};

struct Scene {
    server: Server,
    host: Host,
    admin: Person,
    olga: Person,
    ana: Person,
    /// On ana's paper.
    paper: String,
    postbox: Postbox,
}

fn key_of(person: &Person) -> Fingerprint {
    certificate::fingerprint(&person.cert).unwrap()
}

fn paper_of(record: &RegistrationRecord) -> String {
    record.recovery_code.as_ref().unwrap().spelled().expose_secret().to_owned()
}

/// Ana, who confirmed a mail address, and two administrators.
fn scene() -> Scene {
    let server = Server::with_reach(Reach { channels: BTreeSet::from([Channel::Email]), ..Reach::default() });
    let host = server.host();
    let admin = server.administrator(&host);
    let olga = server.person_with_card(&host, &admin, "olga", &[Role::Administrator], "FFFE:0000000B");
    let created = server.invite(&host, &admin, "ana", &["ana"]);
    let ana = Person::new("ana", server.clock_now());
    let Registered::Done(record) = host.register(&ana, &created.code).unwrap() else {
        panic!("not registered")
    };
    let postbox = server.postbox();
    let body =
        serde_json::to_vec(&NewContact { address: Address::typed("ana@example.org").unwrap() }).unwrap();
    assert_eq!(host.job(&ana, "add-contact", "account/ana", Some(&body)).decision, Decision::Allowed);
    let letter = postbox.collect().pop().unwrap();
    let body = serde_json::to_vec(&ContactCode { code: code(&letter) }).unwrap();
    assert_eq!(host.job(&ana, "confirm-contact", "account/ana", Some(&body)).decision, Decision::Allowed);
    let _confirmed = postbox.collect();
    Scene { server, host, admin, olga, ana, paper: paper_of(&record), postbox }
}

impl Scene {
    /// The code and a new card: what is begun.
    fn begin(&self, new: &Person, paper: &str) -> Option<RecoveryBegun> {
        match self.host.register_by(new, paper, RegistrationMethod::Recovery).unwrap() {
            Registered::Done(record) => {
                assert!(record.emergency_code.is_none() && record.recovery_code.is_none());
                Some(record.recovery.unwrap())
            }
            Registered::WrongCode => None,
            Registered::Refused(answer) => panic!("refused: {}", answer.status),
        }
    }

    fn approve(&self, who: &Person, id: &CorrelationId, new: &Person) -> JobReply {
        let body = RecoveryApproval { account: "ana".parse().unwrap(), key: key_of(new) };
        let body = serde_json::to_vec(&body).unwrap();
        self.host.job(who, "approve", &format!("recovery/{id}"), Some(&body))
    }

    /// With the new card's signature, or only a look.
    fn step(&self, id: &CorrelationId, signed: Option<&Person>) -> RecoveryStanding {
        let proof = signed.map(|new| {
            let statement = self.host.statement(new, "complete", &format!("recovery/{id}"));
            new.sign(&statement)
        });
        let reply: RecoveryStepReply = self.host.ask(&RecoveryStep { id: id.clone(), proof }).body().unwrap();
        assert_eq!(reply.account.as_str(), "ana");
        reply.standing
    }

    fn step_is_refused(&self, id: &CorrelationId, new: &Person) {
        let statement = self.host.statement(new, "complete", &format!("recovery/{id}"));
        let body = RecoveryStep { id: id.clone(), proof: Some(new.sign(&statement)) };
        let sealed = self.host.seal(&self.host.message(&body));
        refusal(&self.host.send(&sealed), &self.host.server, &sealed);
    }

    fn logs_in(&self, who: &Person) -> bool {
        let statement = self.host.session(who, "ana");
        let body = JobRequest { signed: who.sign(&statement), body: None };
        let sealed = self.host.seal(&self.host.message(&body));
        let answer = self.host.send(&sealed);
        answer.status == 200
            && self.host.open(&sealed, &answer).body::<JobReply>().unwrap().decision == Decision::Allowed
    }

    fn revoke(&self, who: &Person) {
        let reply = self.host.job(&self.admin, "revoke", &format!("key/{}", key_of(who)), None);
        assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
    }

    /// So many seconds later. The host announced new session keys meanwhile.
    fn later(&mut self, seconds: i64) {
        self.server.clock.turn(seconds);
        assert_eq!(self.host.key_update(Some(20 * 3600)).status, 200);
    }

    fn another_card(&self) -> Person {
        Person::new("ana", self.server.clock_now())
    }
}

#[test]
fn lost_card_is_recovered_by_paper_two_administrators_and_a_day() {
    let mut scene = scene();
    let new = scene.another_card();
    let begun = scene.begin(&new, &scene.paper).unwrap();
    assert_eq!(begun.not_before.seconds_since(scene.server.clock_now()), limits::RECOVERY_DELAY);
    // Every contact is told, with how to end it; so is whoever logs in with the old card, which works on.
    let letters = scene.postbox.collect();
    assert_eq!(letters.len(), 1);
    let text = letters[0].text.clone();
    assert!(text.contains(begun.id.as_str()) && text.contains("recover withdraw"), "{text}");
    let opened: SessionOpened = done(scene.host.log_in(&scene.ana, "ana"));
    assert_eq!(opened.recovery.unwrap().id, begun.id);
    assert!(!scene.logs_in(&new));

    for (who, counted) in [(&scene.admin, 1), (&scene.olga, 2)] {
        let list: RecoveryList = done(scene.approve(who, &begun.id, &new));
        assert_eq!(list.recoveries[0].approvals.len(), counted);
        let entry = scene.server.newest(EntryKind::Job);
        assert_eq!(
            (&entry.detail["new-key"], entry.detail["of-account"].as_str()),
            (&key_of(&new).to_string(), "ana")
        );
    }
    // Signed for by both, and still too early.
    let waiting = scene.step(&begun.id, Some(&new));
    assert!(matches!(waiting, RecoveryStanding::Waiting { approvals: 2, .. }), "{waiting:?}");
    scene.later(limits::RECOVERY_DELAY - 1);
    assert!(matches!(scene.step(&begun.id, Some(&new)), RecoveryStanding::Waiting { .. }));
    scene.later(1);
    assert_eq!(scene.step(&begun.id, None), RecoveryStanding::Ready);
    let RecoveryStanding::Completed { key, recovery_code, emergency_code, .. } =
        scene.step(&begun.id, Some(&new))
    else {
        panic!("not completed")
    };
    assert_eq!(key, key_of(&new));
    assert!(emergency_code.is_some());
    assert!(scene.logs_in(&new) && !scene.logs_in(&scene.ana));
    assert!(scene.server.newest(EntryKind::Alarm).reason.contains("was revoked"));
    assert!(scene.postbox.collect()[0].text.contains("was completed"));
    assert_eq!(scene.step(&begun.id, Some(&new)), RecoveryStanding::Over);

    // The ledger proves all of it: who signed what, and which key ended when.
    let page: LedgerPage =
        done(scene.host.job(&scene.admin, "read", "ledger/entries", Some(br#"{"from":0}"#)));
    let export = ExportWriter::begin(Vec::new(), &page).unwrap().finish().unwrap();
    // What was refused is there as a claim: the new card before its time, and the old one after it.
    assert_eq!(verify_export(export.as_slice(), &Trust::default()).unwrap().unattributed, 2);
    // The paper of before is used up; the new one is for the next time.
    let third = scene.another_card();
    assert!(scene.begin(&third, &scene.paper).is_none());
    assert!(scene.begin(&third, recovery_code.spelled().expose_secret()).is_some());
}

#[test]
fn recovery_code_alone_buys_nothing() {
    let mut scene = scene();
    let thief = scene.another_card();
    let begun = scene.begin(&thief, &scene.paper).unwrap();
    scene.later(limits::RECOVERY_DELAY + 1);
    assert!(matches!(scene.step(&begun.id, Some(&thief)), RecoveryStanding::Waiting { approvals: 0, .. }));
    let _: RecoveryList = done(scene.approve(&scene.admin, &begun.id, &thief));
    assert!(matches!(scene.step(&begun.id, Some(&thief)), RecoveryStanding::Waiting { approvals: 1, .. }));
    assert!(!scene.logs_in(&thief) && scene.logs_in(&scene.ana));
    // Her card ends it, and nothing more comes of it.
    let _: RecoveryList =
        done(scene.host.job(&scene.ana, "withdraw", &format!("recovery/{}", begun.id), None));
    denied(&scene.approve(&scene.olga, &begun.id, &thief), "No policy");
    assert_eq!(scene.step(&begun.id, Some(&thief)), RecoveryStanding::Over);
    assert!(scene.begin(&thief, &scene.paper).is_none(), "the paper is used up");
    assert!(scene.logs_in(&scene.ana));
    let opened = scene.host.log_in(&scene.ana, "ana");
    assert!(opened.result.is_none_or(|result| result.get("recovery").is_none()));
}

#[test]
fn a_card_that_was_found_again_recovers_nothing_and_can_be_revoked() {
    let mut scene = scene();
    // The new card is vouched for by the old one meanwhile: it has nothing left to recover.
    let new = scene.another_card();
    let begun = scene.begin(&new, &scene.paper).unwrap();
    for who in [&scene.admin, &scene.olga] {
        let _: RecoveryList = done(scene.approve(who, &begun.id, &new));
    }
    let code: AccountCreated = done(scene.host.job(&scene.ana, "add-key", "account/ana", None));
    register(&scene.host, &new, &code.code);
    scene.later(limits::RECOVERY_DELAY);
    scene.step_is_refused(&begun.id, &new);
    for who in [&new, &scene.ana] {
        scene.revoke(who);
        assert!(!scene.logs_in(who));
    }
}

#[test]
fn one_administrator_counts_once_and_nobody_signs_for_themselves_or_another_key() {
    let mut scene = scene();
    let new = scene.another_card();
    let begun = scene.begin(&new, &scene.paper).unwrap();
    let other = scene.another_card();
    denied(&scene.approve(&scene.admin, &begun.id, &other), "another account or key");
    denied(&scene.approve(&scene.ana, &begun.id, &new), "No policy");
    let _: RecoveryList = done(scene.approve(&scene.admin, &begun.id, &new));
    let _: RecoveryList = done(scene.approve(&scene.admin, &begun.id, &new));
    // A second administrator's account on the same card is one person.
    let twin = scene.server.person_with_card(
        &scene.host,
        &scene.admin,
        "twin",
        &[Role::Administrator],
        "FFFE:0000AAAA",
    );
    denied(&scene.approve(&twin, &begun.id, &new), "the same card");
    scene.later(limits::RECOVERY_DELAY);
    assert!(matches!(scene.step(&begun.id, Some(&new)), RecoveryStanding::Waiting { approvals: 1, .. }));

    // Whoever is no administrator any more does not count any more.
    let _: RecoveryList = done(scene.approve(&scene.olga, &begun.id, &new));
    assert_eq!(scene.step(&begun.id, None), RecoveryStanding::Ready);
    let _: serde_json::Value =
        done(scene.host.job(&scene.admin, "update", "account/olga", Some(br#"{"roles":["user"]}"#)));
    assert!(matches!(scene.step(&begun.id, Some(&new)), RecoveryStanding::Waiting { approvals: 1, .. }));
    // The statement is the new key's, or nobody's.
    let _: serde_json::Value =
        done(scene.host.job(&scene.admin, "update", "account/olga", Some(br#"{"roles":["administrator"]}"#)));
    scene.step_is_refused(&begun.id, &scene.ana);
    assert!(matches!(scene.step(&begun.id, Some(&new)), RecoveryStanding::Completed { .. }));
}

#[test]
fn a_recovery_code_has_five_tries_an_hour_from_one_host_and_rests_nowhere() {
    let mut scene = scene();
    let new = scene.another_card();
    let nobody = Person::new("nobody", scene.server.clock_now());
    for _ in 0..limits::RECOVERY_TRIES {
        assert!(scene.begin(&new, "0000-0000-0000-0000").is_none());
        // An account that is not there is answered alike.
        assert!(scene.begin(&nobody, "0000-0000-0000-0000").is_none());
    }
    let entry = scene.server.newest(EntryKind::Alarm);
    assert_eq!((entry.decision, entry.detail["recovery-code"].as_str()), (Outcome::Denied, "refused"));
    assert!(scene.begin(&new, &scene.paper).is_none(), "tried too often from here");
    // Whoever sits elsewhere is not kept from their account by that, nor is anybody an hour later.
    let elsewhere = scene.server.second_host(&scene.host, &scene.admin);
    assert!(elsewhere.offer_paper(&new, &scene.paper).is_some());
    scene.later(limits::RECOVERY_TRIES_WINDOW - 1);
    assert!(scene.begin(&new, &scene.paper).is_none());
    scene.later(1);
    assert!(scene.host.offer_paper(&new, &scene.paper).is_some());
    // With the card there is another one, for oneself alone. It takes the place of the one before.
    denied(&scene.host.job(&scene.admin, "renew-recovery-code", "account/ana", None), "No policy");
    let opened = elsewhere.offer_paper(&new, &scene.paper).unwrap();
    let made: RecoveryCodeMade = done(scene.host.job(&scene.ana, "renew-recovery-code", "account/ana", None));
    let sealed = elsewhere.user_key(&new, &opened);
    refusal(&elsewhere.send(&sealed), &elsewhere.server, &sealed);
    assert!(scene.begin(&new, &scene.paper).is_none());
    let fresh = made.code.spelled().expose_secret().to_owned();
    let rests = scene.server.everything_stored();
    for code in [&scene.paper, &fresh, &fresh.replace('-', "")] {
        assert!(!rests.windows(code.len()).any(|part| part == code.as_bytes()), "a code rests in the store");
    }
    assert!(scene.begin(&new, &fresh).is_some());
}

#[test]
fn a_code_that_a_stolen_card_had_made_ends_with_it_and_the_paper_of_before_does_not() {
    let mut scene = scene();
    // The thief of the card is quicker than the administrator, and gains nothing.
    let made: RecoveryCodeMade = done(scene.host.job(&scene.ana, "renew-recovery-code", "account/ana", None));
    let thiefs = scene.another_card();
    let stolen = scene.begin(&thiefs, made.code.spelled().expose_secret()).unwrap();
    scene.revoke(&scene.ana);
    assert!(scene.begin(&thiefs, made.code.spelled().expose_secret()).is_none());
    denied(&scene.approve(&scene.admin, &stolen.id, &thiefs), "No policy");
    assert_eq!(scene.step(&stolen.id, Some(&thiefs)), RecoveryStanding::Over);
    // The owner's paper is what it was.
    let new = scene.another_card();
    let begun = scene.begin(&new, &scene.paper).unwrap();
    for who in [&scene.admin, &scene.olga] {
        let _: RecoveryList = done(scene.approve(who, &begun.id, &new));
    }
    scene.later(limits::RECOVERY_DELAY);
    assert!(matches!(scene.step(&begun.id, Some(&new)), RecoveryStanding::Completed { .. }));
}

#[test]
fn a_recovery_that_did_not_begin_uses_up_no_paper() {
    let scene = scene();
    let new = scene.another_card();
    // The terminal is closed before the card signed.
    let _accepted = scene.host.offer_paper(&new, &scene.paper).unwrap();
    let own = scene.host.register_by(&scene.ana, &scene.paper, RegistrationMethod::Recovery).unwrap();
    assert!(matches!(own, Registered::Refused(_)), "the account's own card recovers nothing");
    let twice = [(); 2].map(|()| scene.host.offer_paper(&new, &scene.paper).unwrap());
    assert!(scene.begin(&new, &scene.paper).is_some());
    // What was opened beside it begins no other.
    for accepted in twice {
        let sealed = scene.host.user_key(&new, &accepted);
        refusal(&scene.host.send(&sealed), &scene.host.server, &sealed);
    }
    // Nor is anything kept of all that once it is long over.
    let (store, rows) = (scene.server.store(), scene.server.intruder());
    let count = |table: &str| rows.number(&format!("SELECT count(*) FROM {table}"));
    assert_eq!((count("recovery_requests"), count("recovery_tries")), (5, 1));
    let tx = store.begin().unwrap();
    tx.forget(scene.server.clock_now().plus(24 * 3600)).unwrap();
    tx.commit().unwrap();
    assert_eq!((count("recovery_requests"), count("recovery_tries")), (0, 0));
}

#[test]
fn what_somebody_wrote_into_the_database_begins_completes_and_binds_nothing() {
    let mut scene = scene();
    let thief = scene.another_card();
    let begun = scene.begin(&thief, &scene.paper).unwrap();
    let intruder = scene.server.intruder();
    let id = &begun.id;
    let refused = |scene: &Scene, begun: &CorrelationId| {
        scene.step_is_refused(begun, &thief);
        let alarm = scene.server.newest(EntryKind::Alarm);
        assert!(alarm.reason.contains("was changed in the server's database"), "{}", alarm.reason);
    };
    // Two administrators who signed nothing.
    intruder.edit(&format!(
        "INSERT INTO recovery_approvals (recovery, administrator, approver_key, card, approved_at)
         SELECT '{id}', name, primary_key, NULL, 0 FROM accounts WHERE name IN ('admin', 'olga')"
    ));
    refused(&scene, id);
    intruder.edit("DELETE FROM recovery_approvals");
    for who in [&scene.admin, &scene.olga] {
        let _: RecoveryList = done(scene.approve(who, id, &thief));
    }
    // Begun earlier than it was; for another account; revived.
    intruder.edit("UPDATE recoveries SET begun_at = begun_at - 172800");
    refused(&scene, id);
    intruder.edit("UPDATE recoveries SET begun_at = begun_at + 172800, account = 'admin'");
    refused(&scene, id);
    intruder.edit("UPDATE recoveries SET account = 'ana'; CREATE TABLE copied AS SELECT * FROM recoveries");
    let _: RecoveryList = done(scene.host.job(&scene.ana, "withdraw", &format!("recovery/{id}"), None));
    intruder.edit("DELETE FROM recoveries; INSERT INTO recoveries SELECT * FROM copied; DROP TABLE copied");
    scene.later(limits::RECOVERY_DELAY);
    refused(&scene, id);
    assert!(!scene.logs_in(&thief) && scene.logs_in(&scene.ana));

    // A code that was right, says the database.
    let code: AccountCreated = done(scene.host.job(&scene.ana, "add-key", "account/ana", None));
    let accepted = scene.host.offer_code(&thief, &code.code).unwrap().unwrap();
    intruder.edit("UPDATE registrations SET account = 'admin' WHERE ended_at IS NULL");
    let sealed = scene.host.user_key(&Person { account: "admin".parse().unwrap(), ..thief }, &accepted);
    refusal(&scene.host.send(&sealed), &scene.host.server, &sealed);
    let alarm = scene.server.newest(EntryKind::Alarm);
    assert!(alarm.reason.contains("the registration"), "{}", alarm.reason);
    // Of a recovery, a key that is bound at once.
    let new = scene.another_card();
    let made: RecoveryCodeMade = done(scene.host.job(&scene.ana, "renew-recovery-code", "account/ana", None));
    let accepted = scene.host.offer_paper(&new, made.code.spelled().expose_secret()).unwrap();
    intruder.edit("DELETE FROM recovery_requests");
    let sealed = scene.host.user_key(&new, &accepted);
    refusal(&scene.host.send(&sealed), &scene.host.server, &sealed);
    assert!(!scene.logs_in(&new));
}

#[test]
fn an_administrator_whose_key_changed_signs_again_and_a_revoked_new_key_recovers_nothing() {
    let mut scene = scene();
    let new = scene.another_card();
    let begun = scene.begin(&new, &scene.paper).unwrap();
    for who in [&scene.admin, &scene.olga] {
        let _: RecoveryList = done(scene.approve(who, &begun.id, &new));
    }
    let code: AccountCreated = done(scene.host.job(&scene.olga, "rotate-key", "account/olga", None));
    let olga = Person { card: scene.olga.card, ..Person::new("olga", scene.server.clock_now()) };
    register(&scene.host, &olga, &code.code);
    let waiting = scene.step(&begun.id, None);
    assert!(matches!(waiting, RecoveryStanding::Waiting { approvals: 1, .. }), "{waiting:?}");
    let _: RecoveryList = done(scene.approve(&olga, &begun.id, &new));
    scene.later(limits::RECOVERY_DELAY);
    assert_eq!(scene.step(&begun.id, None), RecoveryStanding::Ready);

    // While the ledger is damaged, nothing is completed.
    let core = scene.server.core_with(Rules { offline: OfflineRules::new(24, 20), emergency_codes: true });
    assert!(core.audit(None).unwrap().findings.is_empty());
    let third = edit_entry(&scene.server, 3, b"{}");
    assert_eq!(core.audit(Some(Duration::ZERO)).unwrap().findings.len(), 1);
    let host = scene.host.copy();
    scene.host = scene.host.through(core);
    scene.step_is_refused(&begun.id, &new);
    assert_eq!(scene.step(&begun.id, None), RecoveryStanding::Ready);

    // The new key says of itself that it is over. That is heard all the same.
    let certificate = revocation(&new, &new, ReasonForRevocation::KeyCompromised);
    let reply = revoke_by(&scene.host, certificate);
    scene.host = host;
    let _edited = edit_entry(&scene.server, 3, &third);
    assert_eq!((reply.account.as_ref(), reply.key.as_ref()), (Some(&new.account), Some(&key_of(&new))));
    assert_eq!(scene.server.newest(EntryKind::Revocation).detail["withdrawn"], begun.id.to_string());
    assert_eq!(scene.step(&begun.id, Some(&new)), RecoveryStanding::Over);
    assert!(scene.logs_in(&scene.ana) && !scene.logs_in(&new));
    let code: AccountCreated = done(scene.host.job(&scene.ana, "add-key", "account/ana", None));
    assert!(matches!(scene.host.register(&new, &code.code).unwrap(), Registered::Refused(_)));
}

#[test]
fn a_recovery_ends_by_itself_and_while_the_account_is_barred_nothing_is_recovered() {
    let mut scene = scene();
    let new = scene.another_card();
    let begun = scene.begin(&new, &scene.paper).unwrap();
    for who in [&scene.admin, &scene.olga] {
        let _: RecoveryList = done(scene.approve(who, &begun.id, &new));
    }
    scene.later(limits::RECOVERY_DELAY);
    let _: serde_json::Value = done(scene.host.job(&scene.admin, "suspend", "account/ana", None));
    scene.step_is_refused(&begun.id, &new);
    let _: serde_json::Value = done(scene.host.job(&scene.admin, "resume", "account/ana", None));
    scene.later(limits::RECOVERY_LIFE);
    assert_eq!(scene.step(&begun.id, Some(&new)), RecoveryStanding::Over);
    denied(&scene.approve(&scene.admin, &begun.id, &new), "No policy");
    assert!(scene.logs_in(&scene.ana));
}

#[test]
fn paper_that_was_thrown_away_for_a_newer_one_stays_worthless_after_a_suspension() {
    let scene = scene();
    let made: RecoveryCodeMade = done(scene.host.job(&scene.ana, "renew-recovery-code", "account/ana", None));
    let newer = made.code.spelled().expose_secret().to_owned();
    for operation in ["suspend", "resume"] {
        let _: serde_json::Value = done(scene.host.job(&scene.admin, operation, "account/ana", None));
    }
    let new = scene.another_card();
    assert!(scene.begin(&new, &scene.paper).is_none());
    assert!(scene.begin(&new, &newer).is_some());
}
