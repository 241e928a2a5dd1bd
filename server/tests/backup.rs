//! Copies that prove themselves. They are of a file; PostgreSQL has its own.

use std::path::Path;

use countersign_protocol::message::Decision;
use countersign_server::backup::{BackupError, backup, restore};
use countersign_server::data::DataFolder;
use countersign_server::open::{self, Keys};

use crate::database::is_postgres;
use crate::fixture::Server;

fn keys(server: &Server) -> Keys {
    open::keys(&server.folder).unwrap()
}

fn edit(database: &Path, sql: &str) {
    rusqlite::Connection::open(database).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_backup_made_while_the_server_serves_is_whole_and_restores_to_what_it_was() {
    use std::os::unix::fs::PermissionsExt as _;
    if is_postgres() {
        return;
    }
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("backup");
    let label = std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            for _ in 0..20 {
                assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
            }
        });
        let label = backup(&server.folder, &keys(&server), &to, true, server.clock_now()).unwrap();
        busy.join().unwrap();
        label
    });
    for file in std::fs::read_dir(&to).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
    }
    let folder = DataFolder::at(place.path().join("restored"));
    let restored = restore(&to, &folder, server.clock_now()).unwrap();
    assert_eq!((restored.report.size, restored.report.root), (label.entries, label.root));
    assert!(matches!(restore(&to, &folder, server.clock_now()), Err(BackupError::Occupied(_))));

    // It serves, once nothing that was answered after the backup can come again.
    let host = server.at(&folder, host);
    let late = host.seal(&host.message(&countersign_protocol::message::JobRequest {
        signed: ana.sign(&host.session(&ana, "ana")),
        body: None,
    }));
    assert_eq!(host.send(&late).status, 503);
    server.clock.turn(541);
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    assert_eq!(host.job(&admin, "create", "enrolment-token/x", None).decision, Decision::Allowed);
}

#[test]
fn a_backup_without_keys_is_restored_beside_those_that_were_kept_elsewhere() {
    if is_postgres() {
        return;
    }
    let server = Server::new();
    let _hosts = server.with_ana();
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("backup");
    let _label = backup(&server.folder, &keys(&server), &to, false, server.clock_now()).unwrap();
    assert!(!to.join("server.key").exists());
    let folder = DataFolder::at(place.path().join("restored"));
    assert!(matches!(restore(&to, &folder, server.clock_now()), Err(BackupError::NoKeys(_))));
    for name in ["server.key", "ledger.key", "codes.key", "replies.key"] {
        std::fs::copy(server.folder.root().join(name), folder.root().join(name)).unwrap();
    }
    let _restored = restore(&to, &folder, server.clock_now()).unwrap();
    // Of another server.
    let other = Server::new();
    let stranger = DataFolder::at(place.path().join("stranger"));
    stranger.prepare().unwrap();
    for name in ["server.key", "ledger.key", "codes.key", "replies.key"] {
        std::fs::copy(other.folder.root().join(name), stranger.root().join(name)).unwrap();
    }
    assert!(matches!(restore(&to, &stranger, other.clock_now()), Err(BackupError::AnotherServer(_))));
}

#[test]
fn a_backup_that_was_altered_is_not_restored() {
    if is_postgres() {
        return;
    }
    for (sql, why) in [
        ("UPDATE ledger_entries SET entry = x'7b7d' WHERE place = 4", "does not hold"),
        ("DELETE FROM ledger_entries WHERE place = (SELECT max(place) FROM ledger_entries)", "ledger"),
        ("UPDATE ledger_evidence SET signature = x'00'", "does not hold"),
        ("UPDATE accounts SET roles = '[\"administrator\"]' WHERE name = 'ana'", "account/ana: roles is"),
        ("DELETE FROM instances", "the row is gone"),
    ] {
        let server = Server::new();
        let _hosts = server.with_ana();
        let place = tempfile::tempdir().unwrap();
        let to = place.path().join("backup");
        let _label = backup(&server.folder, &keys(&server), &to, true, server.clock_now()).unwrap();
        edit(&to.join("countersign.db"), &format!("PRAGMA foreign_keys = OFF; {sql}"));
        let folder = DataFolder::at(place.path().join("restored"));
        let said = restore(&to, &folder, server.clock_now()).err().unwrap().to_string();
        assert!(said.contains(why), "{sql}: {said}");
        assert!(!folder.database().exists(), "{sql}");
    }
}
