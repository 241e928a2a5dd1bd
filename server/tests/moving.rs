//! From a file to PostgreSQL: all of it or nothing.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use countersign_protocol::clock::SystemClock;
use countersign_protocol::random::SystemRandom;
use countersign_server::config::Store as StoreConfig;
use countersign_server::data::DataFolder;
use countersign_server::init::{Wishes, init};
use countersign_server::open;
use countersign_server::proof;
use countersign_server::store::moving::{Moved, to_postgres};
use countersign_server::store::{CrashPoint, Database};
use countersign_server_core::store::Store;

use crate::database::{Fresh, is_postgres};
use crate::fixture::URL;

/// A server with its database in a file, whichever pass this is.
fn with_a_file() -> (tempfile::TempDir, DataFolder) {
    let root = tempfile::tempdir().unwrap();
    let folder = DataFolder::at(root.path().join("data"));
    let wishes = Wishes {
        url: URL.parse().unwrap(),
        listen: None,
        application: "countersign".parse().unwrap(),
        administrator: "admin".parse().unwrap(),
        logins: vec!["root".parse().unwrap()],
        store: StoreConfig::default(),
    };
    let _made = init(&folder, &wishes, &SystemClock, &SystemRandom).unwrap();
    let (store, keys) = (file(&folder).unwrap(), open::keys(&folder).unwrap());
    for n in 0..30 {
        let token =
            countersign_server::token::token(&*store, &keys, &format!("t{n}"), &SystemClock, &SystemRandom);
        drop(token.unwrap());
    }
    (root, folder)
}

fn file(folder: &DataFolder) -> Result<Arc<dyn Store>, countersign_server_core::store::StoreError> {
    Database::Sqlite(folder.database()).open(CrashPoint::never())
}

fn moved(folder: &DataFolder, to: &Fresh) -> Result<Moved, countersign_server_core::store::StoreError> {
    let keys = open::keys(folder).unwrap();
    to_postgres(&folder.database(), to.store.postgres.as_ref().unwrap(), &keys.ledger, &CrashPoint::never())
}

/// All of it is there, it holds, and can be written.
fn serves(folder: &DataFolder, to: &Fresh, entries: u64) {
    let keys = open::keys(folder).unwrap();
    let store = Database::Postgres(to.store.postgres.clone().unwrap()).open(CrashPoint::never()).unwrap();
    assert_eq!(proof::whole(&*store, &keys).unwrap().of_all().unwrap().size, entries);
    let token = countersign_server::token::token(&*store, &keys, "after", &SystemClock, &SystemRandom);
    drop(token.unwrap());
    assert_eq!(proof::whole(&*store, &keys).unwrap().of_all().unwrap().size, entries + 1);
}

#[test]
fn a_database_moves_to_postgres_with_its_ledger_and_the_file_takes_nothing_any_more() {
    if !is_postgres() {
        return;
    }
    let ((_root, folder), to) = (with_a_file(), Fresh::make());
    // Somebody has it open, as a server that runs has.
    let open_still = file(&folder).unwrap();
    let size = open_still.view().unwrap().size().unwrap();
    let done = moved(&folder, &to).unwrap();
    assert_eq!((done.entries, done.before), (size, false));
    assert!(done.rows["ledger_entries"] == size && done.rows["accounts"] == 1, "{:?}", done.rows);
    serves(&folder, &to, size);

    let keys = open::keys(&folder).unwrap();
    let token = countersign_server::token::token(&*open_still, &keys, "late", &SystemClock, &SystemRandom);
    assert!(token.err().unwrap().to_string().contains("moved to PostgreSQL"));
    assert!(file(&folder).err().unwrap().to_string().contains("moved to PostgreSQL"));
    assert!(moved(&folder, &to).unwrap_err().to_string().contains("was moved to PostgreSQL before"));
}

#[test]
fn a_database_moves_into_no_other_servers_database() {
    if !is_postgres() {
        return;
    }
    let ((_root, folder), (_other_root, other), to) = (with_a_file(), with_a_file(), Fresh::make());
    let _done = moved(&other, &to).unwrap();
    let said = moved(&folder, &to).unwrap_err().to_string();
    assert!(said.contains("ame an empty database"), "{said}");
    // The file is what it was.
    let store = file(&folder).unwrap();
    let tx = store.begin().unwrap();
    drop(tx);
}

#[test]
fn a_move_that_dies_at_either_commit_is_begun_again_or_found_done() {
    if !is_postgres() {
        return;
    }
    for (nth, done) in [(1, false), (2, true)] {
        let ((root, folder), to) = (with_a_file(), Fresh::make());
        let size = file(&folder).unwrap().view().unwrap().size().unwrap();
        let address = String::from(to.store.postgres.clone().unwrap());
        // Nobody here is asked for it; that it is read and shown as the place of it is what can be seen.
        let password = root.path().join("password");
        countersign_server::data::write_private(&password, b"of no use\n").unwrap();
        let program = |more: &[&str]| {
            let mut program = Command::new(env!("CARGO_BIN_EXE_countersign-server"));
            program.args(["migrate", "sqlite-to-postgres", "--config"]).arg(folder.config());
            program.args(["--to", &address, "--password-file"]).arg(&password).args(more).output().unwrap()
        };
        let died = program(&["--crash-after-write", &nth.to_string()]);
        assert_eq!(died.status.signal(), Some(9), "{died:?}");
        // The file takes everything still; whoever writes into it now must not find half of a server there.
        assert_eq!(file(&folder).unwrap().view().unwrap().size().unwrap(), size);
        let there = Database::Postgres(to.store.postgres.clone().unwrap()).open(CrashPoint::never());
        assert_eq!(there.is_ok(), done, "commit {nth}");
        drop(there);
        let again = program(&[]);
        let said = String::from_utf8_lossy(&again.stdout).into_owned();
        assert!(again.status.success(), "{again:?}");
        assert_eq!(said.contains("It had been moved before"), done, "{said}");
        assert!(said.contains(password.to_str().unwrap()), "{said}");
        assert!(file(&folder).is_err());
        serves(&folder, &to, size);
    }
}

#[test]
fn a_move_that_is_killed_at_any_moment_is_done_or_can_be_begun_again() {
    if !is_postgres() {
        return;
    }
    for after in [0, 80, 200].map(Duration::from_millis) {
        let ((_root, folder), to) = (with_a_file(), Fresh::make());
        let size = file(&folder).unwrap().view().unwrap().size().unwrap();
        let address = String::from(to.store.postgres.clone().unwrap());
        let program = || {
            let mut program = Command::new(env!("CARGO_BIN_EXE_countersign-server"));
            program.args(["migrate", "sqlite-to-postgres", "--config"]).arg(folder.config());
            program.args(["--to", &address]).stdout(Stdio::piped()).stderr(Stdio::piped());
            program
        };
        let mut first = program().spawn().unwrap();
        std::thread::sleep(after);
        first.kill().unwrap();
        let first = first.wait_with_output().unwrap();
        // Until it is marked, nothing is lost that is recorded in the file.
        match file(&folder) {
            Ok(store) => {
                assert_eq!(store.view().unwrap().size().unwrap(), size);
                drop(store);
                let again = program().output().unwrap();
                assert!(again.status.success(), "{after:?}: {}", String::from_utf8_lossy(&again.stderr));
            }
            Err(error) => {
                assert!(error.to_string().contains("moved to PostgreSQL"), "{after:?}: {error}: {first:?}");
            }
        }
        assert!(file(&folder).is_err(), "{after:?}");
        serves(&folder, &to, size);
    }
}
