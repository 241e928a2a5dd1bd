//! What PostgreSQL lets each of the two users do, as it says itself.

use super::*;
use crate::program::fails;

/// "insufficient privilege".
const DENIED: &str = "42501";

/// What the API may read of, each with all that it is granted there.
const OF_API: [(&str, &str); 10] = [
    ("accounts", "name, state, certificate, signing_keys"),
    ("collections", "name, schema, state"),
    ("document_versions", "*"),
    ("documents", "*"),
    ("instances", "*"),
    ("jobs", "id, message, signature, receipt"),
    ("ledger_checkpoint", "*"),
    ("ledger_entries", "place"),
    ("refinery_schema_history", "*"),
    ("second_keys", "*"),
];

#[test]
fn w18_the_apis_user_reads_no_code_and_no_key_and_the_auth_servers_no_document() {
    let parts = Parts::make();
    // A file has no users.
    let Some(users) = &parts.users else { return };
    let [owner, auth, api] =
        [users.owner.clone(), users.address_of(&users.auth), users.address_of(&users.api)]
            .map(|address| Client::connect(&address));
    let tables =
        owner.texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename");
    assert!(tables.len() > 40, "{tables:?}");
    for table in &tables {
        let allowed = OF_API.iter().find(|(name, _)| name == table);
        let columns = allowed.map_or("*", |(_, columns)| columns);
        let said = api.refusal(&format!("SELECT {columns} FROM {table}"));
        assert_eq!(said.as_deref(), allowed.is_none().then_some(DENIED), "the API, {table}");

        let is_documents = table.starts_with("document");
        let said = auth.refusal(&format!("SELECT * FROM {table}"));
        assert_eq!(said.as_deref(), is_documents.then_some(DENIED), "the auth server, {table}");
    }
    for sql in [
        "SELECT digest FROM emergency_codes",
        "SELECT mac FROM codes",
        "SELECT mac FROM recovery_codes",
        "SELECT mac FROM tokens",
        "SELECT sealed FROM server_keys",
        "SELECT sealed FROM replies",
        "SELECT sealed FROM contacts",
        "SELECT entry FROM ledger_entries",
        "SELECT * FROM accounts",
        "SELECT roles FROM accounts",
        "SELECT result FROM jobs",
        "UPDATE jobs SET account = 'eve'",
        "UPDATE jobs SET is_recorded = 1",
        "INSERT INTO jobs SELECT * FROM jobs",
        "DELETE FROM jobs",
        "UPDATE accounts SET state = 'active'",
        "UPDATE instances SET state = 'active'",
        "UPDATE collections SET schema = NULL",
        "DELETE FROM documents",
        "UPDATE ledger_checkpoint SET size = 0",
        "DELETE FROM refinery_schema_history",
    ] {
        assert_eq!(api.refusal(sql).as_deref(), Some(DENIED), "the API: {sql}");
    }
    for sql in [
        "SELECT body FROM documents",
        "SELECT count(*) FROM document_versions",
        "DELETE FROM documents",
        "UPDATE documents SET body = NULL",
        "INSERT INTO documents VALUES ('a', 'b', 1, 'c', 1, 'd')",
        "TRUNCATE documents",
        "DELETE FROM refinery_schema_history",
        "GRANT SELECT ON documents TO PUBLIC",
        "ALTER TABLE documents ADD COLUMN x TEXT",
    ] {
        assert_eq!(auth.refusal(sql).as_deref(), Some(DENIED), "the auth server: {sql}");
    }
}

#[test]
fn users_who_could_see_everything_all_the_same_are_granted_nothing() {
    fails(&["grants", "--auth", "one", "--api", "one"], 1, &["one user", "createuser"]);
    fails(&["grants", "--auth", "one", "--api", ""], 2, &["--api"]);
    let parts = Parts::make();
    let Some(users) = &parts.users else { return };
    let owner = Client::connect(&users.owner);
    let name = owner.texts("SELECT current_user::text").remove(0);
    for (auth, api) in [(&name, &users.api), (&users.auth, &name)] {
        let sql = run(&["grants", "--auth", auth, "--api", api]).stdout;
        let said = owner.refusal(&String::from_utf8(sql).unwrap());
        assert_eq!(said.as_deref(), Some("P0001"), "the tables are the user's own");
        owner.run("ROLLBACK");
    }
    // As often as one likes.
    owner.run(&users.grants());
}

#[test]
fn tables_of_an_earlier_version_are_brought_up_by_their_owner() {
    let parts = Parts::make();
    let Some(users) = &parts.users else { return };
    let (auth, owner) = (parts.made.config.to_str().unwrap(), Client::connect(&users.owner));
    owner.run(
        "CREATE TABLE kept AS SELECT * FROM refinery_schema_history ORDER BY version DESC LIMIT 1;
         DELETE FROM refinery_schema_history WHERE version IN (SELECT version FROM kept)",
    );
    fails(
        &["serve", "--role", "auth", "--config", auth],
        4,
        &["migrate tables --postgres", "as their owner"],
    );
    owner.run("INSERT INTO refinery_schema_history SELECT * FROM kept; DROP TABLE kept");
    let output = run(&["migrate", "tables", "--postgres", &users.owner]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("countersign-server grants"));
}
