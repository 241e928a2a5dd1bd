//! The ledger in a file: exported, verified, read, and taken apart for gpg.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::log::Log;
use crate::program::{countersign, countersign_at};
use crate::scripted_agent::{ScriptedAgent, hear, say_done};

/// A folder with `text` as its export.
fn with_export(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_good_export_holds_with_the_key_that_was_known_and_says_so_without() {
    let log = Log::of_ana();
    let (_folder, path) = with_export(&log.export());
    let known = countersign(&["ledger", "verify", text(&path), "--key", log.key.as_str()]);
    assert_eq!((known.code, known.err.as_str()), (Some(0), ""));
    assert!(known.out.contains("The ledger holds") && known.out.contains("entries     3"), "{}", known.out);
    assert!(!known.out.contains("Compare it"), "{}", known.out);
    let unknown = countersign(&["ledger", "verify", text(&path)]);
    assert!(unknown.code == Some(0) && unknown.out.contains("Compare it"), "{}", unknown.out);
}

#[test]
fn the_result_is_one_json_value_where_json_was_asked_for() {
    let (_folder, path) = with_export(&Log::of_ana().export());
    let ended = countersign(&["--json", "ledger", "verify", text(&path)]);
    let value: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(
        (&value["holds"], &value["entries"], &value["statements"]),
        (&true.into(), &3.into(), &2.into())
    );
}

#[test]
fn every_altered_export_ends_with_9_and_names_the_line() {
    let lines: Vec<String> = Log::of_ana().export().lines().map(str::to_owned).collect();
    let swapped = [&lines[..2], &[lines[3].clone(), lines[2].clone()], &lines[4..]].concat();
    for (broken, told) in [
        (lines[..4].join("\n"), "entries are missing"),
        (swapped.join("\n"), "line"),
        (lines.join("\n").replacen("\"entry\":\"ey", "\"entry\":\"fy", 1), "line 3"),
        (lines[1..].join("\n"), "header"),
        (String::new(), "empty"),
        ("PK\u{3}\u{4}".to_owned(), "header"),
    ] {
        let (_folder, path) = with_export(&broken);
        countersign(&["ledger", "verify", text(&path)]).refused(9, &[text(&path), told, "Keep this file"]);
        countersign(&["ledger", "show", text(&path)]).refused(9, &[told]);
    }
}

#[test]
fn the_ledger_of_another_server_is_told_from_ours() {
    let (_folder, path) = with_export(&Log::of_ana().export());
    let other = Log::of_ana();
    countersign(&["ledger", "verify", text(&path), "--key", other.key.as_str()])
        .refused(9, &["another server"]);
    countersign(&["ledger", "verify", text(&path), "--key", "countersign/x"])
        .refused(2, &["not a ledger key"]);
}

#[test]
fn a_later_export_must_continue_the_earlier_one() {
    let mut log = Log::of_ana();
    let (_earlier_folder, earlier) = with_export(&log.export());
    log.grow();
    let (_later_folder, later) = with_export(&log.export());
    let ended = countersign(&["ledger", "verify", text(&later), "--continues", text(&earlier)]);
    assert!(ended.code == Some(0) && ended.out.contains("the earlier export of 3 entries"), "{ended:?}");
    countersign(&["ledger", "verify", text(&earlier), "--continues", text(&later)]).refused(9, &["shrank"]);
}

#[test]
fn a_missing_export_is_a_missing_file_and_no_alarm() {
    countersign(&["ledger", "verify", "/nonexistent/l.jsonl"])
        .refused(1, &["/nonexistent/l.jsonl", "cannot be read"]);
}

#[test]
fn entries_are_listed_as_a_person_reads_them() {
    let (_folder, path) = with_export(&Log::of_ana().export());
    let ended = countersign(&["ledger", "show", text(&path)]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for words in [
        "    1  2023-11-14T22:13:20Z  noted    ana: wrong pin on 01234567",
        "The PIN was wrong; 2 tries are left. (7K3M-Q2ZD)",
        "    2  2023-11-14T22:13:20Z  allowed  ana: log in as ana through sudo on 01234567, signed",
        "       claimed by sudo: sudo printf \\u{1b}[2Jxxx",
        "3 of 3 entries",
    ] {
        assert!(ended.out.contains(words), "{words:?} is missing:\n{}", ended.out);
    }
    let claimed = ended.out.lines().find(|line| line.contains("claimed by")).unwrap();
    assert!(claimed.ends_with('…') && claimed.len() < 250, "{claimed}");
    let last = countersign(&["ledger", "show", text(&path), "--last", "1"]);
    assert!(last.out.contains("log in") && !last.out.contains("wrong pin"), "{}", last.out);
}

#[test]
fn gpg_accepts_the_evidence_and_refuses_it_altered() {
    let (folder, path) = with_export(&Log::of_ana().export());
    let out = folder.path().join("evidence");
    let ended = countersign(&["ledger", "evidence", text(&path), "--entry", "2", "--out", text(&out)]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let home = folder.path().join("gnupg");
    fs::create_dir(&home).unwrap();
    let gpg = |words: &[&str]| {
        Command::new("gpg")
            .arg("--homedir")
            .arg(&home)
            .args(["--batch", "--quiet"])
            .args(words)
            .output()
            .unwrap()
    };
    let (statement, signature) = (out.join("statement.json"), out.join("statement.json.sig"));
    let imported = gpg(&["--import", text(&out.join("certificate.asc"))]);
    assert!(imported.status.success(), "{imported:?}");
    let good = gpg(&["--verify", text(&signature), text(&statement)]);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    let said = fs::read_to_string(&statement).unwrap();
    assert!(said.contains("\"operation\": \"open-session\""), "{said}");
    fs::write(&statement, said.replace("sudo", "sshd")).unwrap();
    assert!(!gpg(&["--verify", text(&signature), text(&statement)]).status.success());
}

#[test]
fn entries_without_a_statement_say_so() {
    let (folder, path) = with_export(&Log::of_ana().export());
    let out = folder.path().join("evidence");
    let take =
        |entry| countersign(&["ledger", "evidence", text(&path), "--entry", entry, "--out", text(&out)]);
    take("1").refused(2, &["nobody signed for it"]);
    take("3").refused(2, &["no entry 3", "counted from 0"]);
    assert!(!out.exists());
}

#[test]
fn an_export_is_fetched_page_by_page_and_verified() {
    let log = Log::of_ana();
    let pages = [log.page(0, 2), log.page(2, 3)];
    let agent = ScriptedAgent::taking(2, move |call, stream| {
        let request = hear(stream).1;
        say_done(stream, &pages[call]);
        request
    });
    let path = agent.folder().join("ledger.jsonl");
    let ended = countersign_at(&agent.socket(), &["ledger", "export", text(&path)], "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.err.contains("2 of 3 entries are here") && ended.err.contains("PIN again"),
        "{}",
        ended.err
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), log.export());
    for request in agent.end() {
        let request: serde_json::Value = serde_json::from_str(&request).unwrap();
        assert_eq!((&request["operation"], &request["resource"]), (&"read".into(), &"ledger/entries".into()));
    }
}

#[test]
fn pages_that_do_not_fit_together_leave_no_export() {
    let log = Log::of_ana();
    let page = log.page(0, 2);
    let agent = ScriptedAgent::taking(2, move |_, stream| {
        hear(stream);
        say_done(stream, &page);
    });
    let path = agent.folder().join("ledger.jsonl");
    countersign_at(&agent.socket(), &["ledger", "export", text(&path)], "")
        .refused(9, &["do not fit together"]);
    assert!(!path.exists());
}
