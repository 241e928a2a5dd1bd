//! Programs that show little, or ask nobody.

use std::time::{Duration, Instant};

use countersign_protocol::ipc::{DenyReason, FrameKind, NoteKind, Prompt, PromptKind, Reply, read_frame};

use crate::bench::Bench;
use crate::libpam::{AUTH_ERR, ECHO_OFF, ERROR_MSG, SILENT, TEXT_INFO, Transaction, text};
use crate::peer::{self, Peer};

fn note(kind: NoteKind, text: &str) -> Reply {
    Reply::Note { kind, text: text.into() }
}

fn prompt(kind: PromptKind, text: &str) -> Reply {
    Reply::Prompt(Prompt { kind, text: text.into() })
}

/// Two notes, the PIN, a touch, a question, the PIN again, a denial. Returns how many prompts were answered.
fn talkative(bench: &Bench) -> (Peer, std::sync::mpsc::Receiver<Vec<bool>>) {
    let (tell, told) = std::sync::mpsc::channel();
    let peer = Peer::listen(&bench.socket(), move |mut stream| {
        peer::request(&mut stream);
        peer::reply(&mut stream, &note(NoteKind::Info, "Insert your card."));
        peer::reply(&mut stream, &note(NoteKind::Error, "That was another card."));
        let mut answered = Vec::new();
        for kind in [PromptKind::Hidden, PromptKind::Shown, PromptKind::Hidden] {
            peer::reply(&mut stream, &prompt(kind, "PIN for Test …AAAA (3 tries left), then touch it: "));
            let frame = read_frame(&mut stream).unwrap();
            answered.push(
                frame.kind == FrameKind::Secret || frame.body.windows(6).any(|word| word == b"\"text\""),
            );
        }
        peer::reply(&mut stream, &note(NoteKind::Info, "Touch it."));
        peer::reply(&mut stream, &peer::denial(DenyReason::WrongPin, "Wrong PIN."));
        tell.send(answered).unwrap();
    });
    (peer, told)
}

/// What the program showed, and which of the three questions were answered.
fn spoken_to(service: &str, flags: i32) -> (Vec<(i32, String)>, Vec<bool>) {
    let bench = Bench::new();
    let (_peer, told) = talkative(&bench);
    let mut pam = bench.start_with(service, "ana", |_, _, _| text("123456"));
    assert_eq!(pam.authenticate(flags), AUTH_ERR);
    (pam.shown().to_vec(), told.recv().unwrap())
}

#[test]
fn a_login_screen_gets_its_notes_in_the_prompt_and_what_comes_after_it_at_the_end() {
    let (shown, answered) = spoken_to("polkit-1", 0);
    assert_eq!(answered, [true; 3]);
    let pin = "PIN for Test …AAAA (3 tries left), then touch it: ";
    assert_eq!(shown[0], (ECHO_OFF, format!("Insert your card. That was another card. {pin}")));
    assert_eq!(shown[1].1, pin);
    assert_eq!(shown[3], (TEXT_INFO, "Touch it.".to_owned()));
    assert_eq!(shown[4], (ERROR_MSG, "Wrong PIN. (Reference: 7K3M-Q2ZD)".to_owned()));
    assert_eq!(shown.len(), 5);
}

#[test]
fn a_locker_with_one_field_is_asked_for_one_pin_and_for_nothing_else() {
    let (shown, answered) = spoken_to("swaylock", 0);
    assert_eq!(answered, [true, false, false], "it would answer every question with the same PIN");
    let questions = shown.iter().filter(|(style, _)| ![ERROR_MSG, TEXT_INFO].contains(style)).count();
    assert_eq!(questions, 1);
    assert!(shown[0].1.starts_with("Insert your card. ") && shown[0].1.ends_with("then touch it: "));
}

#[test]
fn sudo_which_always_says_silent_is_shown_everything() {
    let (shown, answered) = spoken_to("sudo", SILENT);
    assert_eq!(answered, [true; 3]);
    assert_eq!(shown[0], (TEXT_INFO, "Insert your card.".to_owned()));
    assert_eq!(shown.last().unwrap().1, "Wrong PIN. (Reference: 7K3M-Q2ZD)");
}

/// A card that is put in after a minute is no use to cron.
#[test]
fn a_service_that_can_ask_nobody_is_refused_at_once() {
    for (service, flags) in [("cron", 0), ("cron", SILENT), ("test", SILENT)] {
        let bench = Bench::new();
        let (peer, _told) = talkative(&bench);
        let mut pam = bench.start_with(service, "ana", |_, _, _| text("123456"));
        let begun = Instant::now();
        assert_eq!(pam.authenticate(flags), AUTH_ERR, "{service}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{service}");
        assert_eq!(peer.calls(), 0, "{service}");
    }
}

#[test]
fn a_prompt_is_never_cut_short_for_the_notes_before_it() {
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), |mut stream| {
        peer::request(&mut stream);
        peer::reply(&mut stream, &note(NoteKind::Info, &"ä".repeat(400)));
        peer::reply(&mut stream, &prompt(PromptKind::Hidden, "PIN (3 tries left): "));
        read_frame(&mut stream).unwrap();
        peer::reply(&mut stream, &peer::denial(DenyReason::Cancelled, "You gave up."));
    });
    let mut pam: Transaction = bench.start("polkit-1", "ana");
    assert_eq!(pam.authenticate(0), AUTH_ERR);
    let (style, shown) = &pam.shown()[0];
    assert_eq!(*style, ECHO_OFF);
    assert!(shown.ends_with("ä PIN (3 tries left): ") && shown.len() <= 511, "{shown}");
}
