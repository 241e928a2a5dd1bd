use std::sync::mpsc;
use std::thread;

use super::*;
use crate::queue::Party;

const CARD: CardIdent = CardIdent::new(6, 0x1234);

struct Somebody {
    deadline: Instant,
    left: bool,
    notes: mpsc::Sender<String>,
}

impl Waiting for Somebody {
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn is_cancelled(&self) -> bool {
        self.left
    }

    fn note(&mut self, text: &str) {
        self.notes.send(text.to_owned()).unwrap();
    }
}

fn somebody(patience: Duration) -> (Somebody, mpsc::Receiver<String>) {
    let (notes, heard) = mpsc::channel();
    (Somebody { deadline: Instant::now() + patience, left: false, notes }, heard)
}

fn asker(uid: u32) -> Asker {
    Asker { party: Party::Uid(uid), what: format!("sudo of user {uid}") }
}

fn taken(turns: &Arc<AllTurns>, uid: u32, somebody: &mut Somebody) -> Result<Place, CardError> {
    turns.wait(CARD, &asker(uid), somebody, "YubiKey …1234")
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn who_waits_is_told_who_has_the_card_and_served_when_it_is_free() {
    let turns = Arc::new(AllTurns::default());
    let first = taken(&turns, 1, &mut somebody(LONG).0).unwrap();
    let (mut second, heard) = somebody(LONG);
    let served = {
        let turns = Arc::clone(&turns);
        thread::spawn(move || taken(&turns, 2, &mut second).map(drop))
    };
    let note = heard.recv_timeout(LONG).unwrap();
    assert_eq!(note, "YubiKey …1234 is in use by sudo of user 1; yours is next.");
    assert!(!served.is_finished());
    drop(first);
    assert_eq!(served.join().unwrap(), Ok(()));
    assert!(turns.lock().snapshot().is_empty());
}

#[test]
fn a_holder_that_panics_frees_its_turn() {
    let turns = Arc::new(AllTurns::default());
    let panics = {
        let turns = Arc::clone(&turns);
        thread::spawn(move || {
            let _place = taken(&turns, 1, &mut somebody(LONG).0).unwrap();
            panic!("while it has the card");
        })
    };
    panics.join().unwrap_err();
    assert!(taken(&turns, 2, &mut somebody(LONG).0).is_ok());
}

#[test]
fn the_deadline_and_a_program_that_left_end_the_wait() {
    let turns = Arc::new(AllTurns::default());
    let _first = taken(&turns, 1, &mut somebody(LONG).0).unwrap();
    let late = taken(&turns, 2, &mut somebody(Duration::ZERO).0).err();
    assert_eq!(late, Some(CardError::Occupied { by: "sudo of user 1".to_owned(), crowded: false }));
    let (mut gone, _heard) = somebody(LONG);
    gone.left = true;
    let begun = Instant::now();
    assert_eq!(taken(&turns, 2, &mut gone).err(), Some(CardError::Cancelled));
    assert!(begun.elapsed() < LONG / 2);
    assert_eq!(turns.lock().snapshot().first().unwrap().waiting, 0);
}

#[test]
fn who_left_while_waiting_does_not_get_the_turn_that_comes() {
    let turns = Arc::new(AllTurns::default());
    let (mut gone, _heard) = somebody(LONG);
    gone.left = true;
    assert_eq!(taken(&turns, 1, &mut gone).err(), Some(CardError::Cancelled));
    assert!(turns.lock().snapshot().is_empty());
}

#[test]
fn a_note_says_how_long_and_how_many() {
    let note =
        |seconds, between| in_words("YubiKey …1234", "login of ana", Duration::from_secs(seconds), between);
    assert_eq!(note(4, 0), "YubiKey …1234 is in use by login of ana since 4 s; yours is next.");
    assert!(note(1, 1).ends_with("since 1 s; one request is before yours."));
    assert!(note(90, 3).ends_with("since 90 s; 3 requests are before yours."));
}
