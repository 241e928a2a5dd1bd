//! `countersign pam` where systemd is the first process: its timer, and the unit for the next boot.

use std::time::Duration;

use countersign_tests::booted::Booted;
use countersign_tests::{Machine, wait_until};

/// Where the booted system's files are, for whoever stands outside.
const ROOT: &str = "/run/debian/root";

const LONG: Duration = Duration::from_secs(60);

/// Nobody has a card here and no agent runs: Ana, who may type her password instead, is the trial.
fn enable(minutes: &str) -> String {
    format!(
        "printf 'anaword\\n' | countersign --answers-from-stdin pam enable --user ana --password-fallback \
         --minutes {minutes}"
    )
}

#[test]
fn systemd_puts_an_unconfirmed_change_back_in_time_and_at_the_next_boot() {
    let machine = Machine::start().unwrap();
    let (mut debian, console) = Booted::start(&machine, 0).unwrap();
    let common_auth = || machine.text(&format!("{ROOT}/etc/pam.d/common-auth"));
    let before = common_auth();
    let is_pending = || machine.path(format!("{ROOT}/var/lib/countersign/pam-backup/pending.json")).exists();
    let is_back = || Ok((!is_pending()).then_some(()));

    // By the timer, which outlives the command that set it.
    let said = debian.administer(&enable("0.1")).unwrap();
    assert!(said.contains("unless you confirm"), "{said}");
    assert!(is_pending() && common_auth().contains("pam_countersign.so"));
    let timers = debian.administer("systemctl list-timers --no-pager --all").unwrap();
    assert!(timers.contains("run-"), "{timers}");
    wait_until("the timer to put PAM back", LONG, is_back).unwrap();
    assert_eq!(common_auth(), before);

    // Confirmed in time, it stays over its time.
    debian.administer(&enable("0.1")).unwrap();
    debian.administer("countersign pam confirm").unwrap();
    std::thread::sleep(Duration::from_secs(9));
    assert!(common_auth().contains("pam_countersign.so"));
    assert!(debian.administer("countersign pam status").unwrap().contains("PAM asks for cards, since"));
    debian.administer("countersign pam disable").unwrap();
    assert_eq!(common_auth(), before);

    // By a boot, long before its time.
    debian.administer(&enable("60")).unwrap();
    assert!(is_pending() && common_auth().contains("pam_countersign.so"));
    debian.boots_again(console).unwrap();
    // Before anybody could log in: getty's first word has been seen.
    assert!(!is_pending());
    assert_eq!(common_auth(), before);
    let said =
        debian.administer("journalctl --no-pager --boot --unit countersign-pam-revert.service").unwrap();
    assert!(said.contains("as they were"), "{said}");
}
