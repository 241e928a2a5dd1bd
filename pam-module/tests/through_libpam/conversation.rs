//! Conversations that misbehave (CVE-2025-24031 was one: Ctrl-C at the PIN prompt crashed sudo).

use std::sync::mpsc;

use countersign_protocol::ipc::{Answer, DenyReason, FrameKind, Prompt, PromptKind, Reply, read_frame};

use crate::bench::Bench;
use crate::libpam::{AUTH_ERR, AUTHTOK_ERR, ECHO_OFF, ECHO_ON, PERM_DENIED, Program, Say, Transaction, text};
use crate::peer::{self, Peer};

/// What the agent got as answer to a prompt.
#[derive(Debug, PartialEq)]
enum Got {
    Secret(Vec<u8>),
    Answer(Answer),
}

/// One prompt of this kind, whose answer is handed to the test; then a denial.
fn prompting(bench: &Bench, kind: PromptKind, shown: &'static str) -> (Peer, mpsc::Receiver<Got>) {
    let (tell, told) = mpsc::channel();
    let peer = Peer::listen(&bench.socket(), move |mut stream| {
        peer::request(&mut stream);
        peer::reply(&mut stream, &Reply::Prompt(Prompt { kind, text: shown.into() }));
        let frame = read_frame(&mut stream).unwrap();
        tell.send(match frame.kind {
            FrameKind::Secret => Got::Secret(frame.body.to_vec()),
            _ => Got::Answer(serde_json::from_slice(&frame.body).unwrap()),
        })
        .unwrap();
        peer::reply(&mut stream, &peer::denial(DenyReason::Cancelled, "You gave up."));
    });
    (peer, told)
}

fn answer(kind: PromptKind, person: impl FnMut(&mut Program, i32, &str) -> Say + 'static) -> Got {
    let bench = Bench::new();
    let (_peer, told) = prompting(&bench, kind, "PIN: ");
    let mut pam = bench.start_with("test", "ana", person);
    assert_eq!(pam.authenticate(0), AUTH_ERR);
    told.recv().unwrap()
}

#[test]
fn a_missing_pin_is_giving_up_and_never_an_empty_pin() {
    let given_up = Got::Answer(Answer::Cancel);
    assert_eq!(answer(PromptKind::Hidden, |_, _, _| Say::Fail), given_up);
    assert_eq!(answer(PromptKind::Hidden, |_, _, _| Say::Nothing), given_up);
    assert_eq!(answer(PromptKind::Hidden, |_, _, _| Say::NoResponse), given_up);
    assert_eq!(answer(PromptKind::Hidden, |_, _, _| text("")), given_up);
}

#[test]
fn a_pin_that_no_card_could_have_is_not_sent() {
    let given_up = Got::Answer(Answer::Cancel);
    assert_eq!(answer(PromptKind::Hidden, |_, _, _| Say::Text(vec![b'1'; 4096])), given_up);
    assert_eq!(answer(PromptKind::Hidden, |_, _, _| Say::Text(vec![b'1'; 128])), given_up);
    assert_eq!(answer(PromptKind::Hidden, |_, _, _| Say::Text(b"\xff\xfe".to_vec())), given_up);
    let longest = vec![b'1'; 127];
    let got = answer(PromptKind::Hidden, {
        let longest = longest.clone();
        move |_, _, _| Say::Text(longest.clone())
    });
    assert_eq!(got, Got::Secret(longest));
}

#[test]
fn a_shown_answer_may_be_empty_and_no_longer_than_pam_allows() {
    let got = answer(PromptKind::Shown, |_, _, _| text(""));
    assert_eq!(got, Got::Answer(Answer::Text { text: String::new() }));
    let given_up = Got::Answer(Answer::Cancel);
    assert_eq!(answer(PromptKind::Shown, |_, _, _| Say::Text(vec![b'y'; 4096])), given_up);
    assert_eq!(answer(PromptKind::Shown, |_, _, _| Say::Text(b"\xff".to_vec())), given_up);
    assert_eq!(answer(PromptKind::Shown, |_, _, _| Say::Fail), given_up);
}

#[test]
fn hidden_prompts_are_not_echoed_and_shown_ones_are() {
    for (kind, style) in [(PromptKind::Hidden, ECHO_OFF), (PromptKind::Shown, ECHO_ON)] {
        let bench = Bench::new();
        let (_peer, _told) = prompting(&bench, kind, "Say\x1b[2J it: ");
        let mut pam = bench.start_with("test", "ana", |_, _, _| text("x"));
        pam.authenticate(0);
        assert_eq!(pam.shown()[0], (style, "Say [2J it: ".to_owned()));
    }
}

#[test]
fn a_program_without_a_conversation_is_denied_at_once() {
    let bench = Bench::new();
    bench.manage("user ana card\nuser root card\n");
    let (peer, _told) = prompting(&bench, PromptKind::Hidden, "PIN: ");
    for service in ["test", "su", "sudo", "swaylock"] {
        let mut pam = Transaction::start(service, Some("ana"), bench.path(), None);
        assert_eq!([pam.authenticate(0), pam.account()], [AUTH_ERR, PERM_DENIED], "{service}");
        // These tests run as root, who changes nobody else's PIN.
        let mut pam = Transaction::start(service, Some("root"), bench.path(), None);
        assert_eq!(pam.chauthtok(0), AUTHTOK_ERR, "{service}");
    }
    assert_eq!(peer.calls(), 0, "no card is waited for");
}

#[test]
fn a_program_that_cannot_show_a_note_is_not_harmed() {
    let bench = Bench::new();
    for say in [|| Say::Fail, || Say::NoResponse] {
        let mut pam = bench.start_with("test", "ana", move |_, _, _| say());
        assert_eq!(pam.authenticate(0), AUTH_ERR, "the agent is down, and the message goes nowhere");
    }
}

/// What descriptors of this process lead to a socket and would pass on to a program that is started now.
fn sockets_passed_on() -> Vec<String> {
    let found = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let passes_on = |fd: &std::ffi::OsStr| {
        let info = std::fs::read_to_string(std::path::Path::new("/proc/self/fdinfo").join(fd));
        let flags = info.ok().and_then(|info| Some(info.lines().nth(1)?.rsplit('\t').next()?.to_owned()));
        // O_CLOEXEC is 02000000.
        flags.is_some_and(|flags| i64::from_str_radix(&flags, 8).is_ok_and(|flags| flags & 0o2_000_000 == 0))
    };
    found
        .filter(|entry| passes_on(&entry.file_name()))
        .filter_map(|entry| Some(std::fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned()))
        .filter(|link| link.starts_with("socket:"))
        .collect()
}

/// CVE-2019-12210 was a log file left to whatever sudo started.
#[test]
fn nothing_the_module_opens_passes_on_to_a_program_that_is_started_meanwhile() {
    let before = sockets_passed_on();
    let bench = Bench::new();
    let (_peer, _told) = prompting(&bench, PromptKind::Hidden, "PIN: ");
    let (tell, told) = mpsc::channel();
    let mut pam = bench.start_with("test", "ana", move |_, style, _| {
        if style == ECHO_OFF {
            let all = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
            let sockets = all.filter_map(|entry| std::fs::read_link(entry.path()).ok());
            let sockets = sockets.filter(|link| link.to_string_lossy().starts_with("socket:")).count();
            tell.send((sockets, sockets_passed_on())).unwrap();
        }
        text("123456")
    });
    assert_eq!(pam.authenticate(0), AUTH_ERR);
    let (sockets, passed_on) = told.recv().unwrap();
    assert!(sockets > 0, "the module is connected while it asks");
    assert!(passed_on.iter().all(|link| before.contains(link)), "{passed_on:?}");
}
