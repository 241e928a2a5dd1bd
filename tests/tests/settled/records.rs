//! What status, journal and ledger say.

use std::process::{Output, Stdio};

use countersign_tests::site::{SOON, Scene};
use countersign_tests::{target_bin, wait_until};
use serde_json::Value;

/// `countersign status --json`, as root.
pub(crate) fn status(scene: &Scene<'_>) -> Value {
    json(scene, &["status", "--json"])
}

/// The same of an agent that may be dead.
pub(crate) fn status_if_it_lives(scene: &Scene<'_>) -> Option<Value> {
    serde_json::from_slice(&output(scene, &["status", "--json"]).stdout).ok()
}

/// The journal's entries, as root.
pub(crate) fn journal(scene: &Scene<'_>, arguments: &[&str]) -> Vec<Value> {
    let mut value = json(scene, &[&["journal", "--json"], arguments].concat());
    serde_json::from_value(value["entries"].take()).unwrap()
}

/// The whole ledger, exported with Olga's card.
pub(crate) fn ledger(scene: &Scene<'_>) -> Vec<Value> {
    let export = scene.export("now").unwrap();
    std::fs::metadata(&export).unwrap();
    let mut value = json(scene, &["ledger", "show", "--json", &export]);
    std::fs::remove_file(&export).unwrap();
    serde_json::from_value(value["entries"].take()).unwrap()
}

/// Waits until nothing is open and every event is in the ledger. Rows first: an event that is still to be reported takes
/// the place of its row.
pub(crate) fn all_is_settled(scene: &Scene<'_>) {
    wait_until("everything to be settled", 3 * SOON, || {
        if open_rows(scene) != Some(0) {
            return Ok(None);
        }
        let told = status(scene);
        let open = told["unsettled"].as_array().map(Vec::len);
        let unsent = told["reports"]["unsent"].as_u64();
        Ok(((open, unsent) == (Some(0), Some(0))).then_some(()))
    })
    .unwrap();
}

/// Rows of the table of requests that are not settled, those under way included. Read from a copy: SQLite follows the
/// link that leads into the machine. `None` for a copy that was torn.
pub(crate) fn open_rows(scene: &Scene<'_>) -> Option<i64> {
    let copy = tempfile::tempdir().unwrap();
    for name in ["journal.sqlite", "journal.sqlite-wal"] {
        let from = scene.site.machine.path("/var/lib/countersign").join(name);
        let _ = std::fs::copy(from, copy.path().join(name));
    }
    let database = rusqlite::Connection::open(copy.path().join("journal.sqlite")).ok()?;
    database.query_row("SELECT count(*) FROM unsettled", [], |row| row.get(0)).ok()
}

/// The id that a failed command says to quote.
pub(crate) fn quoted(shown: &str) -> String {
    let (_, after) = shown.split_once("quote ").unwrap();
    after.chars().take(9).collect()
}

fn json(scene: &Scene<'_>, arguments: &[&str]) -> Value {
    let done = output(scene, arguments);
    serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&done.stderr)))
}

/// Straight, not by a terminal: what is long is cut off on one that nobody reads.
fn output(scene: &Scene<'_>, arguments: &[&str]) -> Output {
    let mut command = scene.site.machine.command(target_bin("countersign").unwrap());
    command.args(arguments).stdin(Stdio::null()).output().unwrap()
}
