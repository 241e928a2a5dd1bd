//! Whoever edits the database is found out (W23).

use std::time::Duration;

use countersign_protocol::binary::Binary;
use countersign_protocol::emergency::EmergencyCode;
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::EntryKind;
use countersign_protocol::message::result::{AccountCreated, TokenCreated};
use countersign_protocol::message::{
    Decision, EmergencyUse, JobReply, JobRequest, OfflineUseReply, OfflineVerdict,
};
use countersign_protocol::random::SystemRandom;
use countersign_server::open;
use countersign_server_core::audit::{Auditor, Report};
use countersign_server_core::roster::{OfflineRules, Rules};
use countersign_server_core::standing::Stated;
use countersign_server_core::store::Store;

use crate::client::person::Person;
use crate::client::{keys, refusal};
use crate::database::is_postgres;
use crate::fixture::{Server, denied, done};

/// As the server does while it runs, and `countersign-server check`.
fn audit(server: &Server) -> Report {
    let keys = open::keys(&server.folder).unwrap();
    let store = server.read_store();
    auditor(&*store, &keys).run(server.clock_now(), false).unwrap()
}

fn auditor<'a>(store: &'a dyn Store, keys: &'a open::Keys) -> Auditor<'a> {
    Auditor { store, pepper: &keys.pepper, ledger: &keys.ledger, random: &SystemRandom }
}

fn edit(server: &Server, sql: &str) {
    server.intruder().edit(sql);
}

/// Puts other bytes in the place of an entry's, and leaves the hashes: the bytes that were there.
pub(crate) fn edit_entry(server: &Server, place: usize, bytes: &[u8]) -> Vec<u8> {
    let was = server.read_store().view().unwrap().entries(place.try_into().unwrap(), 1).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    edit(server, &format!("UPDATE ledger_entries SET entry = x'{hex}' WHERE place = {place}"));
    was[0].entry.0.clone()
}

#[test]
fn an_edit_of_the_database_is_an_alarm_that_names_row_and_column() {
    let server = Server::new();
    let _hosts = server.with_ana();
    assert!(audit(&server).findings.is_empty());
    for (sql, row, what) in [
        ("UPDATE accounts SET roles = '[\"administrator\"]' WHERE name = 'ana'", "account/ana", "roles is"),
        ("INSERT INTO account_logins VALUES ('ana', 'root')", "account/ana", "logins is \"ana root\""),
        ("UPDATE accounts SET certificate = x'00' WHERE name = 'ana'", "account/ana", "certificate is"),
        (
            "UPDATE accounts SET signing_keys = '[\"0123456789ABCDEF0123456789ABCDEF01234567\"]' WHERE name = 'ana'",
            "account/ana",
            "signing-keys is",
        ),
        ("UPDATE emergency_codes SET digest = x'00' WHERE account = 'ana'", "account/ana", "emergency-digest is"),
        (
            "INSERT INTO second_keys SELECT 'ana', certificate, short_certificate, 'X', signing_keys, NULL, NULL, 0
             FROM accounts WHERE name = 'admin'",
            "account/ana",
            "second-certificate is",
        ),
        ("DELETE FROM known_keys WHERE owner = 'ana'", "account/ana", "known-keys is nothing"),
        ("INSERT INTO bars VALUES ('account', 'ana', 1, 2)", "account/ana", "bars is \"1:2\""),
        (
            "INSERT INTO accounts (name, state, roles, created_at) VALUES ('eve', 'invited', '[]', 0)",
            "account/eve",
            "no entry of the ledger speaks of it",
        ),
        ("DELETE FROM accounts WHERE name = 'ana'", "account/ana", "the row is gone"),
        ("UPDATE instances SET signing_key = 'X'", "instance/", "signing-key is \"X\""),
        ("UPDATE instances SET state = 'revoked'", "instance/", "state is \"revoked\""),
        (
            "UPDATE policy_changes SET text = text || 'permit (principal, action, resource);'",
            "policy/default",
            "changes is",
        ),
        ("UPDATE applications SET certificate = x'00'", "application/countersign", "certificate is"),
    ] {
        edit(&server, sql);
        let report = audit(&server);
        let found = report.findings.iter().find(|found| found.row.starts_with(row));
        assert!(found.is_some_and(|found| found.what.contains(what)), "{sql}: {:?}", report.findings);
        let [unheard] = report.unheard.as_slice() else { panic!("{sql}: {:?}", report.unheard) };
        let alarm = server.newest(EntryKind::Alarm);
        assert_eq!((&alarm.detail["event"], &alarm.detail["row"]), (&"database-edited".to_owned(), &unheard.row));
        assert!(unheard.what.starts_with(&alarm.detail["difference"]), "{:?}", alarm.detail);
        // It is found every time, and recorded once.
        let again = audit(&server);
        assert_eq!((&again.findings, again.unheard.len()), (&report.findings, 0), "{sql}");
    }
    // From the beginning on as well.
    assert_eq!(server.audit().findings, audit(&server).findings);
}

#[test]
fn nothing_goes_by_a_row_that_was_edited() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let rules = Rules { offline: OfflineRules::new(24, 20), emergency_codes: true };
    let code = host.job(&ana, "add-key", "account/ana", None);
    let code = done::<AccountCreated>(code).code;
    let spare = Person::new("ana", server.clock_now());
    let accepted = host.offer_code(&spare, &code).unwrap().unwrap();
    let roster = host.check_in_for(1, &["ana"], &["login"]);
    assert_eq!(host.roster(&roster).roster().entries[0].accounts.len(), 1);
    edit(&server, "UPDATE accounts SET roles = '[\"administrator\"]' WHERE name = 'ana'");
    let core = server.core_with(rules);
    assert_eq!(core.audit(None).unwrap().findings.len(), 1);
    let host = host.through(core.clone());
    let is_denied =
        || denied(&host.job(&ana, "create", "enrolment-token/x", None), "account/ana was changed");
    is_denied();
    let sealed = host.user_key(&spare, &accepted);
    refusal(&host.send(&sealed), &host.server, &sealed);
    assert!(server.newest(EntryKind::Alarm).reason.starts_with("account/ana was changed"));
    // Nobody else is held up.
    let token: TokenCreated = done(host.job(&admin, "create", "enrolment-token/x", None));

    // No host is told of it, and no host that knew it before is believed.
    let now = host.check_in_for(2, &["ana"], &["login"]);
    assert_eq!(host.roster(&now).roster().entries[0].accounts, []);
    let mut statement = host.session(&ana, "ana");
    statement.service = Some("login".parse().unwrap());
    let told: OfflineUseReply =
        host.ask(&host.offline_use(&ana, &statement, &roster.roster, 1)).body().unwrap();
    assert_eq!(told.verdict, OfflineVerdict::Disputed);
    assert!(told.reason.contains("account/ana was changed"), "{}", told.reason);
    let mut statement = host.session(&ana, "ana");
    statement.service = Some("login".parse().unwrap());
    let statement = Binary(statement.to_bytes().unwrap());
    let code = EmergencyCode::new(&SystemRandom).unwrap();
    let typed: JobReply = host.ask(&EmergencyUse { statement, code }).body().unwrap();
    denied(&typed, "account/ana was changed");

    // Where the ledger itself is damaged, nobody changes anything, or brings another key; who is there goes on.
    let second = Person::new("admin", server.clock_now());
    let code = host.job(&admin, "add-key", "account/admin", None);
    let code = done::<AccountCreated>(code).code;
    let accepted = host.offer_code(&second, &code).unwrap().unwrap();
    let brought = host.user_key(&second, &accepted);
    let third = edit_entry(&server, 3, b"{}");
    assert_eq!(core.audit(Some(Duration::ZERO)).unwrap().findings.len(), 2);
    assert_eq!(core.audit(None).unwrap().findings.len(), 2);
    is_denied();
    denied(&host.job(&admin, "create", "enrolment-token/y", None), "The server's ledger is damaged");
    let (other, _) = keys::newcomer(server.clock_now());
    let rotation = host.rotation_request(&other);
    let newcomer = server.newcomer();
    let hello = newcomer.hello();
    let greeted = newcomer.greeted(&hello, &host.send(&hello).body).unwrap();
    let enrolment = newcomer.instance_key(&greeted, Some(&token.token));
    for refused in [&brought, &rotation, &enrolment] {
        refusal(&host.send(refused), &host.server, refused);
    }
    assert_eq!(host.log_in(&admin, "root").decision, Decision::Allowed);
    let mut host = host;
    assert_eq!(host.key_update_counted(3, Some(3600)).status, 200);
    let _edited = edit_entry(&server, 3, &third);
    assert_eq!(core.audit(Some(Duration::ZERO)).unwrap().findings.len(), 1);
    // No code and no token was used up for nothing.
    let (brought, rotation) = (host.user_key(&second, &accepted), host.rotation_request(&other));
    for sealed in [brought, rotation, newcomer.instance_key(&greeted, Some(&token.token))] {
        assert_eq!(host.send(&sealed).status, 200);
    }

    // A host that was edited is told of nobody.
    edit(&server, "UPDATE instances SET key_words = 'x'");
    let _found = core.audit(None).unwrap();
    let now = host.check_in_for(4, &["ana", "root"], &["login"]);
    assert_eq!(host.roster(&now).roster().entries, []);
}

#[test]
fn an_edit_that_a_request_painted_over_is_found_all_the_same() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    assert!(audit(&server).findings.is_empty());
    edit(&server, "UPDATE accounts SET roles = '[\"administrator\"]' WHERE name = 'ana'");
    // The entry about this says how the row stands: edited.
    assert_eq!(host.job(&admin, "suspend", "account/ana", None).decision, Decision::Allowed);
    assert_eq!(host.job(&admin, "resume", "account/ana", None).decision, Decision::Allowed);
    for _ in 0..2 {
        let findings = audit(&server).findings;
        assert_eq!(findings.len(), 1);
        assert!(findings[0].what.contains("it had been edited before the change in entry"), "{findings:?}");
    }
    assert_eq!(server.audit().findings.len(), 1);
}

#[test]
fn what_was_kept_of_the_ledger_cannot_be_edited_either() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    assert!(audit(&server).findings.is_empty());
    edit(
        &server,
        "UPDATE accounts SET roles = '[\"administrator\"]' WHERE name = 'ana';
         UPDATE audit_said SET standing = 'x' WHERE row_name = 'account/ana'",
    );
    assert_eq!(audit(&server).findings.len(), 1);
    // An entry that was changed, with its hash or without.
    edit(&server, "UPDATE accounts SET roles = '[\"user\"]' WHERE name = 'ana'");
    assert!(audit(&server).findings.is_empty());
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    assert!(audit(&server).findings.is_empty());
    let third = edit_entry(&server, 3, b"{}");
    assert!(audit(&server).findings.is_empty(), "only who reads all of it sees that");
    let entries = || server.intruder().number("SELECT count(*) FROM ledger_entries");
    let before = entries();
    let whole = server.audit().findings;
    assert!(
        whole[0].row == "ledger" && whole[0].what.contains("entry 3 is not the one that was hashed"),
        "{whole:?}"
    );
    // It is recorded, once, and everybody hears of it until all was read again.
    for report in [audit(&server), server.audit(), audit(&server)] {
        assert_eq!((report.findings.as_slice(), report.unheard.len()), (whole.as_slice(), 0));
    }
    assert_eq!(entries(), before + 1);
    let _edited = edit_entry(&server, 3, &third);
    let alarm = server.newest(EntryKind::Alarm);
    assert_eq!((alarm.detail["row"].as_str(), &alarm.detail["difference"]), ("ledger", &whole[0].what));
    assert_eq!(audit(&server).findings, whole);
    assert!(server.audit().findings.is_empty());
    assert!(audit(&server).findings.is_empty());
    // Where what was kept was edited, too, nothing is known of any row. Nothing is accepted then.
    let third = edit_entry(&server, 3, b"{}");
    edit(&server, "UPDATE audit_said SET place = place + 1");
    let findings = audit(&server).findings;
    assert!(findings[0] == whole[0] && findings.iter().any(|one| one.row == "account/ana"), "{findings:?}");
    let keys = open::keys(&server.folder).unwrap();
    assert!(auditor(&*server.read_store(), &keys).accept(server.clock_now()).unwrap().is_empty());
    let _edited = edit_entry(&server, 3, &third);
    assert!(audit(&server).findings.is_empty());

    // An entry behind the last one, with the one hash that belongs to it.
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let rules = Rules { offline: OfflineRules::new(24, 20), emergency_codes: true };
    let core = server.core_with(rules);
    let host = host.through(core.clone());
    let size = || u64::try_from(server.entries().len()).unwrap();
    while size() % 2 == 1 {
        let _one_more = host.log_in(&ana, "ana");
    }
    assert_eq!(core.audit(None).unwrap().findings, []);
    let stands = Stated { was: None, now: None, accepted: true };
    let mut forged = server.newest(EntryKind::Job);
    stands.say(&"account/ana".parse().unwrap(), &mut forged).unwrap();
    let forged = forged.to_bytes().unwrap();
    let hash = Digest::of(&[b"\0".as_slice(), &forged].concat());
    let forged: String = forged.iter().map(|byte| format!("{byte:02x}")).collect();
    let behind = size();
    edit(
        &server,
        &format!(
            "INSERT INTO ledger_entries (place, entry) VALUES ({behind}, x'{forged}');
             INSERT INTO ledger_hashes (position, hash)
             SELECT max(position) + 1, x'{hash}' FROM ledger_hashes"
        ),
    );
    let statement = host.session(&ana, "ana");
    let signed = ana.sign(&statement);
    let login = host.seal(&host.message(&JobRequest { signed, body: None }));
    let answer = host.send(&login);
    assert_eq!((answer.status, size()), (503, behind + 1), "nothing is signed over it");
    assert!(core.readiness(false).unwrap_err().is_damage());
    let report = core.audit(None).unwrap();
    assert_eq!(report.findings.len(), 1, "nothing of it is believed");
    assert!(report.findings[0].row == "ledger" && report.unheard == report.findings, "{report:?}");
    edit(
        &server,
        &format!(
            "DELETE FROM ledger_entries WHERE place = {behind};
             DELETE FROM ledger_hashes WHERE position = (SELECT max(position) FROM ledger_hashes)"
        ),
    );
    assert_eq!(core.audit(None).unwrap().findings, []);
    assert_eq!(host.send(&login).status, 200);

    let server = Server::new();
    let _hosts = server.with_ana();
    assert!(audit(&server).findings.is_empty());
    let newest = "(SELECT max(position) FROM ledger_hashes)";
    edit(&server, &format!("UPDATE ledger_hashes SET hash = zeroblob(32) WHERE position = {newest}"));
    let findings = audit(&server).findings;
    assert!(findings.iter().any(|one| one.row == "ledger"), "{findings:?}");
}

#[test]
fn until_a_first_comparison_was_made_who_is_there_goes_on_and_nobody_changes_anything() {
    let server = Server::new();
    let (host, admin, _) = server.with_ana();
    let core = server.core_with(Rules { offline: OfflineRules::new(24, 20), emergency_codes: true });
    let host = host.through(core.clone());
    let (new, _) = keys::newcomer(server.clock_now());
    let rotation = host.rotation_request(&new);
    // What passes: something else has the table for itself.
    edit(&server, "ALTER TABLE audit_said RENAME TO busy");
    assert!(!core.audit(None).unwrap_err().is_damage());
    denied(&host.job(&admin, "create", "enrolment-token/x", None), "could not compare its database");
    assert_eq!(host.send(&rotation).status, 503);
    assert_eq!(host.log_in(&admin, "root").decision, Decision::Allowed);
    edit(&server, "ALTER TABLE busy RENAME TO audit_said");
    assert!(core.audit(None).unwrap().findings.is_empty());
    assert_eq!(host.send(&rotation).status, 200, "the same bytes");
    // Once one was made, the next may fail.
    edit(&server, "ALTER TABLE audit_said RENAME TO busy");
    assert!(core.audit(None).is_err());
    assert_eq!(host.job(&admin, "create", "enrolment-token/x", None).decision, Decision::Allowed);
}

#[test]
fn what_cannot_be_read_hides_nothing_else() {
    let server = Server::new();
    let _hosts = server.with_ana();
    assert!(audit(&server).findings.is_empty());
    edit(
        &server,
        "INSERT INTO application_versions VALUES ('countersign', '1', x'00', '', 0, NULL);
         INSERT INTO accounts (name, state, roles, created_at) VALUES ('eve', 'invited', '[]', 0);
         UPDATE accounts SET roles = '[\"administrator\"]' WHERE name = 'ana'",
    );
    let rows = |report: &Report| report.findings.iter().map(|one| one.row.clone()).collect::<Vec<_>>();
    let found = ["account/ana", "account/eve", "application/countersign"];
    assert_eq!(rows(&audit(&server)), found);
    // What was kept can be made again, and is.
    for sql in [
        "UPDATE audit_said SET place = -1 WHERE row_name = 'account/admin'",
        "UPDATE audit_state SET root = x'00'",
        "DELETE FROM audit_state",
    ] {
        edit(&server, sql);
        let report = audit(&server);
        assert_eq!(
            (rows(&report), report.unheard[0].row.as_str()),
            (found.map(String::from).to_vec(), "audit")
        );
        assert_eq!(server.newest(EntryKind::Alarm).detail["row"], found[2]);
        let again = audit(&server);
        assert_eq!((again.findings, again.unheard), (report.findings, Vec::new()), "{sql}");
    }
    // PostgreSQL takes no such name.
    if !is_postgres() {
        let hidden = "INSERT INTO accounts (name, state, roles, created_at)
                      VALUES (CAST(x'61ff' AS TEXT), 'invited', '[]', 0)";
        edit(&server, hidden);
        assert_eq!(rows(&audit(&server)), ["account/ana", "account/eve", "database", found[2]]);
        edit(&server, "DELETE FROM accounts WHERE name = CAST(x'61ff' AS TEXT)");
    }
    let keys = open::keys(&server.folder).unwrap();
    let store = server.read_store();
    assert_eq!(auditor(&*store, &keys).accept(server.clock_now()).unwrap(), found[..2]);
    assert_eq!(rows(&audit(&server)), found[2..]);
}

#[test]
fn who_looked_into_an_edit_accepts_it_and_the_ledger_says_so() {
    let server = Server::new();
    let _hosts = server.with_ana();
    edit(&server, "UPDATE accounts SET roles = '[\"auditor\"]' WHERE name = 'ana'");
    assert_eq!(audit(&server).findings.len(), 1);
    let keys = open::keys(&server.folder).unwrap();
    let store = server.read_store();
    assert_eq!(auditor(&*store, &keys).accept(server.clock_now()).unwrap(), ["account/ana"]);
    assert_eq!(server.newest(EntryKind::Alarm).detail["event"], "edit-accepted");
    assert!(audit(&server).findings.is_empty());
    assert!(server.audit().findings.is_empty());
}

#[test]
fn a_whole_audit_writes_what_is_new_alarms_once_and_is_made_by_one_of_all_servers() {
    const DAY: i64 = 86_400;
    let server = Server::new();
    let _hosts = server.with_ana();
    let (keys, store) = (open::keys(&server.folder).unwrap(), server.read_store());
    let auditor = auditor(&*store, &keys);
    assert!(auditor.whole_is_due(DAY, server.clock_now()).unwrap());
    let _first = audit(&server);
    assert!(!auditor.whole_is_due(DAY, server.clock_now()).unwrap(), "the first is of the whole ledger");
    let later = server.clock_now().plus(DAY);
    assert!(auditor.whole_is_due(DAY, later).unwrap());
    // Whoever writes a row that is there already fails.
    server.intruder().either(
        "CREATE TRIGGER once BEFORE INSERT ON audit_said BEGIN SELECT RAISE(ABORT, 'written again'); END",
        "CREATE FUNCTION once() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN RAISE EXCEPTION ''written again''; END';
         CREATE TRIGGER once BEFORE INSERT ON audit_said FOR EACH ROW EXECUTE FUNCTION once()",
    );
    assert!(auditor.run(later, true).unwrap().findings.is_empty());
    assert!(!auditor.whole_is_due(DAY, later).unwrap());
    edit(&server, "UPDATE accounts SET roles = '[\"auditor\"]' WHERE name = 'ana'");
    for unheard in [1, 0] {
        let report = auditor.run(later, true).unwrap();
        assert_eq!((report.findings.len(), report.unheard.len()), (1, unheard));
        server.intruder().either("DROP TRIGGER IF EXISTS once", "DROP TRIGGER IF EXISTS once ON audit_said");
    }
    // What is kept is not believed without its MAC, and is put right.
    edit(
        &server,
        "UPDATE audit_said SET place = place + 1; INSERT INTO audit_said VALUES ('account/eve', 'x', 0)",
    );
    assert!(auditor.whole_is_due(DAY, later).unwrap());
    assert_eq!(audit(&server).findings.len(), 1);
    assert_eq!(server.intruder().number("SELECT count(*) FROM audit_said WHERE row_name = 'account/eve'"), 0);
    assert!(!auditor.whole_is_due(DAY, server.clock_now()).unwrap());
}
