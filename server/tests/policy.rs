//! Another policy than a new server begins with, as hosts and people meet it: by service, place and time.

use countersign_protocol::clock::{Clock as _, Timestamp};
use countersign_protocol::message::Decision;
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
fn each_policy_has_a_number_that_entries_name() {
    let server = server(&["sudo-from-the-seat"]);
    let (host, ..) = server.with_ana();
    // The first is what every new server begins with.
    assert_eq!(host.check_in(2, 0, &[]).policy_epoch, 2);
}
