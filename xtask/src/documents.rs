//! The documents at the root name files; those files exist.

use crate::workspace::root;

const DOCUMENTS: [&str; 5] =
    ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "docs/exit-codes.md"];

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
