//! Collections: who makes them, who grants on them, and who does not.

use countersign_protocol::ids::Role;
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::life::Life;
use countersign_protocol::message::result::{Access, AccountChanged, CollectionList, CollectionShown};

use crate::client::host::Host;
use crate::client::person::Person;
use crate::database::is_postgres;
use crate::fixture::{Server, denied, done};

struct Scene {
    server: Server,
    host: Host,
    admin: Person,
    /// Owns the collection `wards`.
    clinic: Person,
    /// Another owner, of `beds`.
    hotel: Person,
    /// Appointed for `wards`.
    rita: Person,
    ana: Person,
}

fn scene() -> Scene {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let clinic = server.person(&host, &admin, "clinic", &[Role::Resource]);
    let hotel = server.person(&host, &admin, "hotel", &[Role::Resource]);
    let rita = server.person(&host, &admin, "rita", &[Role::ResourceAdministrator]);
    for (who, name) in [(&clinic, "wards"), (&hotel, "beds")] {
        let made = one(host.job(
            who,
            "create",
            &format!("collection/{name}"),
            Some(br#"{"schema":"{\"type\":\"object\"}"}"#),
        ));
        assert_eq!((made.owner.as_str(), made.state), (who.account.as_str(), Life::Active));
    }
    let appointed = one(host.job(&clinic, "appoint", "collection/wards", Some(br#"{"account":"rita"}"#)));
    assert_eq!(appointed.administrators, ["rita".parse().unwrap()]);
    Scene { server, host, admin, clinic, hotel, rita, ana }
}

fn one(reply: countersign_protocol::message::JobReply) -> CollectionShown {
    done::<CollectionList>(reply).collections.remove(0)
}

const READ_TO_ANA: &[u8] = br#"{"account":"ana","access":["read","create"]}"#;

#[test]
fn owners_and_those_they_appoint_grant_and_withdraw() {
    let Scene { server, host, clinic, rita, ana, .. } = scene();
    for who in [&clinic, &rita] {
        let granted = one(host.job(who, "grant", "collection/wards", Some(READ_TO_ANA)));
        assert_eq!(granted.grants[0].access, [Access::Read, Access::Create]);
        let entry = server.newest(EntryKind::Job);
        assert_eq!(
            (entry.detail["of-account"].as_str(), entry.detail["granted"].as_str()),
            ("ana", "read create")
        );
        let again: CollectionList = done(host.job(who, "grant", "collection/wards", Some(READ_TO_ANA)));
        assert!(again.unchanged);
        let less = br#"{"account":"ana","access":["create"]}"#;
        let left = one(host.job(who, "withdraw", "collection/wards", Some(less)));
        assert_eq!(left.grants[0].access, [Access::Read]);
        let all = br#"{"account":"ana"}"#;
        assert!(one(host.job(who, "withdraw", "collection/wards", Some(all))).grants.is_empty());
    }
    // What concerns oneself is seen, and nothing about others.
    one(host.job(&rita, "grant", "collection/wards", Some(READ_TO_ANA)));
    one(host.job(&rita, "grant", "collection/wards", Some(br#"{"account":"hotel","access":["delete"]}"#)));
    let own: CollectionList = done(host.job(&ana, "read", "collections/own", Some(b"{}")));
    assert_eq!(own.collections.len(), 1);
    assert_eq!((own.collections[0].grants.len(), own.collections[0].administrators.len()), (1, 0));
    let own: CollectionList = done(host.job(&rita, "read", "collections/own", Some(b"{}")));
    assert_eq!(own.collections[0].grants.len(), 2);
    denied(&host.job(&ana, "read", "collection/wards", None), "No policy");
}

#[test]
fn nobody_grants_what_they_do_not_administer() {
    let Scene { server, host, admin, clinic, hotel, rita, ana } = scene();
    let rolf = server.person(&host, &admin, "rolf", &[Role::ResourceAdministrator]);
    let appoint = br#"{"account":"rolf"}"#.as_slice();
    for who in [&admin, &hotel, &rolf, &ana] {
        for (operation, body) in
            [("grant", READ_TO_ANA), ("withdraw", READ_TO_ANA), ("appoint", appoint), ("dismiss", appoint)]
        {
            // An administrator takes away, and gives nothing.
            if who.account == admin.account && ["withdraw", "dismiss"].contains(&operation) {
                continue;
            }
            let reply = host.job(who, operation, "collection/wards", Some(body));
            denied(&reply, "No policy lets account");
            // One that is not there answers alike.
            let nothing = host.job(who, operation, "collection/nothing", Some(body));
            assert_eq!(reply.reason.replace("wards", "nothing"), nothing.reason);
        }
    }
    // Who may grant may not say who may grant, nor go to another collection.
    denied(&host.job(&rita, "appoint", "collection/wards", Some(appoint)), "No policy");
    denied(&host.job(&rita, "grant", "collection/beds", Some(READ_TO_ANA)), "No policy");
    denied(
        &host.job(&clinic, "appoint", "collection/wards", Some(br#"{"account":"ana"}"#)),
        "has not the role",
    );
    denied(
        &host.job(&clinic, "grant", "collection/wards", Some(br#"{"account":"nobody","access":["read"]}"#)),
        "no account",
    );

    // Without the role, or dismissed, it is over.
    let _: serde_json::Value =
        done(host.job(&admin, "update", "account/rita", Some(br#"{"roles":["user"]}"#)));
    denied(&host.job(&rita, "grant", "collection/wards", Some(READ_TO_ANA)), "No policy");
    let _: serde_json::Value =
        done(host.job(&admin, "update", "account/rita", Some(br#"{"roles":["resource-administrator"]}"#)));
    one(host.job(&rita, "grant", "collection/wards", Some(READ_TO_ANA)));
    one(host.job(&clinic, "dismiss", "collection/wards", Some(br#"{"account":"rita"}"#)));
    denied(&host.job(&rita, "grant", "collection/wards", Some(READ_TO_ANA)), "No policy");
    assert_eq!(server.newest(EntryKind::Job).decision, Outcome::Denied);
}

#[test]
fn a_collection_belongs_to_a_resource_account_and_is_none_of_the_servers_own() {
    let Scene { host, admin, clinic, ana, .. } = scene();
    denied(&host.job(&ana, "create", "collection/mine", Some(b"{}")), "No policy");
    // Administrators make them for those who may own some.
    denied(&host.job(&admin, "create", "collection/mine", Some(b"{}")), "role resource");
    denied(&host.job(&admin, "create", "collection/mine", Some(br#"{"owner":"ana"}"#)), "role resource");
    let made = one(host.job(&admin, "create", "collection/mine", Some(br#"{"owner":"clinic"}"#)));
    assert_eq!(made.owner, clinic.account);
    denied(
        &host.job(&clinic, "create", "collection/yours", Some(br#"{"owner":"hotel"}"#)),
        "made for oneself",
    );
    for reserved in ["account", "accounts", "policy", "ledger", "session", "collection", "recovery"] {
        denied(&host.job(&clinic, "create", &format!("collection/{reserved}"), Some(b"{}")), "server's own");
    }
    denied(&host.job(&clinic, "create", "collection/wards", Some(b"{}")), "already");
    denied(&host.job(&clinic, "create", "collection/bad", Some(br#"{"schema":"[]"}"#)), "JSON object");
    denied(&host.job(&clinic, "update", "collection/wards", Some(br#"{"schema":"{"}"#)), "not JSON");
    let changed = one(host.job(&clinic, "update", "collection/wards", Some(br#"{"schema":"{}"}"#)));
    assert_eq!(changed.schema.as_deref(), Some("{}"));
}

#[test]
fn a_collections_life_goes_one_way() {
    let Scene { host, clinic, hotel, .. } = scene();
    denied(&host.job(&hotel, "retire", "collection/wards", None), "No policy");
    for (operation, state) in
        [("suspend", Life::Suspended), ("resume", Life::Active), ("retire", Life::Retired)]
    {
        assert_eq!(one(host.job(&clinic, operation, "collection/wards", None)).state, state);
        let again: CollectionList = done(host.job(&clinic, operation, "collection/wards", None));
        assert!(again.unchanged, "{operation}");
    }
    for operation in ["suspend", "resume"] {
        denied(&host.job(&clinic, operation, "collection/wards", None), "is retired");
    }
    denied(&host.job(&clinic, "grant", "collection/wards", Some(READ_TO_ANA)), "retired for good");
    denied(&host.job(&clinic, "create", "collection/wards", Some(b"{}")), "already");
}

#[test]
fn names_are_in_the_order_of_their_bytes_for_everybody_who_compares_them() {
    let Scene { server, host, clinic, rita, .. } = scene();
    for name in ["hr_notes", "hr-files", "hr.b", "hrz"] {
        let schema = br#"{"schema":"{\"type\":\"object\"}"}"#;
        let _made = one(host.job(&clinic, "create", &format!("collection/{name}"), Some(schema)));
        let _granted = one(host.job(&clinic, "grant", &format!("collection/{name}"), Some(READ_TO_ANA)));
        let rita = format!(r#"{{"account":"{}"}}"#, rita.account);
        let _appointed =
            one(host.job(&clinic, "appoint", &format!("collection/{name}"), Some(rita.as_bytes())));
    }
    assert!(server.audit().findings.is_empty(), "{:#?}", server.audit().findings);
}

#[test]
fn no_text_is_compared_in_a_languages_order() {
    if !is_postgres() {
        return;
    }
    let server = Server::new();
    let ordered = "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                   JOIN pg_collation o ON o.oid = a.attcollation
                   WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
                     AND NOT a.attisdropped AND a.atttypid = 'text'::regtype AND o.collname";
    let intruder = server.intruder();
    assert!(intruder.number(&format!("{ordered} = 'C'")) > 50);
    assert_eq!(intruder.number(&format!("{ordered} <> 'C'")), 0, "a TEXT column lacks COLLATE \"C\"");
    // What a column without it would have here is another order: or no test would see what that does.
    assert_eq!(intruder.number("SELECT ('hr-files' < 'hr_notes')::int"), 0);
}

#[test]
fn an_administrator_ends_what_a_retired_owner_left_behind() {
    let Scene { host, admin, rita, server: _server, .. } = scene();
    one(host.job(&rita, "grant", "collection/wards", Some(READ_TO_ANA)));
    let _: AccountChanged = done(host.job(&admin, "retire", "account/clinic", None));
    let left = one(host.job(&admin, "dismiss", "collection/wards", Some(br#"{"account":"rita"}"#)));
    assert!(left.administrators.is_empty());
    let left =
        one(host.job(&admin, "withdraw", "collection/wards", Some(br#"{"account":"ana","access":[]}"#)));
    assert!(left.grants.is_empty());
    assert_eq!(one(host.job(&admin, "retire", "collection/wards", None)).state, Life::Retired);
    denied(&host.job(&admin, "grant", "collection/wards", Some(READ_TO_ANA)), "No policy");
}
