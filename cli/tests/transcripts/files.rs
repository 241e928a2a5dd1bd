//! Files that are missing, forbidden, or something else.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::message::result::ApplicationBundle;
use sequoia_openpgp::serialize::SerializeInto as _;

use crate::program::{Ended, countersign, countersign_at};
use crate::scripted_agent::ScriptedAgent;

const FINGERPRINT: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

fn enroll(bundle: &str) -> Ended {
    countersign(&["enroll", "--bundle", bundle, "--server-fingerprint", FINGERPRINT, "--sealed"])
}

#[test]
fn a_missing_file_is_named_before_anything_else_happens() {
    enroll("/nonexistent/b.json").refused(1, &["/nonexistent/b.json", "No such file", "Check the path"]);
    countersign(&["register", "ana", "--adopt", "/nonexistent/ana.asc"])
        .refused(1, &["/nonexistent/ana.asc"]);
}

#[test]
fn something_else_than_a_bundle_is_told_from_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.json");
    for text in [
        "",
        "{}",
        "not json",
        r#"{"application":"a","secret_key":"","server_certificate":"","server_url":"x","more":1}"#,
    ] {
        fs::write(&path, text).unwrap();
        enroll(path.to_str().unwrap())
            .refused(1, &["is not an application bundle", "countersign-server init"]);
    }
    fs::write(&path, vec![b' '; 70_000]).unwrap();
    enroll(path.to_str().unwrap()).refused(1, &["over 65536 bytes"]);
    enroll(folder.path().to_str().unwrap()).refused(1, &["cannot be read"]);
}

#[test]
fn a_bundle_of_another_server_is_never_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.json");
    let now = Timestamp::from_seconds(1_750_000_000);
    let server = certificate::generate_software("server", now, None).unwrap().strip_secret_key_material();
    let bundle = ApplicationBundle {
        application: "hosts".parse().unwrap(),
        secret_key: Binary(Vec::new()),
        server_certificate: Binary(certificate::to_bytes(&server).unwrap()),
        server_url: "http://127.0.0.1:1".to_owned(),
    };
    fs::write(&path, serde_json::to_vec(&bundle).unwrap()).unwrap();
    let found = certificate::fingerprint(&server).unwrap();
    enroll(path.to_str().unwrap())
        .refused(9, &["another server", &found.spaced(), "countersign-server init"]);
}

#[test]
fn a_secret_key_is_not_adopted_as_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ana.pgp");
    let now = Timestamp::from_seconds(1_750_000_000);
    let secret = certificate::generate_software("ana", now, None).unwrap();
    fs::write(&path, secret.as_tsk().to_vec().unwrap()).unwrap();
    countersign(&["register", "ana", "--adopt", path.to_str().unwrap()])
        .refused(1, &["can be adopted", "secret key", "gpg --export"]);
}

#[test]
fn a_file_that_is_there_is_never_overwritten_and_no_pin_is_asked_for_it() {
    let agent = ScriptedAgent::new(|_stream| ());
    let path = agent.folder().join("bundle.json");
    fs::write(&path, "precious").unwrap();
    let words = ["admin", "application", "add", "hosts", "--out", path.to_str().unwrap()];
    countersign_at(&agent.socket(), &words, "").refused(1, &["bundle.json", "never replaced"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_failed_request_leaves_no_empty_file_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.json");
    let words = ["admin", "application", "add", "hosts", "--out", path.to_str().unwrap()];
    countersign_at(&folder.path().join("nobody.sock"), &words, "").refused(6, &["not running"]);
    assert!(!path.exists());
}

#[test]
fn a_folder_that_may_not_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    let path = folder.path().join("none/bundle.json");
    let words = ["admin", "application", "add", "hosts", "--out", path.to_str().unwrap()];
    countersign_at(&folder.path().join("nobody.sock"), &words, "")
        .refused(1, &["cannot be written", "Check the path"]);
}
