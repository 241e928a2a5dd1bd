//! Reading some of the ledger.

use countersign_protocol::clock::Clock as _;
use countersign_protocol::ledger::{
    Entry, EntryFilter, EntryKind, ExcerptReport, ExcerptWriter, LedgerExcerpt, LedgerSearch, Trust,
    verify_excerpt,
};
use countersign_protocol::message::Decision;
use serde_json::json;

use crate::client::host::Host;
use crate::client::person::Person;
use crate::fixture::Server;

fn page(host: &Host, who: &Person, search: &LedgerSearch) -> LedgerExcerpt {
    let body = serde_json::to_vec(search).unwrap();
    let reply = host.job(who, "read", "ledger/entries", Some(&body));
    assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
    serde_json::from_value(reply.result.unwrap()).unwrap()
}

/// As the command line puts its pages together.
fn search(host: &Host, who: &Person, filter: &serde_json::Value) -> (ExcerptReport, Vec<u64>) {
    let filter: EntryFilter = serde_json::from_value(filter.clone()).unwrap();
    let first = page(host, who, &LedgerSearch { from: 0, filter: filter.clone(), size: None });
    let mut places: Vec<u64> = first.entries.iter().map(|found| found.index).collect();
    let mut writer = ExcerptWriter::from_page(Vec::new(), filter.clone(), &first).unwrap();
    while let Some(next) = writer.next() {
        let size = Some(writer.size());
        let more = page(host, who, &LedgerSearch { from: next, filter: filter.clone(), size });
        places.extend(more.entries.iter().map(|found| found.index));
        writer.page(&more).unwrap();
    }
    let excerpt = writer.finish().unwrap();
    let trust = Trust { key: Some(host.ledger_key.clone()), seen: None };
    (verify_excerpt(excerpt.as_slice(), &trust).unwrap(), places)
}

#[test]
fn an_auditor_searches_the_ledger_and_each_find_is_proven() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    for _ in 0..3 {
        assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    }
    assert_eq!(host.log_in(&ana, "root").decision, Decision::Denied);
    let all = server.entries();
    let expected = |wanted: &dyn Fn(&Entry) -> bool| -> Vec<u64> {
        (0..).zip(&all).filter(|(_, entry)| wanted(entry)).map(|(place, _)| place).collect()
    };
    let is_of_ana = |entry: &Entry| entry.account.as_ref().is_some_and(|name| name.as_str() == "ana");
    let about_ana = |entry: &Entry| {
        is_of_ana(entry) || entry.resource.as_ref().is_some_and(|on| on.as_str() == "account/ana")
    };
    let (report, places) = search(&host, &admin, &json!({ "account": "ana" }));
    assert_eq!(places, expected(&about_ana));
    // Her registration and four logins.
    assert!(report.statements >= 5 && report.proven == places.len() as u64);
    // What was asked meanwhile is in the ledger, and does not move what was found.
    let (_, denied) =
        search(&host, &admin, &json!({ "account": "ana", "decision": "denied", "kind": "job" }));
    assert_eq!(denied, expected(&|entry| is_of_ana(entry) && entry.reason.contains("root")));
    let (_, found) = search(&host, &admin, &json!({ "correlation": all[3].correlation }));
    assert_eq!(found, [3]);
    let (report, found) = search(&host, &admin, &json!({ "kind": "never-happened" }));
    assert_eq!((found.len(), report.proven), (0, 0));

    // By time, whatever came before.
    server.clock.turn(2 * 3600);
    let later = server.clock.now();
    let size = server.entries().len() as u64;
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    let (_, found) = search(&host, &admin, &json!({ "since": later }));
    assert_eq!(found, [size]);
    let (_, found) = search(&host, &admin, &json!({ "until": later, "kind": "registration" }));
    assert_eq!(found, expected(&|entry| entry.kind == EntryKind::Registration));

    // Nobody else, and of no tree that never was.
    let of = |filter: &str| format!(r#"{{"from":0,"filter":{filter}}}"#).into_bytes();
    assert_eq!(host.job(&ana, "read", "ledger/entries", Some(&of("{}"))).decision, Decision::Denied);
    for (body, why) in [
        (br#"{"from":0,"filter":{},"size":100000}"#.to_vec(), "none at 100000"),
        (br#"{"from":100000,"filter":{}}"#.to_vec(), "none at 100000"),
        (of(r#"{"kind":"no-such"}"#), "The body is not"),
    ] {
        let reply = host.job(&admin, "read", "ledger/entries", Some(&body));
        assert_eq!(reply.decision, Decision::Denied);
        assert!(reply.reason.contains(why), "{}", reply.reason);
    }
}

#[test]
fn a_search_that_finds_more_than_a_page_goes_on_in_the_same_tree() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let claimed = "x".repeat(6_000);
    for _ in 0..100 {
        let mut login = host.session(&ana, "ana");
        login.claimed = Some(claimed.clone());
        assert_eq!(host.request(&ana, &login, None).decision, Decision::Allowed);
    }
    let filter: EntryFilter = serde_json::from_value(json!({ "operation": "open-session" })).unwrap();
    let first = page(&host, &admin, &LedgerSearch { from: 0, filter, size: None });
    assert!(first.next.is_some() && !first.entries.is_empty());
    let (report, places) = search(&host, &admin, &json!({ "operation": "open-session" }));
    assert_eq!((places.len(), report.statements), (100, 100));
}
