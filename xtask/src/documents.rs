//! The documents name files and tests; those files and tests exist.

use std::path::Path;

use crate::workspace::root;

const DOCUMENTS: [&str; 10] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/exit-codes.md",
    "docs/past-cves.md",
    "docs/protocol-envelope.md",
    "docs/protocol-ipc.md",
    "docs/threats.md",
    "CHANGELOG.md",
];

/// `path/to/file.ext` between backticks, and the targets of links.
fn paths_in(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let linked = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let is_path = |word: &&str| {
        let known = [".rs", ".md", ".cedar", ".toml"].iter().any(|end| word.ends_with(end));
        let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
        known && plain && word.contains('/') && !word.starts_with('/')
    };
    quoted.chain(linked).filter(is_path).collect()
}

#[test]
fn every_file_that_a_document_names_exists() {
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        for path in paths_in(&text) {
            assert!(root().join(path).is_file(), "{document} names {path}, which does not exist");
        }
    }
}

#[test]
fn the_architecture_names_files_at_all() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(paths_in(&text).len() > 20);
}

/// Names of tests in the last column of the tables: long words with underscores, between backticks.
fn tests_in(text: &str) -> impl Iterator<Item = &str> {
    let is_test = |word: &&str| {
        word.matches('_').count() >= 3
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    text.split('`').skip(1).step_by(2).filter(is_test)
}

/// All Rust source of the workspace in one string.
fn sources(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, into);
        } else if name.ends_with(".rs") {
            into.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_threats_and_past_cves_name_exists() {
    let mut all = String::new();
    sources(&root(), &mut all);
    for document in ["docs/threats.md", "docs/past-cves.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        assert!(tests_in(&text).count() > 30);
        for test in tests_in(&text) {
            assert!(all.contains(&format!("fn {test}()")), "{document} names {test}, which does not exist");
        }
    }
}

/// Each rule has its row, and each row a test.
#[test]
fn every_rule_that_past_cves_taught_has_a_test() {
    let text = std::fs::read_to_string(root().join("docs/past-cves.md")).unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| R")).collect();
    for number in 1..=26 {
        let begins = format!("| R{number} |");
        let [row] = rows.iter().filter(|row| row.starts_with(&begins)).collect::<Vec<_>>()[..] else {
            panic!("R{number} has no row, or two")
        };
        assert!(tests_in(row).next().is_some(), "R{number} names no test");
    }
    assert_eq!(rows.len(), 26);
}

/// Each weakness of the design that is the server's has its row, or several, and each row a test of the server, which runs
/// on both databases. W17 is of results, whose row is not there yet.
#[test]
fn every_weakness_of_the_design_has_a_test_of_the_server() {
    let text = std::fs::read_to_string(root().join("docs/threats.md")).unwrap();
    let mut tests = String::new();
    sources(&root().join("server/tests"), &mut tests);
    for number in (1..=27).filter(|number| *number != 17) {
        let begins = format!("| W{number} |");
        let rows: Vec<&str> = text.lines().filter(|row| row.starts_with(&begins)).collect();
        assert!(!rows.is_empty(), "W{number} has no row");
        for row in rows {
            let shown = tests_in(row).any(|test| tests.contains(&format!("fn {test}()")));
            assert!(shown, "no test of the server shows: {row}");
        }
    }
}
