//! Groups of accounts, as administrators put people into them and policies speak of them.

use countersign_protocol::ledger::EntryKind;
use countersign_protocol::message::Decision;
use countersign_protocol::message::result::{AccountChanged, AccountList};
use countersign_protocol::roster::OfflineServices;
use countersign_server_core::policy::DEFAULT;

use crate::client::host::Host;
use crate::client::person::Person;
use crate::fixture::{Server, denied, done};

/// Nobody logs in who is not in the group.
const FOR_OPERATORS: &str = "@id(\"for-operators\") @reason(\"Only operators log in.\")\n\
     forbid (principal, action == Action::\"open-session\", resource)\n\
     unless { principal.groups.contains(\"operators\") };\n";

fn groups(host: &Host, admin: &Person) -> Vec<String> {
    let list: AccountList = done(host.job(admin, "read", "account/ana", None));
    list.accounts[0].groups.iter().map(ToString::to_string).collect()
}

#[test]
fn an_administrator_puts_people_into_groups_and_policies_see_it() {
    let server = Server::with_policy(&format!("{DEFAULT}\n{FOR_OPERATORS}"));
    let (host, admin, ana) = server.with_ana();
    denied(&host.log_in(&ana, "ana"), "Only operators log in.");
    let body = br#"{"groups":["operators","night","operators"]}"#;
    let changed: AccountChanged = done(host.job(&admin, "update", "account/ana", Some(body)));
    assert!(changed.changed);
    let entry = server.newest(EntryKind::Job);
    assert_eq!(
        (entry.detail["groups"].as_str(), entry.detail["groups-before"].as_str()),
        ("night operators", "")
    );
    assert_eq!(groups(&host, &admin), ["night", "operators"]);
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    // Rosters know them, too.
    let roster = host.roster(&host.check_in_for(9, &["ana"], &["sshd"]));
    assert_eq!(roster.roster().entries[0].accounts[0].offline, OfflineServices::All);
    // What is not named stays; and a change of groups leaves the rest as it is.
    let _: AccountChanged =
        done(host.job(&admin, "update", "account/ana", Some(br#"{"roles":["auditor"]}"#)));
    assert_eq!(groups(&host, &admin), ["night", "operators"]);
    let _: AccountChanged = done(host.job(&admin, "update", "account/ana", Some(br#"{"groups":[]}"#)));
    assert!(groups(&host, &admin).is_empty());
    denied(&host.log_in(&ana, "ana"), "Only operators log in.");
}

#[test]
fn nobody_puts_themselves_into_a_group_and_none_is_called_like_a_role() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let body = br#"{"groups":["operators"]}"#;
    denied(&host.job(&ana, "update", "account/ana", Some(body)), "No policy");
    for bad in ["administrator", "Two Words", ""] {
        let body = format!(r#"{{"groups":["{bad}"]}}"#);
        denied(&host.job(&admin, "update", "account/ana", Some(body.as_bytes())), "a group's name");
    }
    let many: Vec<String> = (0..33).map(|number| format!("g{number}")).collect();
    let body = serde_json::to_vec(&serde_json::json!({ "groups": many })).unwrap();
    denied(&host.job(&admin, "update", "account/ana", Some(&body)), "at most 32 groups");
    assert!(groups(&host, &admin).is_empty());
}

#[test]
fn a_group_that_somebody_wrote_into_the_database_is_found() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let _: AccountChanged = done(host.job(&admin, "update", "account/ana", Some(br#"{"groups":["night"]}"#)));
    assert!(server.audit().findings.is_empty());
    server.intruder().run("UPDATE accounts SET member_of = '[\"operators\"]' WHERE name = 'ana'");
    let found = server.audit().findings;
    assert_eq!(found[0].row, "account/ana");
    assert!(found[0].what.contains("member-of is"), "{found:?}");
}
