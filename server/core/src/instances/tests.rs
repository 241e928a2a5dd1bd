use super::*;

const NOON: Timestamp = Timestamp::from_seconds(1_790_000_000);

fn host(counter: u64, counted: Option<Counted>) -> Instance {
    Instance {
        fingerprint: "0123456789ABCDEF0123456789ABCDEF01234567".parse().unwrap(),
        application: "countersign".parse().unwrap(),
        certificate: Vec::new(),
        signing_key: None,
        second_key: None,
        second_certificate: None,
        key_words: String::new(),
        claimed_hostname: String::new(),
        key_place: KeyPlace::Sealed,
        state: InstanceState::Active,
        counter,
        counted,
        forked: None,
        since: NOON,
        enrolled: NOON,
        seen: None,
        successor: None,
        version: None,
    }
}

#[test]
fn a_counter_that_came_again_is_late_or_somebody_elses_by_when_it_was_made() {
    let even = host(7, Some(Counted { made: NOON, at: NOON }));
    for (counter, made, expected) in [
        (8, -100, Counting::Next),
        (8, 100, Counting::Next),
        (7, 0, Counting::Late),
        (6, -20, Counting::Late),
        (7, 1, Counting::Again),
        (1, 100, Counting::Again),
    ] {
        assert_eq!(even.counting(counter, NOON.plus(made), NOON.plus(10)), expected, "{counter} {made}");
    }
    // Its clock goes behind: what a copy makes later is later by either clock.
    let behind = host(7, Some(Counted { made: NOON.plus(-100), at: NOON }));
    assert_eq!(behind.counting(6, NOON.plus(-110), NOON.plus(10)), Counting::Late);
    assert_eq!(behind.counting(6, NOON.plus(-90), NOON.plus(10)), Counting::Again);
    // It goes ahead, or whoever spoke last made it seem so.
    let ahead = host(7, Some(Counted { made: NOON.plus(119), at: NOON }));
    assert_eq!(ahead.counting(6, NOON, NOON.plus(10)), Counting::Late);
    assert_eq!(ahead.counting(6, NOON.plus(60), NOON.plus(10)), Counting::LateByItsClock);
    assert_eq!(ahead.counting(6, NOON.plus(120), NOON.plus(10)), Counting::Again);
    // Of a row from before times were kept nothing is known.
    assert_eq!(host(7, None).counting(7, NOON, NOON.plus(10)), Counting::Again);
    // What comes at once was not held up on the way, even in the second of the one before.
    assert_eq!(even.counting(7, NOON, NOON), Counting::Again);
    assert_eq!(even.counting(7, NOON.plus(1), NOON), Counting::Again);
    assert_eq!(even.counting(7, NOON, NOON.plus(1)), Counting::Late);
}

#[test]
fn a_clock_that_was_set_right_makes_nothing_earlier_look_later() {
    let ahead = host(7, Some(Counted { made: NOON.plus(100), at: NOON }));
    let counted = ahead.counted_now(NOON.plus(20), NOON.plus(20));
    assert_eq!(counted, Counted { made: NOON.plus(100), at: NOON.plus(20) });
}
