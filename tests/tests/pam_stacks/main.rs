//! The PAM stacks that ship, with every answer of our module and of everybody else's, through a model of libpam;
//! and the model through libpam itself.
//!
//! What must hold: nobody is let in against our word, or without anybody's; whoever needs no card notices nothing;
//! honest people get in. `cargo test --test pam_stacks -- --nocapture` prints how much was tried.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says where"
)]

mod bad;
mod configurations;
mod honest;
mod modules;
mod outcomes;
mod password;
mod programs;
mod real;
mod sweep;

use configurations::Configuration;
use sweep::Swept;

#[test]
fn no_shipped_stack_lets_anybody_in_against_our_word_or_without_anybodys() {
    let rows = outcomes::table();
    let configurations = configurations::all();
    let mut all = Swept::default();
    let mut table = format!("{:46} {:>10} {:>22} {:>20}\n", "stacks", "cells", "whole logins", "let in");
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            configurations.iter().map(|configuration| scope.spawn(|| swept(configuration, &rows))).collect();
        for (configuration, thread) in configurations.iter().zip(threads) {
            let swept = thread.join().unwrap();
            let Swept { cells, logins, granted, .. } = swept;
            table += &format!("{:46} {cells:>10} {logins:>22} {granted:>20}\n", configuration.short_name());
            all.cells += cells;
            all.logins += logins;
            all.granted += granted;
            all.holes.extend(swept.holes.into_iter().map(|hole| format!("{}: {hole}", configuration.name)));
        }
    });
    let Swept { cells, logins, granted, holes } = all;
    println!("{table}{:46} {cells:>10} {logins:>22} {granted:>20}\nopen: {}", "all", holes.len());
    assert!(holes.is_empty(), "{} holes, such as\n{}", holes.len(), first(&holes));
    assert!(cells > 1_000_000 && granted > 0, "{cells} {granted}");
}

fn swept(configuration: &Configuration, rows: &[outcomes::Row]) -> Swept {
    let mut all = Swept::default();
    for program in configuration.programs() {
        let swept = sweep::sweep(&configuration.with, configuration.dialect, program, rows);
        all.cells += swept.cells;
        all.logins += swept.logins;
        all.granted += swept.granted;
        all.holes.extend(swept.holes);
    }
    all
}

fn first(holes: &std::collections::BTreeSet<String>) -> String {
    holes.iter().take(10).cloned().collect::<Vec<_>>().join("\n")
}
