//! A thousand logins by eight programs at once, through the real libpam, on three cards.
//!
//! Run by `cargo xtask soak load`, built for release. Every outcome is compared with what it must be, the ledger with
//! the grants, and the agent's memory, threads and descriptors with what they were before.

mod clients;
mod figures;
mod town;

use std::time::{Duration, Instant};

use countersign_tests::Machine;

use clients::Clients;
use figures::{Figures, IDLE};
use town::Town;

/// Logins in all, and between two looks at the agent.
const LOGINS: usize = 1000;
const BATCH: usize = 50;

/// Run by `cargo xtask soak load`.
#[test]
#[ignore = "takes minutes, and means something only in a release build: cargo xtask soak load"]
fn a_thousand_logins_by_eight_programs_are_all_decided_right_and_leave_nothing_behind() {
    let machine = Machine::start().unwrap();
    let mut town = Town::build(&machine).unwrap();

    // A fresh agent, one login, and quiet.
    town.scene.site.stop_agent().unwrap();
    town.scene.site.start_agent().unwrap();
    let mut granted = 1;
    town.scene.ana_logs_in().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let idle = Figures::of(town.agent()).unwrap();
    let courier = idle.courier_kib;
    println!("idle: agent {} KiB, courier {courier} KiB, limit {IDLE} KiB for the agent", idle.resident_kib);

    let mut clients = Clients::start(&town).unwrap();
    let mut looks = Vec::new();
    let mut wrong = Vec::new();
    let mut busy = Duration::ZERO;
    for batch in 0..LOGINS / BATCH {
        let begun = Instant::now();
        let done = clients.log_in(BATCH, batch);
        busy += begun.elapsed();
        granted += done.granted;
        wrong.extend(done.wrong);
        let look = Figures::of(town.agent()).unwrap();
        println!("{:5} logins, {} wrong: {look}", (batch + 1) * BATCH, wrong.len());
        looks.push(look);
    }
    let tally = clients.tally();
    drop(clients);
    let recorded = town.logins_in_the_ledger().unwrap();

    println!("\n{tally}");
    println!(
        "throughput: {:.1} logins/s over {:.0} s",
        LOGINS as f64 / busy.as_secs_f64(),
        busy.as_secs_f64()
    );
    println!("granted {granted}, in the ledger as allowed {recorded}");
    println!("{}", figures::summary(&looks));
    for complaint in wrong.iter().take(20) {
        println!("! {complaint}");
    }
    assert!(wrong.is_empty(), "{} wrong decisions, the first ones above", wrong.len());
    assert_eq!(granted, recorded, "the ledger has another number of grants");
    assert_eq!(figures::leaks(&looks), Vec::<String>::new());
    if !cfg!(debug_assertions) {
        assert!(idle.resident_kib < IDLE, "{} KiB idle, {IDLE} are the limit", idle.resident_kib);
    }
}
