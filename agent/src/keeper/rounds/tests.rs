use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::sync_channel;

use super::*;

/// An outbox that never ends, and a network that takes its time.
#[derive(Default)]
struct Flooded {
    check_ins: AtomicU32,
    reports: AtomicU32,
    complaints: AtomicU32,
    reliefs: AtomicU32,
    wakings: AtomicU32,
    uptime: AtomicU32,
    unreachable: bool,
    refused: bool,
    keys_due: bool,
    slow: bool,
}

impl Duties for Flooded {
    fn check_in_every(&self) -> Duration {
        if self.slow { Duration::from_secs(60) } else { Duration::from_millis(100) }
    }
    fn managed_mark(&self) -> Option<(u64, i64, i64)> {
        None
    }
    fn keys_are_due(&self) -> bool {
        self.keys_due
    }
    fn is_there(&self) -> bool {
        !self.unreachable
    }
    fn uptime(&self) -> Timestamp {
        Timestamp::from_seconds(self.uptime.load(Ordering::SeqCst).into())
    }
    fn woke(&self) {
        self.wakings.fetch_add(1, Ordering::SeqCst);
    }
    fn jittered(&self, time: Duration) -> Duration {
        time
    }
    fn complain(&self, _: &'static str, _: &LinkError) {
        self.complaints.fetch_add(1, Ordering::SeqCst);
    }
    fn relieved(&self) {
        self.reliefs.fetch_add(1, Ordering::SeqCst);
    }
    fn check_in(&self, _: Duration) -> Result<(), LinkError> {
        self.check_ins.fetch_add(1, Ordering::SeqCst);
        if self.refused {
            return Err(LinkError::Refused {
                correlation: "7K3M-Q2ZD".parse().unwrap(),
                clock_was_wrong: None,
            });
        }
        if self.unreachable { Err(LinkError::Unreachable("gone".to_owned())) } else { Ok(()) }
    }
    fn send_report(&self) -> Result<bool, LinkError> {
        self.reports.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(5));
        if self.unreachable { Err(LinkError::Unreachable("gone".to_owned())) } else { Ok(true) }
    }
}

fn called() -> Heard {
    Heard { called: true, ..Heard::default() }
}

#[test]
fn an_endless_outbox_delays_a_login_by_no_more_than_one_report() {
    let (duties, mut rounds) = (Flooded::default(), Rounds::new());
    rounds.turn(&duties, called());
    let (answer, result) = sync_channel(1);
    let reports = duties.reports.load(Ordering::SeqCst);
    rounds.turn(&duties, Heard { waiting: vec![answer], ..called() });
    assert_eq!(result.try_recv().unwrap(), Ok(()));
    assert!(duties.reports.load(Ordering::SeqCst) <= reports + 1);
}

#[test]
fn an_endless_outbox_keeps_no_check_in_from_its_time() {
    let (duties, mut rounds) = (Flooded::default(), Rounds::new());
    let end = Instant::now() + Duration::from_secs(1);
    while Instant::now() < end {
        rounds.turn(&duties, called());
    }
    let (check_ins, reports) =
        (duties.check_ins.load(Ordering::SeqCst), duties.reports.load(Ordering::SeqCst));
    assert!(check_ins >= 5 && reports > 20, "{check_ins} check-ins, {reports} reports");
    assert!(rounds.pause().is_zero(), "it goes on at once while reports wait");
}

#[test]
fn new_reports_do_not_hurry_an_unreachable_server() {
    let (duties, mut rounds) = (Flooded { unreachable: true, ..Flooded::default() }, Rounds::new());
    for _ in 0..100 {
        rounds.turn(&duties, called());
    }
    assert_eq!(duties.reports.load(Ordering::SeqCst), 1);
}

#[test]
fn a_nudge_costs_nothing_while_the_server_is_there_and_a_look_when_it_is_not() {
    let nudged = || Heard { nudged: true, ..Heard::default() };
    for (unreachable, looks) in [(false, 0), (true, 1)] {
        let duties = Flooded { unreachable, slow: true, ..Flooded::default() };
        let mut rounds = Rounds::new();
        rounds.turn(&duties, Heard::default());
        let before = duties.check_ins.load(Ordering::SeqCst);
        rounds.turn(&duties, nudged());
        assert_eq!(duties.check_ins.load(Ordering::SeqCst), before + looks);
    }
}

#[test]
fn a_machine_that_slept_checks_in_when_it_wakes() {
    let duties = Flooded { slow: true, ..Flooded::default() };
    let mut rounds = Rounds::new();
    let check_ins = || duties.check_ins.load(Ordering::SeqCst);
    rounds.turn(&duties, Heard::default());
    rounds.turn(&duties, Heard::default());
    assert_eq!(check_ins(), 1);
    duties.uptime.store(600, Ordering::SeqCst);
    rounds.turn(&duties, Heard::default());
    rounds.turn(&duties, Heard::default());
    assert_eq!((check_ins(), duties.wakings.load(Ordering::SeqCst)), (2, 1), "once");
}

#[test]
fn a_server_that_stays_away_is_told_of_once_and_so_is_its_return() {
    let mut duties = Flooded { unreachable: true, slow: true, ..Flooded::default() };
    let mut rounds = Rounds::new();
    for _ in 0..20 {
        rounds.check_in(&duties, Duration::ZERO, Vec::new());
    }
    assert_eq!(duties.complaints.load(Ordering::SeqCst), 1);
    duties.unreachable = false;
    for _ in 0..5 {
        rounds.check_in(&duties, Duration::ZERO, Vec::new());
    }
    assert_eq!(duties.reliefs.load(Ordering::SeqCst), 1);
}

#[test]
fn session_keys_are_replaced_in_time_however_rare_check_ins_are() {
    let (mut duties, mut rounds) = (Flooded { slow: true, ..Flooded::default() }, Rounds::new());
    let check_ins = |duties: &Flooded| duties.check_ins.load(Ordering::SeqCst);
    rounds.turn(&duties, Heard::default());
    rounds.turn(&duties, Heard::default());
    assert_eq!(check_ins(&duties), 1);
    duties.keys_due = true;
    rounds.turn(&duties, Heard::default());
    assert_eq!(check_ins(&duties), 2);
    // A server that does not answer is not asked faster for that.
    duties.unreachable = true;
    rounds.turn(&duties, Heard::default());
    rounds.turn(&duties, Heard::default());
    assert_eq!(check_ins(&duties), 3);
}

#[test]
fn a_server_that_refuses_is_asked_ever_more_rarely_until_somebody_needs_it() {
    let mut duties = Flooded { refused: true, slow: true, ..Flooded::default() };
    let mut rounds = Rounds::new();
    let mut pause = |duties: &Flooded, waiting| {
        let begun = Instant::now();
        rounds.check_in(duties, Duration::ZERO, waiting);
        rounds.check_in.saturating_duration_since(begun).as_secs()
    };
    let pauses = [(); 9].map(|()| pause(&duties, Vec::new()));
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
    // Who waits for the server has it asked at once, and an answer ends it.
    duties.refused = false;
    let (answer, result) = sync_channel(1);
    assert_eq!(pause(&duties, vec![answer]), 60);
    assert_eq!(result.try_recv().unwrap(), Ok(()));
    duties.refused = true;
    assert_eq!(pause(&duties, Vec::new()), 5);
}
