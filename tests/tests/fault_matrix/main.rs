//! The fault matrix of a login, through the real libpam, agent, courier, pcscd and server.
//!
//! One file for each family of faults, each with its table. `cargo test` plays the cells that are marked quick: every
//! fault, and every command to the card, at least once. `cargo xtask soak matrix` plays all of them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]
#![expect(clippy::print_stdout, reason = "the matrix is there to be read")]

mod clock;
mod courier;
mod damaged;
mod disk;
mod journal;
mod letters;
mod mute;
mod pulled;
mod restarted;
mod server;
mod services;
mod status_words;

use std::sync::LazyLock;

use countersign_tests::matrix::{Extent, Report, Table, run};

fn tables() -> Vec<Table> {
    vec![
        pulled::table(),
        status_words::table(),
        damaged::table(),
        mute::table(),
        services::table(),
        restarted::table(),
        courier::table(),
        server::table(),
        disk::table(),
        clock::table(),
        journal::table(),
    ]
}

/// The quick cells, played once: most of them wait most of the time, so that several sites share two cores.
static QUICK: LazyLock<Report> = LazyLock::new(|| run(&tables(), Extent::Quick, 6).unwrap());

fn quick(family: &Table) {
    let report = QUICK.of(family.family);
    println!("{report}\n{}", letters::LEGEND);
    assert!(report.is_good(), "cells that are not as they must be stand above");
}

#[test]
fn card_pulled_at_any_command_denies_and_says_so_or_waits_for_it() {
    quick(&pulled::table());
}

#[test]
fn any_status_word_at_any_command_is_named_and_costs_no_try() {
    quick(&status_words::table());
}

#[test]
fn damaged_answers_of_a_card_are_never_believed_and_never_fatal() {
    quick(&damaged::table());
}

#[test]
fn mute_card_ends_the_login_in_time_and_serves_the_next_one() {
    quick(&mute::table());
}

#[test]
fn killed_pcscd_or_agent_denies_at_once_and_the_next_login_works() {
    quick(&services::table());
}

#[test]
fn pcscd_that_is_started_again_at_a_prompt_is_not_noticed() {
    quick(&restarted::table());
}

#[test]
fn courier_that_dies_is_not_noticed_and_one_that_stands_still_is_replaced() {
    quick(&courier::table());
}

#[test]
fn full_disk_keeps_nobody_out_and_lets_nobody_in_uncounted() {
    quick(&disk::table());
}

#[test]
fn clock_that_jumps_costs_one_login_at_most() {
    quick(&clock::table());
}

#[test]
fn damaged_journal_keeps_nobody_out() {
    quick(&journal::table());
}

#[test]
fn whatever_the_server_does_a_login_ends_in_time_with_the_right_word() {
    quick(&server::table());
}

/// Run by `cargo xtask soak matrix`, which may name one family.
#[test]
#[ignore = "takes many minutes: cargo xtask soak matrix"]
fn everything() {
    let only = wish("COUNTERSIGN_SOAK_FAMILY").unwrap_or_default();
    let sites = wish("COUNTERSIGN_SOAK_SITES").and_then(|text| text.parse().ok()).unwrap_or(8);
    let tables: Vec<Table> = tables().into_iter().filter(|table| table.family.contains(&only)).collect();
    let report = run(&tables, Extent::Everything, sites).unwrap();
    println!("{report}\n{}", letters::LEGEND);
    assert!(report.is_good(), "cells that are not as they must be stand above");
}

#[expect(clippy::disallowed_methods, reason = "a test has no arguments of its own")]
fn wish(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
