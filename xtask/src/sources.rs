//! What no source of a program that is installed does, whoever wrote it: rules of `docs/past-cves.md` that a look at the
//! text can hold.

use std::path::{Path, PathBuf};

use crate::workspace::root;

/// The Rust files below a folder.
fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push(path);
        }
    }
}

/// Each file of these folders without its tests: where it lies, and its lines.
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in folders {
        files(&root().join(folder), &mut found);
    }
    let is_test = |path: &PathBuf| path.to_string_lossy().ends_with("tests.rs");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
        (path.strip_prefix(root()).unwrap().display().to_string(), shipped)
    };
    found.into_iter().filter(|path| !is_test(path)).map(read).collect()
}

const INSTALLED: [&str; 6] =
    ["agent/src", "cli/src", "pam-module/src", "protocol/src", "server/src", "server/core/src"];

/// R19.
#[test]
fn nothing_that_is_installed_starts_a_shell() {
    let sources = sources(&INSTALLED);
    assert!(sources.len() > 300, "{} files", sources.len());
    let started: Vec<&str> = sources
        .iter()
        .flat_map(|(_, text)| {
            text.match_indices("Command::new(").map(|(at, found)| &text[at + found.len()..])
        })
        .map(|rest| rest.split(')').next().unwrap_or_default())
        .collect();
    assert!(started.len() >= 3, "the ways in which programs are started have changed: {started:?}");
    for (path, text) in &sources {
        for shell in ["\"sh\"", "\"bash\"", "/bin/sh", "/bin/bash", "libc::system(", "popen("] {
            assert!(!text.contains(shell), "{path} names {shell}");
        }
    }
}

/// R6 and R7: programs that call PAM run as root with the environment, and in the folder, of whoever started them.
#[test]
fn the_module_opens_what_it_names_itself_and_reads_no_environment() {
    let sources = sources(&["pam-module/src"]);
    assert!(sources.len() > 10);
    for (path, text) in &sources {
        for word in
            ["std::env", "env::var", "getenv", "current_dir", "File::create", "fs::write", "create(true)"]
        {
            assert!(!text.contains(word), "{path} has {word}");
        }
        // Two files, both root's, whose descriptors are checked; see the tests of either.
        let opens =
            ["OpenOptions", "File::open", "fs::read", "fs::File"].iter().any(|way| text.contains(way));
        let may = ["managed_file.rs", "rescue_file.rs"].iter().any(|name| path.ends_with(name));
        assert!(may || !opens, "{path} opens a file");
        if opens {
            assert!(text.contains("O_NOFOLLOW") && text.contains("O_CLOEXEC"), "{path}");
        }
    }
}
