//! Another policy than a new server begins with, as hosts and people meet it: by service, place and time.

use countersign_protocol::clock::{Clock as _, Timestamp};
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{EntryKind, Outcome, detail};
use countersign_protocol::message::result::{
    ExplainAsked, OwnDecision, PolicyAsked, PolicyChanged, PolicyExplained, PolicyList, PolicyQuestion,
    PolicyRemoval, PolicyShown, PolicyText,
};
use countersign_protocol::message::{Decision, JobReply};
use countersign_protocol::roster::OfflineServices;
use countersign_protocol::statement::{Place, Statement};
use countersign_server_core::policy::DEFAULT;

use crate::client::host::Host;
use crate::client::person::Person;
use crate::fixture::Server;

/// The examples of the document.
const DOCUMENT: &str = include_str!("../../docs/policy.md");

/// A server with the default policy and these examples below it.
fn server(ids: &[&str]) -> Server {
    let example = |id: &&str| {
        let text = &DOCUMENT[DOCUMENT.find(&format!("@id(\"{id}\")")).unwrap()..];
        text[..text.find("```").unwrap()].to_owned()
    };
    let examples: String = ids.iter().map(example).collect();
    Server::with_policy(&format!("{DEFAULT}\n{examples}"))
}

fn by(
    host: &Host,
    person: &Person,
    service: &str,
    change: impl FnOnce(&mut Statement),
) -> (Decision, String) {
    let mut statement = host.session(person, "ana");
    statement.service = Some(service.parse().unwrap());
    change(&mut statement);
    let reply = host.request(person, &statement, None);
    (reply.decision, reply.reason)
}

#[test]
fn where_somebody_sits_decides_and_the_denial_says_so() {
    let server = server(&["sudo-from-the-seat", "consoles-of-seat0"]);
    let (host, _admin, ana) = server.with_ana();
    let at = |service, place: Option<Place>| by(&host, &ana, service, |asked| asked.place = place);
    let console = |terminal: &str| {
        let (seat, terminal) = ("seat0".parse().ok(), terminal.parse().ok());
        Some(Place { seat, terminal, ..Place::LOCAL })
    };
    assert_eq!(at("sudo", Some(Place::LOCAL)).0, Decision::Allowed);
    let denied = (Decision::Denied, "sudo is for whoever sits at the machine.".to_owned());
    assert_eq!(at("sudo", None), denied);
    assert_eq!(at("sudo", Some(Place::REMOTE)), denied);
    assert_eq!(at("login", console("tty1")).0, Decision::Allowed);
    assert_eq!(at("login", console("pts/1")).0, Decision::Denied);
    // Rosters hold of it what a host can know beforehand.
    let roster = host.roster(&host.check_in_for(9, &["ana"], &["login", "sudo"]));
    let [entry] = roster.roster().entries.as_slice() else { panic!("{roster:?}") };
    let sudo = OfflineServices::These(vec!["sudo".parse().unwrap()]);
    assert_eq!((&entry.accounts[0].offline, &entry.accounts[0].unasked), (&sudo, &sudo));
}

#[test]
fn what_the_hour_is_decides_at_the_server_alone() {
    let server = server(&["working-hours"]);
    let (host, _admin, ana) = server.with_ana();
    // Noon of the next Monday. The first of January 1970 was a Thursday.
    let days = server.clock.now().seconds_since(Timestamp::from_seconds(0)).div_euclid(86_400);
    let monday = Timestamp::from_seconds((days + 7 - (days + 3).rem_euclid(7)) * 86_400);
    server.clock.turn(monday.plus(12 * 3600).seconds_since(server.clock.now()));
    let mut host = host;
    let mut at = |hours: i64| {
        server.clock.turn(hours * 3600);
        assert_eq!(host.key_update(Some(8 * 3600)).status, 200);
        by(&host, &ana, "sudo", |_| {}).0
    };
    assert_eq!(at(0), Decision::Allowed);
    assert_eq!(at(8), Decision::Denied, "20 o'clock");
    assert_eq!(at(16), Decision::Allowed, "Tuesday noon");
    assert_eq!(at(4 * 24), Decision::Denied, "Saturday noon");
    let roster = host.roster(&host.check_in_for(99, &["ana"], &["sudo"]));
    let [entry] = roster.roster().entries.as_slice() else { panic!("{roster:?}") };
    let [account] = entry.accounts.as_slice() else { panic!("she may ask: {entry:?}") };
    assert_eq!((&account.offline, &account.unasked), (&OfflineServices::None, &OfflineServices::None));
}

#[test]
fn each_change_has_a_number_that_rosters_and_entries_name() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    assert_eq!(host.check_in(2, 0, &[]).policy_epoch, 1, "what init put");
    let put = server.put(&host, &admin, "more", None, EMPTY);
    assert_eq!((put.document.version, put.epoch), (1, 2));
    assert_eq!(host.check_in(3, 0, &[]).policy_epoch, 2);
    host.log_in(&ana, "ana");
    assert_eq!(server.newest(EntryKind::Job).policy_epoch, 2);
}

/// Nothing that anybody would miss.
const EMPTY: &str = "// Nothing yet.\n";

const CLOSED: &str = "@id(\"closed\") @reason(\"Closed for today.\")\nforbid (principal, action == Action::\"open-session\", resource)\n\
     unless { principal.roles.contains(\"administrator\") };\n";

impl Server {
    /// A change of a document by `person`, which is refused or done.
    fn try_put(&self, host: &Host, person: &Person, name: &str, over: Option<u64>, text: &str) -> JobReply {
        let body = serde_json::to_vec(&PolicyText { over, text: text.to_owned() }).unwrap();
        let operation = if over.is_some() { "update" } else { "create" };
        host.job(person, operation, &format!("policy/{name}"), Some(&body))
    }

    fn put(&self, host: &Host, person: &Person, name: &str, over: Option<u64>, text: &str) -> PolicyChanged {
        let reply = self.try_put(host, person, name, over, text);
        assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
        serde_json::from_value(reply.result.unwrap()).unwrap()
    }

    fn show(&self, host: &Host, person: &Person, name: &str, version: Option<u64>) -> JobReply {
        let body = serde_json::to_vec(&PolicyAsked { version }).unwrap();
        host.job(person, "read", &format!("policy/{name}"), Some(&body))
    }
}

#[test]
fn a_change_is_in_force_at_once_in_every_process_and_one_entry_of_the_ledger() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    // A second process on the same database, which has decided before.
    let beside = Host { carrier: server.another_door(), ..host.copy() };
    assert_eq!(beside.log_in(&ana, "ana").decision, Decision::Allowed);
    let before = server.entries().len();
    let put = server.put(&host, &admin, "hours", None, CLOSED);
    let entries = server.entries();
    let [entry] = &entries[before..] else { panic!("{entries:?}") };
    assert_eq!((entry.policy_epoch, entry.decision), (1, Outcome::Allowed), "decided by what was before it");
    for (name, words) in [
        (detail::POLICY, "hours"),
        (detail::POLICY_VERSION, "1"),
        (detail::POLICY_DIGEST, &Digest::of(CLOSED.as_bytes()).to_string()),
        (detail::POLICY_EPOCH, "2"),
    ] {
        assert_eq!(entry.detail[name], words, "{name}");
    }
    assert_eq!(put.document.digest, Some(Digest::of(CLOSED.as_bytes())));
    for at in [&host, &beside] {
        let reply = at.log_in(&ana, "ana");
        assert_eq!((reply.decision, reply.reason.as_str()), (Decision::Denied, "Closed for today."));
        assert_eq!(server.newest(EntryKind::Job).policy_epoch, 2);
    }
    // Taken out by the one process, it is gone in the other.
    let body = serde_json::to_vec(&PolicyRemoval { over: 1 }).unwrap();
    assert_eq!(beside.job(&admin, "delete", "policy/hours", Some(&body)).decision, Decision::Allowed);
    assert_eq!(server.newest(EntryKind::Job).detail[detail::POLICY_DIGEST], detail::POLICY_REMOVED);
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    // And it comes again as its third version.
    assert_eq!(server.put(&host, &admin, "hours", None, CLOSED).document.version, 3);
}

#[test]
fn nobody_overwrites_a_version_that_they_did_not_see() {
    let server = Server::new();
    let (host, admin, _) = server.with_ana();
    server.put(&host, &admin, "a", None, EMPTY);
    server.put(&host, &admin, "a", Some(1), CLOSED);
    let epoch = host.check_in(2, 0, &[]).policy_epoch;
    for (over, told) in [
        (Some(1), "at version 2"),
        (None, "There is a policy document a already, at version 2. To replace it: --over 2"),
        (Some(3), "at version 2"),
    ] {
        let reply = server.try_put(&host, &admin, "a", over, EMPTY);
        assert_eq!(reply.decision, Decision::Denied);
        assert!(reply.reason.contains(told), "{}", reply.reason);
    }
    let missing = server.try_put(&host, &admin, "b", Some(1), EMPTY);
    assert_eq!(missing.reason, "There is no policy document b. See: countersign policy list");
    for name in ["all", "mine", "Upper"] {
        assert_eq!(server.try_put(&host, &admin, name, None, EMPTY).decision, Decision::Denied, "{name}");
    }
    // The same text again is no change.
    let same = server.put(&host, &admin, "a", Some(2), CLOSED);
    assert_eq!((same.changed, same.document.version, same.epoch), (false, 2, epoch));
    assert_eq!(host.check_in(3, 0, &[]).policy_epoch, epoch);
}

#[test]
fn every_version_can_be_looked_at_and_put_again() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    server.put(&host, &admin, "a", None, CLOSED);
    server.put(&host, &admin, "a", Some(1), EMPTY);
    let shown = |version| -> PolicyShown {
        serde_json::from_value(server.show(&host, &admin, "a", version).result.unwrap()).unwrap()
    };
    assert_eq!((shown(None).document.version, shown(None).text.as_deref()), (2, Some(EMPTY)));
    let old = shown(Some(1));
    assert_eq!(old.text.as_deref(), Some(CLOSED));
    let history: Vec<_> = old.history.iter().map(|one| (one.version, one.by.clone())).collect();
    assert_eq!(history, [(2, Some(admin.account.clone())), (1, Some(admin.account.clone()))]);
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    assert_eq!(server.put(&host, &admin, "a", Some(2), &old.text.unwrap()).document.version, 3);
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Denied);
    let none = server.show(&host, &admin, "a", Some(9));
    assert_eq!(none.reason, "The policy document a has no version 9; its newest is 3.");
    let list = host.job(&admin, "read", "policy/all", None).result.unwrap();
    let list: PolicyList = serde_json::from_value(list).unwrap();
    let names: Vec<_> = list.documents.iter().map(|one| (one.name.as_str(), one.version)).collect();
    assert_eq!((names, list.epoch), (vec![("a", 3), ("default", 1)], 4));
}

#[test]
fn a_set_that_could_not_work_changes_nothing() {
    let server = Server::new();
    let (host, admin, _) = server.with_ana();
    for (text, told) in [
        (
            "@id(\"x\") @reason(\"x\")\npermit (principal, action, resource)\nwhen { principal.rank > 3 };",
            "a, line 3, column 8",
        ),
        ("permit (principal, action", "a, line 1"),
        (
            "@id(\"own-decisions\") @reason(\"x\") forbid (principal, action, resource);",
            "the other one is in",
        ),
    ] {
        let reply = server.try_put(&host, &admin, "a", None, text);
        assert_eq!(reply.decision, Decision::Denied);
        assert!(reply.reason.contains(told), "{}", reply.reason);
    }
    assert_eq!(host.check_in(2, 0, &[]).policy_epoch, 1);
}

#[test]
fn a_change_that_nobody_could_take_back_is_refused_with_why() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let without = |id: &str| {
        let begin = DEFAULT.find(&format!("@id(\"{id}\")")).unwrap();
        let end = begin + DEFAULT[begin..].find("};\n").unwrap() + 3;
        format!("{}{}", &DEFAULT[..begin], &DEFAULT[end..])
    };
    for (text, told) in [
        (without("administrators-change-policies"), "nobody could change it back"),
        (without("login-bound-to-account"), "no administrator could log in on any host"),
        (EMPTY.to_owned(), "nobody could change it back"),
    ] {
        let reply = server.try_put(&host, &admin, "default", Some(1), &text);
        assert_eq!(reply.decision, Decision::Denied);
        assert!(reply.reason.contains(told), "{}", reply.reason);
    }
    let forbid = "@id(\"f\") @reason(\"x\") forbid (principal, action in [Action::\"update\", Action::\"delete\"], resource)
        when { resource is PolicyDocument && resource.name == \"a\" };";
    assert!(server.try_put(&host, &admin, "a", None, forbid).reason.contains("nobody could change it back"));
    // Somebody else may be the one who can.
    let handed = without("administrators-change-policies")
        + "@id(\"ana\") @reason(\"x\") permit (principal == Account::\"ana\", action, resource is PolicyDocument);";
    assert_eq!(server.put(&host, &admin, "default", Some(1), &handed).epoch, 2);
    assert_eq!(server.try_put(&host, &admin, "default", Some(2), DEFAULT).decision, Decision::Denied);
    assert_eq!(server.put(&host, &ana, "default", Some(2), DEFAULT).epoch, 3);
    // The server's own console may, by its own word.
    server.import("default", EMPTY);
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Denied);
    assert_eq!(server.newest(EntryKind::Job).policy_epoch, 4);
}

#[test]
fn documents_that_are_there_and_not_there_look_alike_to_whoever_may_not_see_them() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    server.put(&host, &admin, "a", None, EMPTY);
    let told = |reply: JobReply, name: &str| {
        assert_eq!((reply.decision, &reply.result), (Decision::Denied, &None));
        reply.reason.replace(&format!("policy/{name}"), "policy/…")
    };
    for name in ["a", "b", "all"] {
        let read = told(server.show(&host, &ana, name, None), name);
        assert_eq!(read, "No policy lets account ana read policy/….");
        let put = told(server.try_put(&host, &ana, name, Some(1), EMPTY), name);
        assert_eq!(put, "No policy lets account ana update policy/….");
    }
}

impl Server {
    fn explain(&self, host: &Host, person: &Person, name: &str, asked: &ExplainAsked) -> JobReply {
        let body = serde_json::to_vec(asked).unwrap();
        host.job(person, "explain", &format!("policy/{name}"), Some(&body))
    }

    fn explained(&self, host: &Host, person: &Person, asked: &ExplainAsked) -> PolicyExplained {
        let reply = self.explain(host, person, "all", asked);
        assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
        serde_json::from_value(reply.result.unwrap()).unwrap()
    }
}

fn as_root(host: &Host, person: &Person) -> PolicyQuestion {
    PolicyQuestion {
        account: person.account.clone(),
        operation: "open-session".parse().unwrap(),
        resource: format!("session/{}", host.fingerprint()).parse().unwrap(),
        host: None,
        login: Some("root".parse().unwrap()),
        service: Some("sudo".parse().unwrap()),
        place: None,
        claimed: None,
        time: None,
        offline: false,
    }
}

#[test]
fn a_past_decision_is_explained_by_the_policies_of_its_time() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let denied = host.log_in(&ana, "root");
    server.put(&host, &admin, "hours", None, CLOSED);
    let closed = host.log_in(&ana, "ana");
    let explained = |reply: &JobReply| {
        server.explained(&host, &admin, &ExplainAsked::Correlation(reply.correlation.clone()))
    };
    let root = explained(&denied);
    assert_eq!((root.decision, root.policy_epoch, root.forbids.len()), (Decision::Denied, 1, 0));
    assert_eq!(root.nearest[0].policy.id, "login-bound-to-account");
    assert_eq!(
        root.nearest[0].conditions[0].words,
        "the account's logins would have to hold root; the account's logins: ana"
    );
    assert!(root.notes[0].contains("denied by no policy: No policy lets account ana open login root here."));
    assert_eq!(root.notes.len(), 1, "{:?}", root.notes);
    let hours = explained(&closed);
    assert_eq!((hours.policy_epoch, hours.forbids[0].policy.id.as_str()), (2, "closed"));
    assert_eq!(hours.forbids[0].policy.document.as_str(), "hours");
    assert_eq!(hours.permits[0].id, "login-bound-to-account", "what would be without it");
    // By its place in the ledger, too; and what is no decision is none.
    let index = server.entries().iter().position(|entry| entry.correlation == denied.correlation).unwrap();
    let index = u64::try_from(index).unwrap();
    assert_eq!(server.explained(&host, &admin, &ExplainAsked::Entry(index)).question, root.question);
    assert_eq!(server.explain(&host, &admin, "all", &ExplainAsked::Entry(0)).decision, Decision::Denied);
    // An account that was changed since is said to be another.
    let reply = host.job(&admin, "suspend", "account/ana", None);
    assert_eq!(reply.decision, Decision::Allowed);
    let later = explained(&denied);
    assert_eq!(later.forbids[0].policy.id, "account-not-active");
    assert!(later.notes.iter().any(|note| note.contains("were others then")), "{:?}", later.notes);
}

#[test]
fn a_request_that_nobody_made_is_explained_with_what_would_allow_it() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let ask = |question: PolicyQuestion| {
        server.explained(&host, &admin, &ExplainAsked::Question(Box::new(question)))
    };
    let root = ask(as_root(&host, &ana));
    assert_eq!(
        (root.decision, root.nearest[0].policy.id.as_str()),
        (Decision::Denied, "login-bound-to-account")
    );
    assert!(root.notes[0].contains("does not let them in"), "{:?}", root.notes);
    let own = ask(PolicyQuestion { login: Some("ana".parse().unwrap()), ..as_root(&host, &ana) });
    assert_eq!((own.decision, own.permits[0].id.as_str()), (Decision::Allowed, "login-bound-to-account"));
    let read = ask(PolicyQuestion {
        operation: "read".parse().unwrap(),
        resource: "ledger/entries".parse().unwrap(),
        ..as_root(&host, &ana)
    });
    assert_eq!(
        read.nearest[0].conditions[0].words,
        "the account's roles would have to hold one of auditor, administrator; the account's roles: user"
    );
    let nobody = PolicyQuestion { account: "nobody".parse().unwrap(), ..as_root(&host, &ana) };
    let reply = server.explain(&host, &admin, "all", &ExplainAsked::Question(Box::new(nobody)));
    assert_eq!(reply.reason, "There is no account nobody. See: countersign admin user list");
}

#[test]
fn who_may_not_explain_learns_decision_and_reason_of_their_own_requests_alone() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let theirs = host.log_in(&ana, "root");
    let others = host.job(&admin, "read", "accounts/all", Some(b"{}"));
    let by = |reply: &JobReply| ExplainAsked::Correlation(reply.correlation.clone());
    // Somebody's decision, none at all, an account that is there and one that is not: the same answer.
    let absent = PolicyQuestion { account: "nobody".parse().unwrap(), ..as_root(&host, &ana) };
    let never = ExplainAsked::Correlation("0000-0000".parse().unwrap());
    for asked in [
        by(&theirs),
        by(&others),
        never.clone(),
        ExplainAsked::Entry(0),
        ExplainAsked::Question(Box::new(as_root(&host, &ana))),
        ExplainAsked::Question(Box::new(absent)),
    ] {
        let reply = server.explain(&host, &ana, "all", &asked);
        assert_eq!((reply.decision, &reply.result), (Decision::Denied, &None));
        assert_eq!(reply.reason, "No policy lets account ana explain policy/all.");
    }
    let reply = server.explain(&host, &ana, "mine", &by(&theirs));
    let own: OwnDecision = serde_json::from_value(reply.result.unwrap()).unwrap();
    assert_eq!((own.decision, own.reason), (Decision::Denied, theirs.reason.clone()));
    let told = |asked: &ExplainAsked, id: &str| {
        let reply = server.explain(&host, &ana, "mine", asked);
        assert_eq!((reply.decision, &reply.result), (Decision::Denied, &None));
        reply.reason.replace(id, "…")
    };
    let absent = told(&never, "0000-0000");
    assert_eq!(absent, told(&by(&others), others.correlation.as_str()));
    assert_eq!(absent, "No request of your account has the correlation id …, or it is too long ago.");
    // Nothing else is explained that way.
    let question = ExplainAsked::Question(Box::new(as_root(&host, &ana)));
    assert_eq!(server.explain(&host, &ana, "mine", &question).decision, Decision::Denied);
    assert_eq!(server.explain(&host, &ana, "mine", &ExplainAsked::Entry(0)).decision, Decision::Denied);
}
