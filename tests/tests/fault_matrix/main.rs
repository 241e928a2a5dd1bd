//! The fault matrix of a login, through the real libpam, agent, courier, pcscd and server.
//!
//! One file for each family of faults, each with its table. `cargo test` plays the cells that are marked quick: every
//! fault, and every command to the card, at least once. `cargo xtask soak matrix` plays all of them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]
#![expect(clippy::print_stdout, reason = "the matrix is there to be read")]

mod letters;
mod pulled;

use countersign_tests::matrix::{Extent, Table, run};

/// Plays the quick cells of one family.
fn quick(table: Table) {
    let report = run(&[table], Extent::Quick, 1).unwrap();
    assert!(report.is_good(), "{report}");
    println!("{report}");
}

#[test]
fn card_pulled_at_any_command_denies_and_says_so_or_waits_for_it() {
    quick(pulled::table());
}

/// Run by `cargo xtask soak matrix`, which may name one family.
#[test]
#[ignore = "takes many minutes: cargo xtask soak matrix"]
fn everything() {
    let only = wish("COUNTERSIGN_SOAK_FAMILY").unwrap_or_default();
    let stages = wish("COUNTERSIGN_SOAK_STAGES").and_then(|text| text.parse().ok()).unwrap_or(3);
    let tables = [pulled::table()];
    let tables: Vec<Table> = tables.into_iter().filter(|table| table.family.contains(&only)).collect();
    let report = run(&tables, Extent::Everything, stages).unwrap();
    println!("{report}\n{}", letters::LEGEND);
    assert!(report.is_good(), "cells that are not as they must be stand above");
}

#[expect(clippy::disallowed_methods, reason = "a test has no arguments of its own")]
fn wish(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
