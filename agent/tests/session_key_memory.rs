//! Session keys in the memory of a program that made and used them. Needs root, and the example `session_keys`,
//! which `cargo test -p countersign-agent` builds.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use countersign_tests::memory::search;
use countersign_tests::target_bin;

/// Of each key, whether its secret half is found.
fn found(arguments: &[&str]) -> Vec<bool> {
    let mut child = Command::new(target_bin("examples/session_keys").unwrap())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let halves: Vec<Vec<u8>> = told
        .take_while(|line| line != "end")
        .map(|line| hex::decode(line).unwrap().iter().map(|byte| !byte).collect())
        .collect();
    let is_found = |half: &Vec<u8>| {
        // OpenPGP and OpenSSL do not write all of them in the same order.
        let reversed: Vec<u8> = half.iter().rev().copied().collect();
        [half, &reversed].into_iter().any(|half| !search(child.id(), half).unwrap().traces.is_empty())
    };
    let found = halves.iter().map(is_found).collect();
    drop(child.stdin.take());
    child.wait().unwrap();
    found
}

#[test]
fn session_keys_lie_in_no_memory_in_the_clear() {
    assert_eq!(found(&[]), [false; 2]);
    assert_eq!(found(&["leak"]), [true; 2], "this test finds what is there");
}
