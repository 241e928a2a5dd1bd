//! A whole Debian, booted: what people see who log in to it with a card.
//!
//! What they saw lies beside this file, a transcript for each scene, and is compared with what they see now. In curly
//! brackets stands what a terminal does not show.

#[path = "booted/console.rs"]
mod console;
#[path = "booted/faults.rs"]
mod faults;
#[path = "booted/programs.rs"]
mod programs;
#[path = "booted/setting_up.rs"]
mod setting_up;
#[path = "booted/stage.rs"]
mod stage;

use stage::Stage;

use countersign_tests::Machine;

#[test]
fn people_log_in_to_a_booted_debian_with_their_cards_and_see_this() {
    let machine = Machine::start().unwrap();
    let mut stage = Stage::set(&machine).unwrap();
    stage.scene("01-a-server-and-a-host", setting_up::server_and_host).unwrap();
    stage.scene("02-ana-registers", setting_up::ana_registers).unwrap();
    stage.scene("03-ana-needs-her-card", setting_up::enable).unwrap();
    stage.scene("04-console-login", console::login).unwrap();
    stage.scene("05-sudo-and-su", programs::sudo_and_su).unwrap();
    stage.scene("06-ssh", programs::ssh).unwrap();
    stage.scene("07-lockers", programs::lockers).unwrap();
    stage.scene("08-polkit", programs::polkit).unwrap();
    stage.scene("09-cron", programs::cron).unwrap();
    stage.scene("10-greetd", programs::greetd).unwrap();
    stage.scene("11-passwd", programs::passwd).unwrap();
    stage.scene("12-no-card", faults::no_card).unwrap();
    stage.scene("13-no-agent", faults::no_agent).unwrap();
    stage.scene("14-no-module", faults::no_module).unwrap();
    stage.scene("15-units", faults::units).unwrap();
    stage.end().unwrap();
}
