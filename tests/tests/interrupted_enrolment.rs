//! Enrolments that break off at the worst moments: no key, no PIN and no file may be lost or left behind.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use countersign_tests::site::{HostKey, KEY_GENERATION, SOON, Site, talk};
use countersign_tests::{Machine, target_bin};

const STATE: &str = "/var/lib/countersign";

fn enroll(
    site: &Site<'_>,
    machine: &Machine,
    answers: &'static [(&'static str, &'static str)],
) -> (Option<i32>, String) {
    let mut command = machine.command(target_bin("countersign").unwrap());
    command.args(site.enroll_arguments());
    let ending = talk(&command, answers, KEY_GENERATION).unwrap();
    (ending.code(), ending.shown)
}

#[test]
fn what_is_needed_to_go_on_is_kept_until_the_instance_is_on_the_disk() {
    let machine = Machine::start().unwrap();
    let mut site = Site::new(&machine, 1, HostKey::Sealed).unwrap();
    site.server.start(&machine).unwrap();
    site.start_agent().unwrap();
    // It answers: it has looked for its files. Now a folder in the place of one, which cannot be written.
    let mut status = machine.command(target_bin("countersign").unwrap());
    talk(status.arg("status"), &[], SOON).unwrap();
    let instance = machine.path(STATE).join("instance.json");
    std::fs::create_dir(&instance).unwrap();
    let (code, shown) = enroll(&site, &machine, &[]);
    assert_ne!(code, Some(0), "{shown}");
    assert!(machine.path(STATE).join("enrolment.json").exists(), "{shown}");

    std::fs::remove_dir(&instance).unwrap();
    let (code, shown) = enroll(&site, &machine, &[]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("interrupted") && shown.contains("enrolled and active"), "{shown}");
    assert!(!machine.path(STATE).join("enrolment.json").exists());
}

#[test]
fn a_host_card_whose_pins_were_replaced_before_the_crash_is_used_with_the_kept_pins() {
    let machine = Machine::start().unwrap();
    let mut site = Site::new(&machine, 1, HostKey::Card).unwrap();
    site.start_agent().unwrap();
    let (code, shown) = enroll(&site, &machine, &[("Type yes", "yes")]);
    assert_eq!(code, Some(5), "{shown}");
    // As if the agent had died between the card and its notes: the card has new PINs, nothing else is known.
    std::fs::remove_file(machine.path(STATE).join("enrolment.json")).unwrap();

    site.server.start(&machine).unwrap();
    let (code, shown) = enroll(&site, &machine, &[]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("enrolled and active"), "{shown}");
}

#[test]
fn a_host_card_that_never_got_the_kept_pins_is_asked_about_and_gets_them() {
    let machine = Machine::start().unwrap();
    let mut site = Site::new(&machine, 1, HostKey::Card).unwrap();
    site.start_agent().unwrap();
    let card = site.host_card.as_ref().unwrap();
    // It dies with its answer to the change of the user PIN, which it did not make.
    card.fail_next("CHANGE_REFERENCE_DATA", 0x6F00).unwrap();
    let pins_file = format!("{STATE}/host-card-{}.pins", card.ident().replace(':', "-"));
    let kept = machine.path(&pins_file);
    let (code, shown) = enroll(&site, &machine, &[("Type yes", "yes")]);
    assert_ne!(code, Some(0), "{shown}");
    assert!(!kept.exists(), "the card said that its PINs are the old ones");
    // As if the agent had died before that answer.
    let pins = "271828182845\n314159265358\n";
    machine.write(&pins_file, pins, 0o600).unwrap();

    site.server.start(&machine).unwrap();
    let (code, shown) = enroll(&site, &machine, &[("Type yes", "yes")]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("enrolled and active"), "{shown}");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), pins, "the only copy was not overwritten");
}
