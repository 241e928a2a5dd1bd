//! Several requests for one card at once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use countersign_tests::site::{HostKey, Person, SERVICE, SILENT_REST, SOON, Scene, stack, talk};
use countersign_tests::{Dialogue, Machine, Touch};

/// The reader that Ana's card is in.
const ANAS: usize = 2;

/// Another PAM service than the scene's.
const OTHER: &str = "other-test";

/// A machine where Ana's card wants a touch, and the agent knows it.
fn with_touch(machine: &Machine) -> Scene<'_> {
    let scene = Scene::on(machine, HostKey::Sealed).unwrap();
    machine.pam_service(OTHER, &stack(SILENT_REST).unwrap()).unwrap();
    let card = &scene.ana.card;
    scene.ana.needs_touch(machine, ANAS).unwrap();
    card.touch(Touch::Require).unwrap();
    card.pull().unwrap();
    card.wait_until_seen().unwrap();
    card.insert().unwrap();
    card.wait_until_seen().unwrap();
    card.reset_counts().unwrap();
    scene
}

/// A login of Ana's at the console, up to its PIN.
fn begins(scene: &Scene<'_>, service: &str) -> Dialogue {
    let mut command = scene.console.command("pamtester");
    command.args([service, "ana", "authenticate"]);
    let mut login = Dialogue::start(&command).unwrap();
    login.expect("then touch it: ", SOON).unwrap();
    login
}

#[test]
fn two_logins_at_once_get_a_touch_each_and_the_second_sees_who_has_the_card() {
    let machine = Machine::start().unwrap();
    let scene = with_touch(&machine);
    let card = &scene.ana.card;
    // A prompt that is left open blocks nobody.
    let mut second = begins(&scene, OTHER);
    let mut first = begins(&scene, SERVICE);
    first.send_line(Person::PIN).unwrap();
    first.expect("to confirm countersign-test for ana.", SOON).unwrap();
    card.wait_until_it_asks_for_a_touch(SOON).unwrap();

    second.send_line(Person::PIN).unwrap();
    let told = second.expect("; yours is next.", SOON).unwrap();
    assert!(told.contains("is in use by countersign-test of ana (terminal pts/"), "{told}");
    assert!(!second.transcript().contains("to confirm"), "{}", second.transcript());

    card.touch(Touch::Grant).unwrap();
    first.expect_eof(SOON).unwrap();
    assert!(first.wait(SOON).unwrap().success(), "{}", first.transcript());
    second.expect("to confirm other-test for ana.", SOON).unwrap();
    card.wait_until_it_asks_for_a_touch(SOON).unwrap();
    assert_eq!(card.counts().unwrap().of("PSO_CDS"), 2, "one signature a request");

    card.touch(Touch::Grant).unwrap();
    second.expect_eof(SOON).unwrap();
    assert!(second.wait(SOON).unwrap().success(), "{}", second.transcript());
}

#[test]
fn who_gives_up_waiting_makes_room_and_spends_no_try() {
    let machine = Machine::start().unwrap();
    let scene = with_touch(&machine);
    let card = &scene.ana.card;
    let [mut first, mut second, mut third] = [SERVICE, OTHER, SERVICE].map(|name| begins(&scene, name));
    first.send_line(Person::PIN).unwrap();
    card.wait_until_it_asks_for_a_touch(SOON).unwrap();
    second.send_line(Person::PIN).unwrap();
    second.expect("; yours is next.", SOON).unwrap();
    third.send_line(Person::PIN).unwrap();
    third.expect("; one request is before yours.", SOON).unwrap();
    second.send(b"\x03").unwrap();
    third.expect("; yours is next.", SOON).unwrap();

    card.touch(Touch::Grant).unwrap();
    third.expect("to confirm countersign-test for ana.", SOON).unwrap();
    card.wait_until_it_asks_for_a_touch(SOON).unwrap();
    card.touch(Touch::Grant).unwrap();
    third.expect_eof(SOON).unwrap();
    assert!(third.wait(SOON).unwrap().success(), "{}", third.transcript());
    let counts = card.counts().unwrap();
    assert_eq!((counts.of("VERIFY"), counts.of("PSO_CDS")), (2, 2), "{counts:?}");
}

#[test]
fn a_crowd_of_one_user_delays_a_login_of_root_by_no_more_than_one_signature() {
    const CROWD: usize = 20;
    /// How long the finger takes to get to the card.
    const FINGER: Duration = Duration::from_millis(700);
    let machine = Machine::start().unwrap();
    let scene = with_touch(&machine);
    let card = &scene.ana.card;
    let (over, touches) = (AtomicBool::new(false), AtomicUsize::new(0));
    let going = || !over.load(Ordering::SeqCst);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while going() {
                if card.status().unwrap().waiting_for_touch {
                    std::thread::sleep(FINGER);
                    touches.fetch_add(1, Ordering::SeqCst);
                    card.touch(Touch::Grant).unwrap();
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        for _ in 0..CROWD {
            scope.spawn(|| {
                while going() {
                    // Most are told that too many ask at once.
                    let command = scene.ana.countersign(&["login", "try"]).unwrap();
                    let mut one = Dialogue::start(&command).unwrap();
                    if one.expect("then touch it: ", SOON).is_ok() && one.send_line(Person::PIN).is_ok() {
                        while going() && one.expect_eof(Duration::from_millis(500)).is_err() {}
                    }
                }
            });
        }
        while touches.load(Ordering::SeqCst) < 3 {
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut worst = (0, Duration::ZERO);
        for _ in 0..3 {
            let mut login = begins(&scene, SERVICE);
            let before = touches.load(Ordering::SeqCst);
            login.send_line(Person::PIN).unwrap();
            let begun = Instant::now();
            login.expect_eof(SOON).unwrap();
            assert!(login.wait(SOON).unwrap().success(), "{}", login.transcript());
            let between = touches.load(Ordering::SeqCst) - before;
            worst = worst.max((between, begun.elapsed()));
        }
        over.store(true, Ordering::SeqCst);
        let (signatures, took) = worst;
        println!("beside {CROWD} requests of one user: {signatures} signatures from PIN to grant, {took:?}");
        // The one under way, and its own.
        assert!(signatures <= 2, "{signatures} signatures, {took:?}");
    });
}

#[test]
fn a_crowd_of_su_of_one_user_keeps_neither_root_nor_others_from_logging_in() {
    /// More than the agent serves at once.
    const CROWD: usize = 70;
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    machine.pam_service("su", &stack(SILENT_REST).unwrap()).unwrap();
    let mallory = machine.add_user("mallory", 4300).unwrap();
    let su = |user| {
        let mut command = scene.ana.seat.command_as(user, "su");
        command.args(["ana", "-c", "true"]);
        Dialogue::start(&command).unwrap()
    };
    let mut crowd: Vec<Dialogue> = (0..CROWD).map(|_| su(&mallory)).collect();
    let mut asked = crowd.iter_mut().filter_map(|one| one.expect("PIN for", Duration::from_secs(5)).ok());
    assert_eq!(asked.by_ref().take(1).count(), 1, "su of another user gets to its PIN");
    let inside = 1 + asked.count();
    assert!(inside <= 8, "{inside} of one user at once");
    scene.ana_logs_in().unwrap();
    let mut other = su(&scene.olga.user);
    other.expect("PIN for", SOON).unwrap();
}

#[test]
fn two_people_with_two_cards_wait_for_nobody() {
    let machine = Machine::start().unwrap();
    let scene = with_touch(&machine);
    let mut first = begins(&scene, SERVICE);
    first.send_line(Person::PIN).unwrap();
    scene.ana.card.wait_until_it_asks_for_a_touch(SOON).unwrap();
    let begun = Instant::now();
    scene.olga.administer(&["admin", "user", "add", "carl"]).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let list = scene.ana.countersign(&["card", "list"]).unwrap();
    talk(&list, &[], SOON).unwrap().success().unwrap();
    assert!(scene.ana.card.status().unwrap().waiting_for_touch, "the touch is still to come");
    scene.ana.card.touch(Touch::Grant).unwrap();
    first.expect_eof(SOON).unwrap();
    assert!(first.wait(SOON).unwrap().success(), "{}", first.transcript());
}
