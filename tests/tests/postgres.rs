//! The whole path of a login, with a server on PostgreSQL.

use countersign_tests::site::{HostKey, Scene, Site};
use countersign_tests::{Machine, Postgres};

#[test]
fn ana_logs_in_by_a_server_on_postgresql_and_by_another_one_on_the_same_database() {
    let mut postgres = Postgres::start().unwrap();
    postgres.create_database("countersign").unwrap();
    let address = format!("{} dbname=countersign", postgres.address());
    let machine = Machine::start().unwrap();
    let mut site = Site::on_postgres(&address, &machine, 2, HostKey::Sealed).unwrap();
    site.put_to_work().unwrap();
    let mut scene = Scene::at(site).unwrap();
    let ending = scene.ana_logs_in().unwrap();
    assert!(!ending.shown.contains("by itself"), "{}", ending.shown);

    // Another process takes over, and the database crashes meanwhile.
    scene.site.server.stop().unwrap();
    postgres.crash_and_start().unwrap();
    scene.site.server.start(&machine).unwrap();
    let ending = scene.ana_logs_in().unwrap();
    assert!(!ending.shown.contains("by itself"), "{}", ending.shown);
    let listed = scene.ledger("on-postgres.jsonl").unwrap();
    assert_eq!(listed.matches("ana: log in as ana").count(), 2, "{listed}");
    assert!(!scene.site.machine.path("/var/lib/countersign-server/countersign.db").exists());
}
