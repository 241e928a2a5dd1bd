//! Copies that prove themselves. They are of a file; PostgreSQL has its own.

use std::path::Path;
use std::sync::Arc;

use countersign_protocol::certificate;
use countersign_protocol::message::{CheckIn, Decision};
use countersign_protocol::random::SystemRandom;
use countersign_server::backup::{BackupError, Wishes, backup, restore};
use countersign_server::data::DataFolder;
use countersign_server::open::{self, Keys, open_with};
use countersign_server::own_keys::{self, Primary};
use countersign_server::store::{CrashPoint, Database};

use crate::database::{Intruder, is_postgres};
use crate::fixture::{Server, URL};
use crate::program::{fails, init, run};

fn keys(server: &Server) -> Keys {
    open::keys(&server.folder).unwrap()
}

const WISHES: Wishes = Wishes { with_findings: false, rotate_days: 7 };

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
    // What an older database left would be played over the restored one; what an earlier try left is in nobody's way.
    folder.prepare().unwrap();
    for left in ["countersign.db-wal", "countersign.db-shm", "countersign.db-journal"] {
        std::fs::write(folder.root().join(left), b"of another one").unwrap();
        let said = restore(&to, &folder, WISHES, server.clock_now()).err().unwrap().to_string();
        assert!(said.contains(&format!("{left} is there")), "{said}");
        assert!(!folder.ledger_key().exists() && !folder.database().exists());
        std::fs::remove_file(folder.root().join(left)).unwrap();
    }
    let waiting = folder.root().join("restoring");
    std::fs::create_dir(&waiting).unwrap();
    std::fs::write(waiting.join("countersign.db-wal"), b"of an earlier try").unwrap();
    std::fs::copy(to.join("server.key"), folder.server_key()).unwrap();
    let restored = restore(&to, &folder, WISHES, server.clock_now()).unwrap();
    assert_eq!((restored.proof.report.size, restored.proof.report.root), (label.entries, label.root));
    assert!(!waiting.exists());
    assert!(matches!(restore(&to, &folder, WISHES, server.clock_now()), Err(BackupError::Occupied(_))));

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
    assert!(matches!(restore(&to, &folder, WISHES, server.clock_now()), Err(BackupError::NoKeys(_))));
    for name in ["server.key", "ledger.key", "codes.key", "replies.key"] {
        std::fs::copy(server.folder.root().join(name), folder.root().join(name)).unwrap();
    }
    let _restored = restore(&to, &folder, WISHES, server.clock_now()).unwrap();
    // Of another server.
    let other = Server::new();
    let stranger = DataFolder::at(place.path().join("stranger"));
    stranger.prepare().unwrap();
    for name in ["server.key", "ledger.key", "codes.key", "replies.key"] {
        std::fs::copy(other.folder.root().join(name), stranger.root().join(name)).unwrap();
    }
    assert!(matches!(restore(&to, &stranger, WISHES, other.clock_now()), Err(BackupError::AnotherServer(_))));
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
        let said = restore(&to, &folder, WISHES, server.clock_now()).err().unwrap().to_string();
        assert!(said.contains(why), "{sql}: {said}");
        assert!(!folder.database().exists() && !folder.ledger_key().exists(), "{sql}");
        // Edited rows are taken by whoever says so; a ledger that does not hold by nobody.
        let with_findings = Wishes { with_findings: true, ..WISHES };
        let restored = restore(&to, &folder, with_findings, server.clock_now());
        assert_eq!(restored.is_ok(), why.contains("row") || why.contains("account"), "{sql}");
    }
}

#[test]
fn a_database_that_was_edited_is_backed_up_and_says_so() {
    let made = init();
    let place = tempfile::tempdir().unwrap();
    let (to, config) = (place.path().join("backup"), made.config.to_str().unwrap());
    let to = to.to_str().unwrap();
    Intruder::in_folder(&DataFolder::at(made.data.clone()))
        .run("UPDATE accounts SET roles = '[\"auditor\"]'");
    let mut restore = vec!["restore", "--config", config];
    // PostgreSQL's own programs bring it.
    if !is_postgres() {
        fails(
            &["backup", "--config", config, "--keys", to],
            6,
            &["ALARM", "account/admin", "--with-findings"],
        );
        for end in ["", "-wal", "-shm"] {
            let file = made.data.join(format!("countersign.db{end}"));
            let _moved = std::fs::rename(&file, place.path().join(format!("old{end}")));
        }
        restore.push(to);
    }
    fails(&restore, 4, &["account/admin", "--with-findings"]);
    restore.push("--with-findings");
    let output = run(&restore);
    let (told, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(told.contains("The server has new subkeys") && told.contains("can be used once more"), "{told}");
    assert!(said.contains("It is restored as it was") && said.contains("account/admin"), "{said}");
    fails(&["check", "--config", config], 6, &["account/admin"]);
}

#[test]
fn hosts_that_heard_of_subkeys_which_a_backup_does_not_hold_hear_of_newer_ones() {
    if is_postgres() {
        return;
    }
    let server = Server::new();
    let host = server.host();
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("backup");
    let _label = backup(&server.folder, &keys(&server), &to, true, server.clock_now()).unwrap();
    server.clock.turn(60);
    own_keys::renew(&keys(&server), &*server.store(), 7, false, server.clock_now(), &SystemRandom).unwrap();
    let told = certificate::parse(&server.openpgp_door().certificate()).unwrap();
    assert_ne!(certificate::to_bytes(&told).unwrap(), certificate::to_bytes(&host.server).unwrap());

    server.clock.turn(60);
    let folder = DataFolder::at(place.path().join("restored"));
    assert!(restore(&to, &folder, WISHES, server.clock_now()).unwrap().renewed);
    let (database, random) = (Database::Sqlite(folder.database()), Arc::new(SystemRandom));
    let (clock, crash) = (server.clock.clone(), CrashPoint::never());
    let core =
        Arc::new(open_with(&folder, &database, URL, server.charter.rules, crash, clock, random).unwrap());
    let mut host = host.through(core.clone());
    server.clock.turn(541);
    // What it heard of opens nothing any more; what it asks for then takes its place.
    host.server = told.clone();
    let check_in = CheckIn {
        server_certificate: None,
        counter: 1,
        ledger_size: 0,
        logins: Vec::new(),
        services: Vec::new(),
        version: None,
    };
    assert_eq!(host.send(&host.seal(&host.message(&check_in))).status, 400);
    let now = certificate::parse(core.identity().certificate_bytes()).unwrap();
    certificate::takes_place_of(&now, &told, server.clock_now()).unwrap();
    host.server = now;
    let _reply = host.check_in(1, 0, &[]);

    // Without the primary key it cannot be helped here.
    let primary = Primary::read(&DataFolder::at(to.clone())).unwrap();
    primary.forget(&DataFolder::at(to.clone())).unwrap();
    let without = DataFolder::at(place.path().join("without"));
    assert!(!restore(&to, &without, WISHES, server.clock_now()).unwrap().renewed);
}
