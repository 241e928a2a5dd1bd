//! Requests that wait for other people's approvals.

use std::collections::BTreeSet;

use countersign_protocol::approval;
use countersign_protocol::binary::Binary;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::contact::{Address, Channel};
use countersign_protocol::ids::{AccountName, Digest, Role};
use countersign_protocol::ledger::{Entry, EntryKind, ExportWriter, Outcome, Trust, detail, verify_export};
use countersign_protocol::limits;
use countersign_protocol::message::result::{
    AccountChanged, AccountCreated, AccountList, ContactCode, ExplainAsked, LedgerPage, NewContact,
    PolicyChanged, PolicyExplained, RequestChanged, RequestList, RequestShown, RequestState,
};
use countersign_protocol::message::{Decision, JobOutcomeReply, JobReply, JobRequest, Waiting};
use countersign_protocol::statement::Statement;
use countersign_server_core::accounts::AccountState;
use countersign_server_core::outbox::Reach;
use countersign_server_core::policy::DEFAULT;

use crate::client::host::Host;
use crate::client::person::Person;
use crate::client::postbox::code;
use crate::fixture::{Server, denied, done, register};
use crate::job_outcome;

/// Suspending takes two operators.
fn by_two() -> String {
    asking("administrators-suspend-and-revoke", "2:operators")
}

/// The default policy with approvals on one of its permits.
fn asking(id: &str, needs: &str) -> String {
    let id = format!("@id(\"{id}\")");
    assert!(DEFAULT.contains(&id));
    DEFAULT.replace(&id, &format!("{id}\n@approvals(\"{needs}\")"))
}

/// An administrator, three operators with cards of their own, and eve, about whom it is.
struct Scene {
    server: Server,
    host: Host,
    admin: Person,
    bob: Person,
    cyn: Person,
    dan: Person,
    eve: Person,
}

impl Scene {
    fn with(policy: &str) -> Self {
        Self::at(Server::new(), policy)
    }

    fn at(server: Server, policy: &str) -> Self {
        let host = server.host();
        let admin = server.administrator(&host);
        let operator = |name: &str, number: u8| {
            let card = format!("FFFE:0000000{number}");
            let person = server.person_with_card(&host, &admin, name, &[Role::User], &card);
            let body = br#"{"groups":["operators"]}"#;
            let _: AccountChanged = done(host.job(&admin, "update", &format!("account/{name}"), Some(body)));
            person
        };
        let (bob, cyn, dan) = (operator("bob", 1), operator("cyn", 2), operator("dan", 3));
        let eve = server.person_with_card(&host, &admin, "eve", &[Role::User], "FFFE:00000005");
        server.import("default", policy);
        Self { server, host, admin, bob, cyn, dan, eve }
    }

    /// The administrator asks for what waits.
    fn asks(&self, operation: &str, resource: &str, body: Option<&[u8]>) -> Waiting {
        self.waits(&self.host.job(&self.admin, operation, resource, body))
    }

    fn suspends_eve(&self) -> Waiting {
        self.asks("suspend", "account/eve", None)
    }

    fn waits(&self, reply: &JobReply) -> Waiting {
        assert_eq!(reply.decision, Decision::Denied, "{}", reply.reason);
        let waiting = reply.waiting.clone().unwrap_or_else(|| panic!("it does not wait: {}", reply.reason));
        assert_eq!(waiting.request, reply.correlation);
        let entry = self.server.newest(EntryKind::Job);
        assert_eq!((entry.decision, Waiting::of_entry(&entry).as_ref()), (Outcome::Noted, Some(&waiting)));
        waiting
    }

    /// What somebody signs who approves it.
    fn approval(&self, who: &Person, waiting: &Waiting) -> Statement {
        let asked = self.shown(who, waiting).asked.unwrap();
        let resource = format!("request/{}", waiting.request);
        let statement = self.host.statement(who, "approve", &resource);
        Statement { approves: Some(Digest::of(&asked.statement.0)), ..statement }
    }

    fn try_approve(&self, who: &Person, waiting: &Waiting) -> JobReply {
        self.host.request(who, &self.approval(who, waiting), None)
    }

    fn approves(&self, who: &Person, waiting: &Waiting) -> RequestChanged {
        done(self.try_approve(who, waiting))
    }

    fn shown(&self, who: &Person, waiting: &Waiting) -> RequestShown {
        done(self.host.job(who, "read", &format!("request/{}", waiting.id), None))
    }

    fn withdraws(&self, who: &Person, waiting: &Waiting) -> JobReply {
        self.host.job(who, "withdraw", &format!("request/{}", waiting.request), None)
    }

    fn is_active(&self, name: &str) -> bool {
        let name: AccountName = name.parse().unwrap();
        let account = self.server.store().view().unwrap().account(&name).unwrap().unwrap();
        matches!(account.state, AccountState::Active(_))
    }

    /// As the server's own machine would: nobody need approve it.
    fn run(&self, sql: &str) {
        self.server.intruder().run(sql);
    }

    fn listed(&self, who: &Person) -> Vec<(AccountName, RequestState)> {
        let list: RequestList = done(self.host.job(who, "list", "request/all", None));
        list.requests.into_iter().map(|one| (one.account, one.state)).collect()
    }

    fn export(&self) -> Vec<u8> {
        let page: LedgerPage =
            done(self.host.job(&self.admin, "read", "ledger/entries", Some(br#"{"from":0}"#)));
        ExportWriter::begin(Vec::new(), &page).unwrap().finish().unwrap()
    }
}

fn account(name: &str) -> AccountName {
    name.parse().unwrap()
}

#[test]
fn a_request_waits_until_enough_others_approved_exactly_it_and_is_done_with_the_last_of_them() {
    let scene = Scene::with(&by_two());
    let waiting = scene.suspends_eve();
    assert_eq!(approval::spelled(&waiting.needs), "2:operators");
    assert!(scene.is_active("eve"), "it was done before anybody approved it");

    let shown = scene.shown(&scene.bob, &waiting);
    assert_eq!((&shown.account, shown.missing), (&account("admin"), Some(2)));
    assert_eq!(scene.listed(&scene.bob), [(account("admin"), RequestState::Waiting)]);
    assert_eq!(scene.listed(&scene.eve), []);

    let first = scene.approves(&scene.bob, &waiting);
    assert_eq!((first.state, first.missing, first.changed), (RequestState::Waiting, Some(1), true));
    let again = scene.approves(&scene.bob, &waiting);
    assert_eq!((again.missing, again.changed), (Some(1), false), "one person counts once");
    assert!(scene.is_active("eve"));

    let last = scene.approves(&scene.cyn, &waiting);
    assert_eq!((last.state, last.missing), (RequestState::Done, None));
    assert!(!scene.is_active("eve"));

    // The ledger has it all: who asked, who approved, and what was done, by whose signatures.
    let entries = scene.server.entries();
    let done = entries.last().unwrap();
    assert_eq!((done.kind, done.decision), (EntryKind::Job, Outcome::Allowed));
    assert_eq!((done.account.as_ref(), &done.correlation), (Some(&account("admin")), &waiting.request));
    assert_eq!(done.resource.as_ref().unwrap().as_str(), "account/eve");
    assert_eq!(done.detail[detail::APPROVALS_NEEDED], "2:operators");
    let places: Vec<usize> = done.detail[detail::APPROVED_BY]
        .split(' ')
        .map(|one| one.split_once(':').unwrap().0.parse().unwrap())
        .collect();
    let approvers: Vec<&AccountName> =
        places.iter().map(|place| entries[*place].account.as_ref().unwrap()).collect();
    assert_eq!(approvers, [&account("bob"), &account("cyn")]);
    assert!(scene.server.audit().findings.is_empty(), "the row is not what its entry says");
    let report = verify_export(scene.export().as_slice(), &Trust::default()).unwrap();
    assert_eq!(report.approved, 1);

    denied(&scene.try_over(&scene.dan, &waiting), "has its approvals");
    assert_eq!(scene.shown(&scene.admin, &waiting).state, RequestState::Done);
}

#[test]
fn nobody_approves_their_own_another_request_with_the_same_card_or_without_being_asked() {
    let scene = Scene::with(&by_two());
    let waiting = scene.suspends_eve();
    let resource = format!("request/{}", waiting.request);
    denied(&scene.host.job(&scene.eve, "read", &resource, None), "No request");
    let asked = scene.shown(&scene.bob, &waiting).asked.unwrap();
    let approves = Some(Digest::of(&asked.statement.0));
    // Who is not asked hears the same as of a request that is not there.
    let by_eve = Statement { approves, ..scene.host.statement(&scene.eve, "approve", &resource) };
    denied(&scene.host.request(&scene.eve, &by_eve, None), "No request");
    let by_admin = Statement { approves, ..scene.host.statement(&scene.admin, "approve", &resource) };
    denied(&scene.host.request(&scene.admin, &by_admin, None), "No request");
    // Nor does it help to be one of them.
    scene.run("UPDATE accounts SET member_of = '[\"operators\"]' WHERE name = 'admin'");
    let by_admin = Statement { approves, ..scene.host.statement(&scene.admin, "approve", &resource) };
    denied(&scene.host.request(&scene.admin, &by_admin, None), "Nobody approves what they ask for");
    // Signed for something else.
    let other = Statement {
        approves: Some(Digest::of(b"another request")),
        ..scene.host.statement(&scene.bob, "approve", &resource)
    };
    denied(&scene.host.request(&scene.bob, &other, None), "is not what waits");
    // One card in two hands, and the card of whoever asks.
    scene.approves(&scene.bob, &waiting);
    scene.run("UPDATE accounts SET key_card = 'FFFE:00000001' WHERE name = 'cyn'");
    denied(&scene.try_approve(&scene.cyn, &waiting), "with the same card");
    scene.run("UPDATE accounts SET key_card = 'FFFE:0000AAAA' WHERE name = 'cyn'");
    denied(&scene.try_approve(&scene.cyn, &waiting), "also that of whoever asks");
    scene.run("UPDATE accounts SET key_card = NULL WHERE name = 'cyn'");
    denied(&scene.try_approve(&scene.cyn, &waiting), "not known which card");
    assert!(scene.is_active("eve"));
    assert_eq!(scene.approves(&scene.dan, &waiting).state, RequestState::Done);
}

#[test]
fn a_statement_names_what_it_approves_or_is_none() {
    let scene = Scene::with(&by_two());
    let waiting = scene.suspends_eve();
    let bare = scene.host.statement(&scene.bob, "approve", &format!("request/{}", waiting.request));
    assert!(bare.to_bytes().is_err());
    let stray = Statement {
        approves: Some(Digest::of(b"x")),
        ..scene.host.statement(&scene.bob, "suspend", "account/eve")
    };
    assert!(stray.to_bytes().is_err());
}

#[test]
fn whoever_asked_calls_it_off_and_whoever_approved_takes_that_back() {
    let scene = Scene::with(&by_two());
    let waiting = scene.suspends_eve();
    scene.approves(&scene.bob, &waiting);
    denied(&scene.withdraws(&scene.cyn, &waiting), "No request");
    let back: RequestChanged = done(scene.withdraws(&scene.bob, &waiting));
    assert_eq!((back.state, back.missing), (RequestState::Waiting, Some(2)));
    assert_eq!(scene.approves(&scene.cyn, &waiting).missing, Some(1), "what was taken back counts");
    let off: RequestChanged = done(scene.withdraws(&scene.admin, &waiting));
    assert_eq!(off.state, RequestState::Withdrawn);
    denied(&scene.try_over(&scene.dan, &waiting), "called it off");
    denied(&scene.withdraws(&scene.cyn, &waiting), "called it off");
    assert!(scene.is_active("eve"));
    assert_eq!(scene.listed(&scene.admin), [(account("admin"), RequestState::Withdrawn)]);
    assert_eq!(verify_export(scene.export().as_slice(), &Trust::default()).unwrap().approved, 0);
}

#[test]
fn after_a_day_it_is_over_and_told_so() {
    let mut scene = Scene::with(&by_two());
    let waiting = scene.suspends_eve();
    scene.approves(&scene.bob, &waiting);
    scene.server.clock.turn(24 * 3600 + 1);
    scene.host.key_update(Some(8 * 3600));
    assert_eq!(waiting.deadline.plus(1), scene.server.clock_now());
    denied(&scene.try_over(&scene.cyn, &waiting), "in vain: it is over");
    denied(&scene.withdraws(&scene.admin, &waiting), "in vain: it is over");
    assert_eq!(scene.shown(&scene.admin, &waiting).state, RequestState::Expired);
    assert_eq!(scene.listed(&scene.bob), []);
    assert!(scene.is_active("eve"));
}

#[test]
fn only_those_count_who_are_active_and_in_the_group_when_it_is_done() {
    for sql in [
        "UPDATE accounts SET suspended_at = 1 WHERE name = 'bob'",
        "UPDATE accounts SET member_of = '[]' WHERE name = 'bob'",
        "UPDATE accounts SET key_card = 'FFFE:00000009' WHERE name = 'bob'",
    ] {
        let scene = Scene::with(&by_two());
        let waiting = scene.suspends_eve();
        scene.approves(&scene.bob, &waiting);
        scene.run(sql);
        let changed = scene.approves(&scene.cyn, &waiting);
        assert_eq!((changed.state, changed.missing), (RequestState::Waiting, Some(1)), "{sql}");
        assert!(scene.is_active("eve"));
        assert_eq!(scene.approves(&scene.dan, &waiting).state, RequestState::Done, "{sql}");
        assert_eq!(verify_export(scene.export().as_slice(), &Trust::default()).unwrap().approved, 1);
    }
}

#[test]
fn whoever_asked_must_be_active_when_it_is_done_and_policy_is_asked_anew() {
    let scene = Scene::with(&by_two());
    let waiting = scene.suspends_eve();
    scene.approves(&scene.bob, &waiting);
    scene.run("UPDATE accounts SET suspended_at = 1 WHERE name = 'admin'");
    denied(&scene.try_approve(&scene.cyn, &waiting), "not active any more");
    scene.run("UPDATE accounts SET suspended_at = NULL WHERE name = 'admin'");
    // Meanwhile nobody is suspended any more.
    let closed = "@id(\"closed\") @reason(\"Nobody is suspended on a holiday.\")\n\
                  forbid (principal, action == Action::\"suspend\", resource);";
    scene.server.import("closed", closed);
    let last = scene.approves(&scene.cyn, &waiting);
    assert_eq!(last.state, RequestState::Denied);
    assert_eq!(last.reason.as_deref(), Some("Nobody is suspended on a holiday."));
    assert!(scene.is_active("eve"));
    let entry = scene.server.entries().pop().unwrap();
    assert_eq!((entry.decision, entry.policies), (Outcome::Denied, vec!["closed".to_owned()]));
    let told = scene.shown(&scene.admin, &waiting);
    assert_eq!((told.state, told.reason), (RequestState::Denied, last.reason));
    assert!(verify_export(scene.export().as_slice(), &Trust::default()).is_ok());
}

#[test]
fn when_policy_asks_others_meanwhile_it_is_those_who_approve() {
    let scene = Scene::with(&by_two());
    let waiting = scene.suspends_eve();
    scene.approves(&scene.bob, &waiting);
    scene.server.import("default", &by_two().replace("2:operators", "1:night"));
    scene.run("UPDATE accounts SET member_of = '[\"night\"]' WHERE name = 'dan'");
    let cyn = scene.approves(&scene.cyn, &waiting);
    assert_eq!((cyn.state, cyn.missing), (RequestState::Waiting, Some(1)), "they are not asked any more");
    assert_eq!(scene.approves(&scene.dan, &waiting).state, RequestState::Done);
    let entry = scene.server.entries().pop().unwrap();
    assert_eq!(entry.detail[detail::APPROVALS_NEEDED], "1:night");
    assert_eq!(entry.detail[detail::APPROVED_BY].split(' ').count(), 1);
}

#[test]
fn a_permit_that_asks_for_none_is_enough_and_of_others_the_least() {
    let alone = "@id(\"night\") @reason(\"The night shift may.\")\n\
                 permit (principal, action == Action::\"suspend\", resource is AccountResource)\n\
                 when { principal.name == \"admin\" };";
    let scene = Scene::with(&format!("{}\n{alone}", by_two()));
    let _: AccountChanged = done(scene.host.job(&scene.admin, "suspend", "account/eve", None));
    assert!(!scene.is_active("eve"));

    let one = alone.replace("@reason", "@approvals(\"1:operators\") @reason");
    let scene = Scene::with(&format!("{}\n{one}", by_two()));
    let waiting = scene.suspends_eve();
    assert_eq!(approval::spelled(&waiting.needs), "1:operators");
    assert_eq!(scene.approves(&scene.bob, &waiting).state, RequestState::Done);
}

#[test]
fn what_a_request_yields_is_told_once_to_whoever_asked_for_it() {
    let scene = Scene::with(&by_two());
    let body = br#"{"logins":["fay"],"roles":["user"]}"#;
    let waiting = scene.asks("create", "account/fay", Some(body));
    let shown = scene.shown(&scene.bob, &waiting);
    assert_eq!(shown.asked.unwrap().body, Some(Binary(body.to_vec())));
    scene.approves(&scene.bob, &waiting);
    assert_eq!(scene.approves(&scene.cyn, &waiting).state, RequestState::Done);
    assert!(scene.shown(&scene.bob, &waiting).result.is_none(), "an approver read the code");
    let result = scene.shown(&scene.admin, &waiting).result.unwrap();
    let created: AccountCreated = serde_json::from_value(result).unwrap();
    let fay = Person::new("fay", scene.server.clock_now());
    register(&scene.host, &fay, &created.code);
    assert!(scene.shown(&scene.admin, &waiting).result.is_none(), "told twice");
}

#[test]
fn what_could_weaken_approvals_takes_as_many_of_them() {
    let scene = Scene::with(&by_two());
    let groups = br#"{"groups":["operators"]}"#;
    let policy = serde_json::to_vec(&serde_json::json!({ "over": 2, "text": DEFAULT })).unwrap();
    for (operation, resource, body) in [
        ("create", "account/fay", &br#"{"logins":[],"roles":["user"]}"#[..]),
        ("update", "account/eve", groups),
        ("update", "policy/default", &policy),
    ] {
        let waiting = scene.asks(operation, resource, Some(body));
        assert_eq!(approval::spelled(&waiting.needs), "2:operators", "{operation} {resource}");
    }
    // What takes away, or concerns nobody's approvals, does not.
    let _: AccountList = done(scene.host.job(&scene.admin, "read", "account/eve", None));
    let _: AccountChanged = done(scene.host.job(&scene.admin, "retire", "account/eve", None));
    // With two of them the policies are what they were before.
    let waiting = scene.asks("update", "policy/default", Some(&policy));
    scene.approves(&scene.bob, &waiting);
    assert_eq!(scene.approves(&scene.cyn, &waiting).state, RequestState::Done);
    let changed: PolicyChanged =
        serde_json::from_value(scene.shown(&scene.admin, &waiting).result.unwrap()).unwrap();
    assert!(changed.changed);
    let body = br#"{"logins":[],"roles":["user"]}"#;
    let _: AccountCreated = done(scene.host.job(&scene.admin, "create", "account/gus", Some(body)));
}

#[test]
fn a_policy_that_asks_for_more_people_than_there_are_is_refused() {
    let scene = Scene::with(DEFAULT);
    let put = |text: &str| {
        let body = serde_json::to_vec(&serde_json::json!({ "over": 1, "text": text })).unwrap();
        scene.host.job(&scene.admin, "update", "policy/default", Some(&body))
    };
    let suspend = "administrators-suspend-and-revoke";
    denied(&put(&asking(suspend, "4:operators")), "asks for 4 approvals by operators, and only 3 of them");
    denied(&put(&asking(suspend, "1:nobody")), "only 0 of them");
    // The only administrator cannot approve what they ask for themselves.
    denied(&put(&asking(suspend, "1:administrator")), "nobody could change policies any more");
    denied(&put(&asking(suspend, "1:user")), "anybody makes as many as they want");
    denied(&put(&asking(suspend, "two:operators")), "not a number from 1 to 9");
    let forbids = asking("host-not-active", "1:operators");
    denied(&put(&forbids), "nobody's approval lifts that");
    let nobody_may = asking(suspend, "2:operators").replace(
        "resource is RequestResource\n)",
        "resource is RequestResource\n) when { principal.name == \"bob\" }",
    );
    denied(&put(&nobody_may), "the policies do not let them approve");
    let _: PolicyChanged = done(put(&asking(suspend, "3:operators")));
    // Logins do not wait: with this nobody could log in.
    let scene = Scene::with(DEFAULT);
    let body = serde_json::json!({ "over": 1, "text": asking("login-bound-to-account", "1:operators") });
    let body = serde_json::to_vec(&body).unwrap();
    denied(
        &scene.host.job(&scene.admin, "update", "policy/default", Some(&body)),
        "no administrator could log in",
    );
}

#[test]
fn a_dry_run_and_an_explanation_tell_whose_approval_it_takes() {
    let scene = Scene::with(&by_two());
    let statement =
        Statement { dry_run: true, ..scene.host.statement(&scene.admin, "suspend", "account/eve") };
    let reply = scene.host.request(&scene.admin, &statement, None);
    assert_eq!((reply.dry_run, &reply.waiting), (Some(Decision::Denied), &None));
    assert!(reply.reason.contains("It would wait for 2 approvals by operators."), "{}", reply.reason);
    assert_eq!(scene.listed(&scene.bob), [], "a request that was only tried waits");

    let waiting = scene.suspends_eve();
    let ask = |asked: &ExplainAsked| -> PolicyExplained {
        let body = serde_json::to_vec(asked).unwrap();
        done(scene.host.job(&scene.admin, "explain", "policy/all", Some(&body)))
    };
    let explained = ask(&ExplainAsked::Correlation(waiting.request.clone()));
    assert_eq!(
        (explained.decision, approval::spelled(&explained.approvals)),
        (Decision::Allowed, "2:operators".into())
    );
    assert_eq!(explained.permits[0].approvals.as_ref().unwrap().spelled(), "2:operators");

    // An approval can be tried, too, and then is none.
    scene.approves(&scene.bob, &waiting);
    let tried = Statement { dry_run: true, ..scene.approval(&scene.cyn, &waiting) };
    assert_eq!(scene.host.request(&scene.cyn, &tried, None).dry_run, Some(Decision::Allowed));
    assert!(scene.is_active("eve"));
    assert_eq!(scene.shown(&scene.dan, &waiting).missing, Some(1));
}

#[test]
fn what_cannot_be_done_does_not_wait_and_nobody_fills_the_list() {
    let scene = Scene::with(&by_two());
    denied(&scene.host.job(&scene.admin, "suspend", "account/nobody", None), "There is no account nobody");
    for _ in 0..16 {
        scene.suspends_eve();
    }
    denied(&scene.host.job(&scene.admin, "suspend", "account/eve", None), "wait for approvals already");
    denied(&scene.host.job(&scene.eve, "suspend", "account/bob", None), "No policy");
}

#[test]
fn whoever_edits_the_database_makes_no_request_and_no_approval() {
    let scene = Scene::with(&by_two());
    let waiting = scene.suspends_eve();
    scene.approves(&scene.bob, &waiting);
    // Bob's approval under dan's name.
    scene.run(
        "INSERT INTO request_approvals (request, account, approver_key, card, statement, signature, place, approved_at, mac)
         SELECT request, 'dan', 'X', 'FFFE:00000003', statement, signature, place, approved_at, mac FROM request_approvals",
    );
    scene.run("UPDATE request_approvals SET approver_key = (SELECT primary_key FROM accounts WHERE name = 'dan') WHERE account = 'dan'");
    assert_eq!(scene.shown(&scene.cyn, &waiting).missing, Some(1));
    // A longer life than it was given.
    scene.run("UPDATE waiting_requests SET deadline = deadline + 1000");
    let statement = scene.host.statement(&scene.cyn, "approve", &format!("request/{}", waiting.request));
    let digest =
        scene.server.entries().into_iter().rev().find_map(|entry| {
            entry.detail.contains_key(detail::WAITING).then_some(entry.statement).flatten()
        });
    let refused = scene.host.send(&scene.host.seal(&scene.host.message(&JobRequest {
        signed: scene.cyn.sign(&Statement { approves: digest, ..statement }),
        body: None,
    })));
    assert_ne!(refused.status, 200);
    assert_eq!(scene.server.newest(EntryKind::Alarm).decision, Outcome::Denied);
    assert!(scene.is_active("eve"));
}

impl Scene {
    /// Approves what does not wait any more.
    fn try_over(&self, who: &Person, waiting: &Waiting) -> JobReply {
        let statement = self.host.statement(who, "approve", &format!("request/{}", waiting.id));
        let entries = self.server.entries();
        let entry: &Entry = entries.iter().find(|entry| entry.message == Some(waiting.id)).unwrap();
        self.host.request(who, &Statement { approves: entry.statement, ..statement }, None)
    }
}

#[test]
fn whoever_is_asked_and_whoever_asked_get_a_letter_and_nobody_too_many() {
    let email = Reach { channels: BTreeSet::from([Channel::Email]), ..Reach::default() };
    let scene = Scene::at(Server::with_reach(email), DEFAULT);
    let postbox = scene.server.postbox();
    for who in [&scene.admin, &scene.bob, &scene.eve] {
        let address = Address::typed(&format!("{}@example.org", who.account)).unwrap();
        let resource = format!("account/{}", who.account);
        let body = serde_json::to_vec(&NewContact { address }).unwrap();
        scene.host.job(who, "add-contact", &resource, Some(&body));
        let body = serde_json::to_vec(&ContactCode { code: code(&postbox.one()) }).unwrap();
        scene.host.job(who, "confirm-contact", &resource, Some(&body));
        postbox.collect();
    }
    scene.server.import("default", &by_two());
    let waiting = scene.suspends_eve();
    let letter = postbox.one();
    assert_eq!(letter.to.to_string(), "bob@example.org");
    for words in ["admin asks for: suspend account/eve", "2 approvals by operators", "countersign job show"] {
        assert!(letter.text.contains(words), "{words}: {}", letter.text);
    }
    scene.approves(&scene.bob, &waiting);
    assert!(postbox.collect().is_empty());
    scene.approves(&scene.cyn, &waiting);
    let letter = postbox.one();
    assert_eq!(letter.to.to_string(), "admin@example.org");
    assert!(letter.text.contains(waiting.request.as_str()), "{}", letter.text);

    // Somebody who asks all day fills nobody's mailbox.
    let _: AccountChanged = {
        let waiting = scene.asks("resume", "account/eve", None);
        scene.approves(&scene.bob, &waiting);
        scene.approves(&scene.cyn, &waiting);
        serde_json::from_value(scene.shown(&scene.admin, &waiting).result.unwrap()).unwrap()
    };
    postbox.collect();
    let mut letters = 0;
    for _ in 0..40 {
        let waiting = scene.suspends_eve();
        letters += postbox.collect().len();
        let _: RequestChanged = done(scene.withdraws(&scene.admin, &waiting));
    }
    assert_eq!(letters, 28, "two went before");
}

#[test]
fn requests_that_are_long_over_are_forgotten_with_their_approvals() {
    let scene = Scene::with(&by_two());
    let waiting = scene.suspends_eve();
    scene.approves(&scene.bob, &waiting);
    let forget = |at: Timestamp| {
        let store = scene.server.store();
        let tx = store.begin().unwrap();
        tx.forget(at).unwrap();
        tx.commit().unwrap();
    };
    let count = || scene.server.intruder().number("SELECT count(*) FROM waiting_requests");
    forget(waiting.deadline.plus(7 * 24 * 3600));
    assert_eq!(count(), 1);
    forget(waiting.deadline.plus(7 * 24 * 3600 + 1));
    assert_eq!(count(), 0);
    assert_eq!(scene.server.intruder().number("SELECT count(*) FROM request_approvals"), 0);
}

#[test]
fn two_last_approvals_at_once_do_it_once() {
    let scene = Scene::with(&by_two().replace("2:operators", "1:operators"));
    let waiting = scene.suspends_eve();
    let statements = [&scene.bob, &scene.cyn, &scene.dan].map(|who| (who, scene.approval(who, &waiting)));
    let replies: Vec<JobReply> = std::thread::scope(|scope| {
        let asking = statements.iter().map(|(who, statement)| {
            let host = &scene.host;
            scope.spawn(move || host.request(who, statement, None))
        });
        asking.collect::<Vec<_>>().into_iter().map(|one| one.join().unwrap()).collect()
    });
    let done = replies.iter().filter(|reply| reply.decision == Decision::Allowed).count();
    assert_eq!(done, 1);
    let carried =
        scene.server.entries().iter().filter(|entry| entry.detail.contains_key(detail::APPROVED_BY)).count();
    assert_eq!(carried, 1);
}

#[test]
fn a_request_whose_answer_was_lost_is_told_to_wait_also_when_the_ledger_alone_remembers_it() {
    let scene = Scene::with(&by_two());
    let statement = scene.host.statement(&scene.admin, "suspend", "account/eve");
    let sealed = scene
        .host
        .seal(&scene.host.message(&JobRequest { signed: scene.admin.sign(&statement), body: None }));
    let first: JobReply = scene.host.open(&sealed, &scene.host.send(&sealed)).body().unwrap();
    let waiting = scene.waits(&first);
    assert_eq!(waiting.id, sealed.id());
    scene.server.clock.turn(limits::REPLAY_MEMORY + 200);
    let store = scene.server.store();
    let tx = store.begin().unwrap();
    tx.forget(scene.server.clock_now().plus(-limits::REPLAY_MEMORY)).unwrap();
    tx.commit().unwrap();
    let asked = job_outcome::about(&sealed);
    let JobOutcomeReply::Answered { reply } = scene.host.ask(&asked).body().unwrap() else {
        panic!("forgotten")
    };
    assert_eq!((reply.decision, reply.waiting), (Decision::Denied, Some(waiting)));
}
